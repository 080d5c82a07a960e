#include "engine/mariadb/table_files.h"

#include <gmock/gmock.h>

#include <filesystem>
#include <fstream>

#include "sys/file.h"

namespace holdfast::engine::mariadb {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

class TableFilesTest : public testing::Test {
 protected:
  void write(const std::string& name, const std::string& content) const {
    std::filesystem::create_directories(std::filesystem::path(dir_.path() + "/" + name).parent_path());
    std::ofstream(dir_.path() + "/" + name, std::ios::binary) << content;
  }
  std::vector<std::string> found() const { return tables_without_file(dir_.path()); }

  sys::TempDir dir_ = std::move(*sys::TempDir::create("table-files"));
};

const std::string kInnodb("\xfe\x01\x0a\x0c\x12", 5), kAria("\xfe\x01\x0a\x2a\x12", 5),
    kParts("\xfe\x01\x0a\x14\x12", 5);

TEST_F(TableFilesTest, TellsTablesWithoutAFile) {
  write("shop/orders.frm", kInnodb);
  write("crm/documents.frm", kInnodb);
  write("crm/whole.frm", kInnodb);
  write("crm/whole.ibd", "pages");
  EXPECT_THAT(found(), ElementsAre("crm/documents", "shop/orders"));
  write("shop/orders.ibd", "pages");
  write("crm/documents.isl", "/elsewhere/documents.ibd");
  EXPECT_THAT(found(), IsEmpty());
}

TEST_F(TableFilesTest, OthersNeedNone) {
  write("mysql/user.frm", kAria);
  write("shop/parts.frm", kParts);
  write("shop/parts#P#p0.ibd", "pages");
  write("shop/view.frm", "TYPE=VIEW\n");
  write("shop/short.frm", "\xfe\x01");
  write("shop/#sql-7_3.frm", kInnodb);
  write("notes.frm", kInnodb);
  EXPECT_THAT(found(), IsEmpty());
}

TEST_F(TableFilesTest, NoMoreThanManage) {
  for (int i = 0; i < 200; ++i) write("shop/t" + std::to_string(i) + ".frm", kInnodb);
  EXPECT_EQ(found().size(), 64u);
}

}  // namespace
}  // namespace holdfast::engine::mariadb

#include "backup/escrow.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "sys/file.h"
#include "tests/support/small_repository.h"

namespace holdfast::backup {
namespace {

class EscrowTest : public ::testing::Test {
 protected:
  void SetUp() override {
    auto made = sys::TempDir::create("escrow");
    ASSERT_TRUE(made);
    folder_.emplace(std::move(*made));
    std::filesystem::create_directories(data() + "/base");
    std::ofstream(data() + "/base/table") << std::string(300'000, 'x');
    std::ofstream(data() + "/empty");
    auto opened = small_.open();
    ASSERT_TRUE(opened);
    repository_ = std::move(*opened);
    ASSERT_TRUE(repository_->load_index());
  }
  std::string data() const { return folder_->path() + "/data"; }
  Result<EscrowReport> take(const std::function<Status()>& may_commit = [] { return Status(); }) {
    EscrowRequest request;
    request.cluster.name = ClusterName("orders");
    request.member = "orders-1";
    request.folder = data();
    request.job = "20261121T000000Z-abcd";
    repo::TreeBackupProgress progress;
    return take_escrow(*repository_, request, progress, may_commit, {});
  }

  std::optional<sys::TempDir> folder_;
  test::SmallRepository small_;
  std::unique_ptr<repo::Repository> repository_;
};

TEST_F(EscrowTest, IsReadBackWhole) {
  auto report = take();
  ASSERT_TRUE(report) << report.error().to_string();
  EXPECT_EQ(report->files, 2u);
  EXPECT_EQ(report->bytes, 300'000u);
  auto snapshot = repository_->find_snapshot("latest", nullptr);
  ASSERT_TRUE(snapshot);
  EXPECT_EQ(snapshot->tag_value("type"), "escrow");
  EXPECT_EQ(snapshot->tag_value("member"), "orders-1");
  EXPECT_EQ(snapshot->tag_value("job"), "20261121T000000Z-abcd");
}

TEST_F(EscrowTest, DataThatLiesElsewhereIsRefused) {
  std::filesystem::create_directories(folder_->path() + "/other-disk");
  std::filesystem::create_directory_symlink(folder_->path() + "/other-disk", data() + "/pg_wal");
  auto report = take();
  ASSERT_FALSE(report);
  EXPECT_EQ(report.error().id, "escrow.data_elsewhere");
  EXPECT_EQ(report.error().error_class, ErrorClass::refused);
  EXPECT_FALSE(repository_->find_snapshot("latest", nullptr)) << "nothing was stored";
}

TEST_F(EscrowTest, WithoutTheLockNothingBecomesVisible) {
  EXPECT_FALSE(take([] { return Status(fail(ErrorClass::conflict, "repo.lock_lost", "gone")); }));
  EXPECT_FALSE(repository_->find_snapshot("latest", nullptr));
}

}  // namespace
}  // namespace holdfast::backup

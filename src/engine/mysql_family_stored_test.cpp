#include "engine/mysql_family_stored.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

namespace holdfast::engine {
namespace {

namespace fs = std::filesystem;

class MysqlFamilyStoredTest : public ::testing::Test {
 protected:
  MysqlFamilyStoredTest() : dir_(std::move(*sys::TempDir::create("mysql-stored"))), data_(dir_.path() + "/m/data") {}
  void put(const std::string& name, const std::string& text) const { std::ofstream(data_ + "/" + name) << text; }
  sys::TempDir dir_;
  std::string data_;
};

TEST_F(MysqlFamilyStoredTest, WhatADirectoryIs) {
  EXPECT_EQ(read_mysql_family_stored(data_).content, StoredContent::missing);
  fs::create_directories(data_);
  EXPECT_EQ(read_mysql_family_stored(data_).content, StoredContent::empty);
  fs::create_directory(data_ + "/lost+found");
  EXPECT_EQ(read_mysql_family_stored(data_).content, StoredContent::empty);
  put("PG_VERSION", "15\n");
  EXPECT_EQ(read_mysql_family_stored(data_).content, StoredContent::foreign);
  put("ibdata1", "");
  EXPECT_EQ(read_mysql_family_stored(data_).content, StoredContent::half_made) << "no system schema";
  fs::create_directory(data_ + "/mysql");
  EXPECT_EQ(read_mysql_family_stored(data_).content, StoredContent::data);
  EXPECT_FALSE(read_mysql_family_stored(data_).binlog.position);
  EXPECT_NE(read_mysql_family_stored(data_).binlog.unknown, "");

  // A dangling link may be a disk that is not mounted: nothing is proven.
  fs::create_symlink("/nonexistent/elsewhere", dir_.path() + "/link");
  EXPECT_EQ(read_mysql_family_stored(dir_.path() + "/link").content, StoredContent::unreadable);
  EXPECT_EQ(read_mysql_family_stored(data_ + "/ibdata1").content, StoredContent::foreign);
}

TEST_F(MysqlFamilyStoredTest, AnUnreadableDirectoryIsNotEmpty) {
  fs::create_symlink("loop", dir_.path() + "/loop");
  EXPECT_EQ(read_mysql_family_stored(dir_.path() + "/loop").content, StoredContent::unreadable);
  EXPECT_EQ(read_mysql_family_stored(dir_.path() + "/" + std::string(300, 'n')).content, StoredContent::unreadable);
}

TEST_F(MysqlFamilyStoredTest, MarkersIdentityAndVersion) {
  fs::create_directories(data_ + "/mysql");
  put("ibdata1", "");
  put("auto.cnf", "[auto]\nserver-uuid = 778CA23F-e5ef-11f1-b0b3-02fc00000001\n");
  put("mysql_upgrade_history", R"({"file_format":"1","upgrade_history":[{"version":"8.4.1"},{"version":"9.7.4-2"}]})");
  auto state = read_mysql_family_stored(data_);
  EXPECT_EQ(state.content, StoredContent::data) << state.why;
  EXPECT_EQ(*state.server_uuid, "778ca23f-e5ef-11f1-b0b3-02fc00000001");
  EXPECT_EQ(*state.version, "9.7.4-2");
  put("mysql_upgrade_info", "10.11.19-MariaDB");
  EXPECT_EQ(*read_mysql_family_stored(data_).version, "10.11.19-MariaDB");
  put("auto.cnf", "[auto]\nserver-uuid=778ca23f\n");
  EXPECT_FALSE(read_mysql_family_stored(data_).server_uuid);

  put("xtrabackup_checkpoints", "backup_type = full-prepared\n");
  EXPECT_EQ(read_mysql_family_stored(data_).content, StoredContent::data);
  put("xtrabackup_checkpoints", "backup_type = full-backuped\n");
  EXPECT_EQ(read_mysql_family_stored(data_).content, StoredContent::half_made);
  fs::remove(data_ + "/xtrabackup_checkpoints");
  std::ofstream(dir_.path() + "/m/initialising") << "";
  state = read_mysql_family_stored(data_);
  EXPECT_EQ(state.content, StoredContent::half_made);
  ASSERT_EQ(state.markers.size(), 1u);
  fs::remove(dir_.path() + "/m/initialising");
  fs::create_directory(data_ + "/#clone");
  put("#clone/#status_in_progress", "");
  EXPECT_EQ(read_mysql_family_stored(data_).content, StoredContent::half_made);
}

}  // namespace
}  // namespace holdfast::engine

#include "provider/restore_folder.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

namespace holdfast::provider {
namespace {

namespace fs = std::filesystem;

class RestoreFolderTest : public testing::Test {
 protected:
  RestoreFolderTest() : dir_(*sys::TempDir::create("restore-folder")), path_(dir_.path() + "/into") {}

  void fill() {
    fs::create_directories(path_ + "/data/mysql");
    std::ofstream(path_ + "/data/mysql/user.frm") << "x";
    fs::create_symlink(dir_.path() + "/outside", path_ + "/data/link");
  }

  sys::TempDir dir_;
  std::string path_;
};

TEST_F(RestoreFolderTest, what_failed_is_removed_with_the_folder_it_made) {
  std::ofstream(dir_.path() + "/outside") << "kept";
  auto folder = RestoreFolder::claim(path_);
  ASSERT_TRUE(folder) << folder.error().to_string();
  fill();
  ASSERT_TRUE(folder->discard());
  EXPECT_FALSE(fs::exists(path_));
  EXPECT_TRUE(fs::exists(dir_.path() + "/outside"));
}

TEST_F(RestoreFolderTest, a_folder_that_was_there_stays_empty) {
  fs::create_directories(path_);
  auto folder = RestoreFolder::claim(path_);
  ASSERT_TRUE(folder);
  fill();
  ASSERT_TRUE(folder->discard());
  EXPECT_TRUE(fs::is_empty(path_));
}

TEST_F(RestoreFolderTest, what_a_killed_restore_left_is_begun_again) {
  {
    auto killed = RestoreFolder::claim(path_);
    ASSERT_TRUE(killed);
    fill();
    const auto second = RestoreFolder::claim(path_);
    ASSERT_FALSE(second);
    EXPECT_EQ(second.error().id, "restore.folder_in_use");
  }
  auto again = RestoreFolder::claim(path_);
  ASSERT_TRUE(again) << again.error().to_string();
  EXPECT_FALSE(fs::exists(path_ + "/data"));
  fill();
  ASSERT_TRUE(again->settle());
  const auto whole = RestoreFolder::claim(path_);
  ASSERT_FALSE(whole);
  EXPECT_EQ(whole.error().id, "restore.not_empty");
  EXPECT_TRUE(fs::exists(path_ + "/data/mysql/user.frm"));
}

TEST_F(RestoreFolderTest, what_is_not_of_a_restore_is_never_touched) {
  fill();
  const auto refused = RestoreFolder::claim(path_);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().id, "restore.not_empty");
  EXPECT_TRUE(fs::exists(path_ + "/data/mysql/user.frm"));
}

}  // namespace
}  // namespace holdfast::provider

// A tree whose owner swaps names while root removes it or gives it away: nothing outside of it changes.
#include "sys/beneath.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <linux/fs.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "sys/act_as.h"
#include "sys/process.h"
#include "tests/support/require.h"

namespace holdfast::sys {
namespace {

namespace fs = std::filesystem;

constexpr uid_t kAttacker = 61234, kOther = 61235;

class Beneath : public ::testing::Test {
 protected:
  void SetUp() override {
    HOLDFAST_NEED("root", ::geteuid() == 0, "only root can be led astray");
    dir_.emplace(TempDir::create("beneath").value());
    ASSERT_EQ(::chmod(dir_->path().c_str(), 0755), 0);
    fs::create_directories(outside());
    std::ofstream(outside() + "/kept") << "kept";
    ASSERT_EQ(::chmod(outside().c_str(), 0700), 0);
    ASSERT_EQ(::chmod((outside() + "/kept").c_str(), 0600), 0);
    make_tree();
  }
  std::string outside() const { return dir_->path() + "/outside"; }
  std::string tree() const { return dir_->path() + "/tree"; }
  void make_tree() const {
    for (int i = 0; i < 20; ++i) {
      const std::string inner = tree() + "/d" + std::to_string(i);
      fs::create_directories(inner);
      for (int j = 0; j < 20; ++j) std::ofstream(inner + "/f" + std::to_string(j)) << "x";
      std::ofstream(inner + "/kept") << "x";
    }
    fs::create_directory_symlink(outside(), tree() + "/link");
    for (const auto& entry : fs::recursive_directory_iterator(tree()))
      ASSERT_EQ(::lchown(entry.path().c_str(), kAttacker, kAttacker), 0);
    ASSERT_EQ(::chown(tree().c_str(), kAttacker, kAttacker), 0);
  }
  /// A process of the attacker that swaps each directory with a link to what is outside, until it is killed.
  pid_t swap_names() const {
    const std::string in = tree();
    const pid_t pid = ::fork();
    if (pid) return pid;
    if (::setgid(kAttacker) != 0 || ::setuid(kAttacker) != 0) ::_exit(1);
    for (int i = 0;; i = (i + 1) % 20)
      (void)::syscall(SYS_renameat2, AT_FDCWD, (in + "/d" + std::to_string(i)).c_str(), AT_FDCWD,
                      (in + "/link").c_str(), RENAME_EXCHANGE);
  }
  void expect_outside_unchanged() const {
    struct stat info{};
    ASSERT_EQ(::stat((outside() + "/kept").c_str(), &info), 0) << "removed";
    EXPECT_EQ(info.st_uid, 0u);
    ASSERT_EQ(::stat(outside().c_str(), &info), 0);
    EXPECT_EQ(info.st_uid, 0u);
    EXPECT_EQ(info.st_mode & 07777, 0700u);
  }
  std::optional<TempDir> dir_;
};

TEST_F(Beneath, RemovesNothingOutsideWhileNamesAreSwapped) {
  for (int round = 0; round < 8; ++round) {
    const pid_t attacker = swap_names();
    (void)remove_tree(tree());
    ::kill(attacker, SIGKILL);
    ::waitpid(attacker, nullptr, 0);
    expect_outside_unchanged();
    ASSERT_TRUE(remove_tree(tree()));
    EXPECT_FALSE(fs::exists(fs::symlink_status(tree())));
    make_tree();
  }
  EXPECT_TRUE(remove_tree(tree() + "/nothing"));
  EXPECT_TRUE(remove_tree(dir_->path() + "/nowhere/nothing"));
}

TEST_F(Beneath, GivesNothingOutsideAwayWhileNamesAreSwapped) {
  for (int round = 0; round < 8; ++round) {
    const pid_t attacker = swap_names();
    (void)give_tree(tree(), kAttacker, round % 2 ? kAttacker : kOther, kOther);
    ::kill(attacker, SIGKILL);
    ::waitpid(attacker, nullptr, 0);
    expect_outside_unchanged();
    ASSERT_TRUE(remove_tree(tree()));
    make_tree();
  }
  ASSERT_TRUE(give_tree(tree(), kAttacker, kOther, kOther));
  struct stat info{};
  ASSERT_EQ(::lstat((tree() + "/link").c_str(), &info), 0);
  EXPECT_EQ(info.st_uid, kOther);
  ASSERT_EQ(::stat((tree() + "/d3/f7").c_str(), &info), 0);
  EXPECT_EQ(info.st_uid, kOther);
}

TEST_F(Beneath, AHardLinkToAnothersFileIsNotGivenAway) {
  ASSERT_EQ(::link((outside() + "/kept").c_str(), (tree() + "/d1/hard").c_str()), 0);
  const auto given = give_tree(tree(), kAttacker, kOther, kOther);
  ASSERT_FALSE(given);
  EXPECT_EQ(given.error().id, "sys.foreign_file");
  expect_outside_unchanged();
}

TEST_F(Beneath, ADirectoryIsNotTakenThroughALink) {
  EXPECT_FALSE(own_directory(tree() + "/link", 0755, kOther, kOther));
  expect_outside_unchanged();
  ASSERT_TRUE(own_directory(tree() + "/fresh", 0750, kOther, kOther));
  struct stat info{};
  ASSERT_EQ(::stat((tree() + "/fresh").c_str(), &info), 0);
  EXPECT_EQ(info.st_uid, kOther);
  EXPECT_EQ(info.st_mode & 07777, 0750u);
}

TEST_F(Beneath, ActingAsAnotherUserEndsAtThatUsersRights) {
  const std::string secret = outside() + "/kept", hard = tree() + "/d1/hard";
  ASSERT_EQ(::link(secret.c_str(), hard.c_str()), 0);
  const auto attacker = owner_of(tree());
  ASSERT_TRUE(attacker);
  EXPECT_EQ(attacker->uid, kAttacker);
  {
    const ActAs as_attacker(attacker);
    EXPECT_FALSE(read_file(secret));
    EXPECT_FALSE(read_file(hard));
    EXPECT_FALSE(open_file(hard, O_WRONLY | O_TRUNC));
    EXPECT_NE(::chown(hard.c_str(), kAttacker, kAttacker), 0);
    ASSERT_TRUE(publish_file(tree() + "/d1/mine", as_bytes("x"), 0600));
    {
      const ActAs nested(Identity{kOther, kOther, {}});
      EXPECT_FALSE(read_file(tree() + "/d1/mine"));
    }
    EXPECT_TRUE(read_file(tree() + "/d1/mine"));
    // A child program starts with what the process has, not with what this thread acts as.
    Command id;
    id.argv = {"id", "-u"};
    EXPECT_EQ(run_ok(id, Deadline::in(std::chrono::seconds(10))).value().out, "0\n");
  }
  struct stat info{};
  ASSERT_EQ(::stat((tree() + "/d1/mine").c_str(), &info), 0);
  EXPECT_EQ(info.st_uid, kAttacker);
  EXPECT_EQ(info.st_gid, kAttacker);
  EXPECT_TRUE(read_file(secret));
  expect_outside_unchanged();
}

}  // namespace
}  // namespace holdfast::sys

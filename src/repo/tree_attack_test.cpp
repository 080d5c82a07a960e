// A tree whose owner renames in it while it is backed up: nothing from outside of it gets into the snapshot.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <linux/fs.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <thread>

#include "crypto/sha256.h"
#include "repo/tree_access.h"
#include "repo/tree_backup.h"
#include "tests/support/require.h"
#include "tests/support/small_repository.h"

namespace holdfast::repo {
namespace {

namespace fs = std::filesystem;

constexpr const char* kSecret = "what only root may read";
constexpr uid_t kStranger = 61234;

void put(const std::string& path, const std::string& text) {
  std::ofstream(path) << text;
}

class AttackedTree : public testing::Test {
 protected:
  void SetUp() override {
    for (int i = 0; i < kDirectories; ++i) {
      fs::create_directories(inner(i) + "/deep");
      for (int f = 0; f < 5; ++f) put(inner(i) + "/deep/" + std::to_string(f), "harmless " + std::to_string(f));
      put(inner(i) + "/stolen", "a harmless one");
    }
    fs::create_directories(outside_ + "/deep");
    put(outside_ + "/stolen", kSecret);
    put(outside_ + "/deep/3", kSecret);
    put(outside_ + "/deep/only outside", "no secret");
    fs::create_directory_symlink(outside_, tree_ + "/link");
    fs::create_symlink(outside_ + "/stolen", tree_ + "/filelink");
  }
  std::string inner(int i) const { return tree_ + "/d" + std::to_string(i); }

  Result<TreeBackupResult> back_up(const std::string& target) {
    repository_ = TRY(small_.open());
    TRY_VOID(repository_->load_index());
    SnapshotOptions options;
    options.time = {repo::seconds_of(2026, 1, 1, 0, 0, 0) + 3600 * ++backups_, 0, 0};
    options.hostname = "tester";
    SaverOptions saver;
    saver.workers = 2;
    TreeBackupProgress progress;
    auto made = TRY(back_up_trees(*repository_, {target}, {}, saver, options, true, progress, {}, {}));
    repository_ = TRY(small_.open());
    TRY_VOID(repository_->load_index());
    return made;
  }
  /// How often that name stands in the tree.
  size_t count(const Id& tree, const std::string& name) {
    Codec codec(repository_->master_key());
    size_t found = 0;
    const Tree here = load_tree(*repository_, tree, codec).value();
    for (const Node& node : here.nodes) {
      if (node.name == name) ++found;
      if (node.subtree) found += count(*node.subtree, name);
    }
    return found;
  }
  bool holds_secret() const {
    return repository_->index().contains(BlobType::data, Id(crypto::sha256(as_bytes(kSecret))));
  }

  static constexpr int kDirectories = 30;
  sys::TempDir dir_ = sys::TempDir::create("attack").value();
  const std::string tree_ = dir_.path() + "/tree", outside_ = dir_.path() + "/outside";
  test::SmallRepository small_;
  std::unique_ptr<Repository> repository_;
  int backups_ = 0;
};

TEST_F(AttackedTree, NothingFromOutsideIsBackedUpWhileNamesAreSwapped) {
  std::jthread attacker([&](const std::stop_token& stop) {
    const auto swap = [](const std::string& a, const std::string& b) {
      (void)::syscall(SYS_renameat2, AT_FDCWD, a.c_str(), AT_FDCWD, b.c_str(), RENAME_EXCHANGE);
    };
    for (int i = 0; !stop.stop_requested(); i = (i + 1) % kDirectories) {
      swap(inner(i), tree_ + "/link");
      swap(inner((i + 7) % kDirectories) + "/stolen", tree_ + "/filelink");
      swap(inner(i), tree_ + "/link");
      swap(inner((i + 7) % kDirectories) + "/stolen", tree_ + "/filelink");
    }
  });
  for (int round = 0; round < 60; ++round) {
    const auto made = back_up(tree_);
    ASSERT_TRUE(made) << made.error().to_string();
    ASSERT_FALSE(holds_secret()) << "round " << round;
    ASSERT_EQ(count(made->snapshot.tree, "only outside"), 0u) << "round " << round;
  }
}

TEST_F(AttackedTree, ALinkAboveATargetIsFollowedOnlyIfItIsRootsOrOurs) {
  HOLDFAST_NEED("root", ::geteuid() == 0, "only root can make another user's link");
  const auto own = back_up(tree_ + "/link/deep");
  ASSERT_TRUE(own) << own.error().to_string();
  EXPECT_EQ(count(own->snapshot.tree, "only outside"), 1u);
  ASSERT_EQ(::lchown((tree_ + "/link").c_str(), kStranger, kStranger), 0);
  const auto foreign = back_up(tree_ + "/link/deep");
  ASSERT_FALSE(foreign);
  EXPECT_EQ(foreign.error().id, "backup.no_target");
  EXPECT_NE(foreign.error().message.find("symbolic link of another user"), std::string::npos)
      << foreign.error().to_string();
  // The link itself is content of its directory.
  const auto around = back_up(tree_);
  ASSERT_TRUE(around) << around.error().to_string();
  EXPECT_TRUE(around->problems.empty()) << around->problems[0];
  EXPECT_EQ(count(around->snapshot.tree, "link"), 1u);
}

TEST_F(AttackedTree, ATreeMayBeDeeperThanAProcessMayHoldOpen) {
  const std::string deep = dir_.path() + "/deep";
  std::string path = deep;
  for (int i = 0; i < 900; ++i) path += "/d";
  fs::create_directories(path);
  put(path + "/bottom", "the last one");
  put(deep + "/d/z beside", "after the long way back");
  rlimit before{};
  ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &before), 0);
  rlimit few = before;
  few.rlim_cur = 400;
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &few), 0);
  const auto made = back_up(deep);
  EXPECT_EQ(::setrlimit(RLIMIT_NOFILE, &before), 0);
  ASSERT_TRUE(made) << made.error().to_string();
  EXPECT_TRUE(made->problems.empty()) << made->problems[0];
  EXPECT_EQ(count(made->snapshot.tree, "bottom"), 1u);
  EXPECT_EQ(count(made->snapshot.tree, "z beside"), 1u);
}

}  // namespace
}  // namespace holdfast::repo

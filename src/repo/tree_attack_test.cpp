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
#include "repo/tree_restore.h"
#include "sys/beneath.h"
#include "tests/support/require.h"
#include "tests/support/small_repository.h"

namespace holdfast::repo {
namespace {

namespace fs = std::filesystem;

constexpr const char* kSecret = "what only root may read";
constexpr uid_t kStranger = 61234;
constexpr int kDeep = 8000;

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

/// What the process may have, until the end of the block.
class Limit {
 public:
  Limit(__rlimit_resource of, rlim_t value) : of_(of) {
    EXPECT_EQ(::getrlimit(of_, &before_), 0);
    rlimit now = before_;
    now.rlim_cur = value;
    EXPECT_EQ(::setrlimit(of_, &now), 0);
  }
  ~Limit() { EXPECT_EQ(::setrlimit(of_, &before_), 0); }
  Limit(Limit&&) = delete;

 private:
  __rlimit_resource of_;
  rlimit before_{};
};

/// A directory in which another one is, and so on, further than one path can name.
class DeepTree {
 public:
  DeepTree(const std::string& path, int levels) : path_(path) {
    fs::create_directory(path);
    sys::Fd at = top();
    for (int i = 0; i < levels && at; ++i) {
      if (::mkdirat(at.get(), "d", 0700) != 0) break;
      at = sys::open_at(at.get(), "d", O_PATH | O_DIRECTORY);
    }
    bottom_ = std::move(at);
  }
  ~DeepTree() {  // what removes trees holds all their directories open
    sys::Fd at = bottom();
    struct stat here{};
    struct stat end{};
    while (at && ::stat(path_.c_str(), &end) == 0 && ::fstat(at.get(), &here) == 0 && here.st_ino != end.st_ino) {
      at = sys::Fd(::openat(at.get(), "..", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
      (void)sys::remove_tree_at(at.get(), "d");
    }
  }
  DeepTree(DeepTree&&) = delete;
  const std::string& path() const { return path_; }
  sys::Fd top() const { return sys::Fd(::open(path_.c_str(), O_PATH | O_DIRECTORY)); }
  /// Goes there name by name.
  sys::Fd bottom(int* levels = nullptr) const {
    sys::Fd at = top();
    for (int depth = 0;; ++depth) {
      if (levels) *levels = depth;
      sys::Fd next = sys::open_at(at.get(), "d", O_PATH | O_DIRECTORY);
      if (!next) return at;
      at = std::move(next);
    }
  }
  sys::Fd bottom_;

 private:
  std::string path_;
};

TEST_F(AttackedTree, ATreeMayBeDeeperThanAProcessMayHoldOpen) {
  const DeepTree deep(dir_.path() + "/deep", kDeep);
  ASSERT_TRUE(deep.bottom_);
  const sys::Fd file = sys::open_at(deep.bottom_.get(), "bottom", O_WRONLY | O_CREAT, 0600);
  ASSERT_EQ(::write(file.get(), "the last one", 12), 12);
  put(dir_.path() + "/deep/d/z beside", "after the long way back");
  std::optional<Limit> few(std::in_place, RLIMIT_NOFILE, 400);
  const auto made = back_up(dir_.path() + "/deep");
  few.reset();
  ASSERT_TRUE(made) << made.error().to_string();
  EXPECT_TRUE(made->problems.empty()) << made->problems[0];
  EXPECT_EQ(made->snapshot.summary->dirs_new, kDeep + 1u);
  EXPECT_EQ(made->snapshot.summary->total_files_processed, 2u);
  // A second one takes over from the first, just as deep.
  const auto again = back_up(dir_.path() + "/deep");
  ASSERT_TRUE(again) << again.error().to_string();
  EXPECT_EQ(again->snapshot.summary->dirs_unmodified, kDeep + 1u);
  // Not the whole trees: what stands above changes whenever somebody else makes a file in the temporary directory.
  Codec codec(repository_->master_key());
  const auto tree_of = [&](const TreeBackupResult& backup) {
    return find_node(*repository_, backup.snapshot.tree, dir_.path() + "/deep", codec).value().value().subtree.value();
  };
  EXPECT_EQ(tree_of(*again), tree_of(*made));

  const DeepTree target(dir_.path() + "/restored", 0);
  RestoreProgress progress;
  const Limit stack(RLIMIT_STACK, 1 << 20);  // a deeper tree would take longer
  const auto restored = restore_tree(*repository_, made->snapshot, dir_.path() + "/target", {}, progress, {});
  ASSERT_TRUE(restored) << restored.error().to_string();
  EXPECT_TRUE(restored->problems.empty()) << restored->problems[0];
  EXPECT_EQ(restored->files, 2u);
  fs::rename(dir_.path() + "/target" + dir_.path() + "/deep", target.path());
  int levels = 0;
  const sys::Fd bottom = target.bottom(&levels);
  EXPECT_EQ(levels, kDeep);
  EXPECT_EQ(::faccessat(bottom.get(), "bottom", R_OK, 0), 0);
}

}  // namespace
}  // namespace holdfast::repo

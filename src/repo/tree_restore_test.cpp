// Restoring over what is there already: modes, owners and content are the snapshot's, wherever the files lie, and the
// short cuts for directories that the restore has made itself are taken nowhere else.
#include "repo/tree_restore.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <thread>

#include "repo/tree_backup.h"
#include "sys/file.h"
#include "tests/support/require.h"
#include "tests/support/small_repository.h"

namespace holdfast::repo {
namespace {

namespace fs = std::filesystem;
using test::SmallRepository;

struct Umask {
  explicit Umask(mode_t mask) : before(::umask(mask)) {}
  ~Umask() { ::umask(before); }
  const mode_t before;
};

class Restoring : public testing::Test {
 protected:
  void SetUp() override {
    const Umask open_to_all(0);
    fs::create_directories(source_ + "/d/inner");
    fs::create_directory(source_ + "/d/sticky");
    int i = 0;
    for (const char* folder : {"/d", "/d/inner", "/d/sticky"}) {
      for (const mode_t mode : {0644, 0600, 0400, 0000, 0755, 0777, 04755, 02755, 06711, 01644}) {
        const std::string name = std::string(folder) + "/file" + std::to_string(++i);
        add(name, as_bytes("content of " + name), mode);
      }
    }
    add("/d/large", test::random_bytes(9'000'000, 9), 0644);  // several reads: it is looked at in the middle
    add("/d/inner/empty", {}, 06755);
    set_mode("/d/inner", 02775);
    set_mode("/d/sticky", 01777);
    set_mode("/d", 0751);
    auto repository = small_.open().value();
    ASSERT_TRUE(repository->load_index());
    SnapshotOptions options;
    options.time = {seconds_of(2026, 1, 1, 0, 0, 0), 0, 0};
    TreeBackupProgress progress;
    const auto made = back_up_trees(*repository, {source_ + "/d"}, {}, {}, options, true, progress, {}, {});
    ASSERT_TRUE(made) << made.error().to_string();
    ASSERT_TRUE(made->problems.empty()) << made->problems[0];
    snapshot_ = made->snapshot;
  }
  void add(const std::string& name, ByteSpan content, mode_t mode) {
    ASSERT_TRUE(sys::publish_file(source_ + name, content, 0600));
    // Owners before modes: a change of owner clears set-uid bits.
    if (::geteuid() == 0) {
      ASSERT_EQ(::lchown((source_ + name).c_str(), 1000 + mode % 3, 2000 + mode % 5), 0);
    }
    set_mode(name, mode);
  }
  void set_mode(const std::string& name, mode_t mode) { ASSERT_EQ(::chmod((source_ + name).c_str(), mode), 0); }

  /// `look` is called all the time while the restore runs: what it sees, others could.
  RestoreResult restore(const std::string& target, std::function<void()> look = {}) {
    std::jthread looking;
    if (look) {
      looking = std::jthread([look](std::stop_token stop) {
        while (!stop.stop_requested()) look();
      });
    }
    auto repository = small_.open().value();
    EXPECT_TRUE(repository->load_index());
    RestoreProgress progress;
    auto result = restore_tree(*repository, snapshot_, target, {}, progress, {});
    EXPECT_TRUE(result) << result.error().to_string();
    if (!result) return {};
    for (const auto& problem : result->problems) ADD_FAILURE() << problem;
    EXPECT_TRUE(result->damaged.empty());
    return std::move(*result);
  }
  /// The restored tree equals the source in names, modes, owners and content.
  void expect_equal(const std::string& target) {
    size_t seen = 0;
    for (const auto& entry : fs::recursive_directory_iterator(source_)) {
      const std::string restored = target + entry.path().string();
      struct stat is{}, should{};
      ASSERT_EQ(::lstat(entry.path().c_str(), &should), 0);
      ASSERT_EQ(::lstat(restored.c_str(), &is), 0) << restored;
      EXPECT_EQ(is.st_mode, should.st_mode) << std::oct << is.st_mode << " for " << should.st_mode << " " << restored;
      EXPECT_EQ(is.st_uid, should.st_uid) << restored;
      EXPECT_EQ(is.st_gid, should.st_gid) << restored;
      EXPECT_EQ(is.st_nlink, should.st_nlink) << restored;
      if (S_ISREG(is.st_mode) && ::geteuid() == 0) {
        EXPECT_TRUE(test::same_bytes(sys::read_file(restored).value(), sys::read_file(entry.path()).value()))
            << restored;
      }
      ++seen;
    }
    EXPECT_EQ(seen, 35u);
  }

  SmallRepository small_;
  sys::TempDir directory_ = sys::TempDir::create("restoring").value();
  const std::string source_ = directory_.path() + "/source";
  const std::string target_ = directory_.path() + "/target";
  Snapshot snapshot_;
};

TEST_F(Restoring, into_nothing) {
  HOLDFAST_NEED("root", ::geteuid() == 0, "owners are changed");
  for (const mode_t mask : {0, 022, 077}) {
    SCOPED_TRACE(mask);
    const Umask use(mask);
    restore(target_, [&] {
      struct stat folder{}, file{};
      if (::stat((target_ + source_ + "/d").c_str(), &folder) != 0 || (folder.st_mode & 077) == 0) return;
      // Others may enter: then everything in it is as it should be.
      ASSERT_EQ(::stat((target_ + source_ + "/d/large").c_str(), &file), 0);
      EXPECT_EQ(file.st_size, 9'000'000);
      EXPECT_EQ(file.st_mode & 07777, 0644u);
      EXPECT_NE(file.st_uid, 0u);
    });
    expect_equal(target_);
    fs::remove_all(target_);
  }
}

TEST_F(Restoring, over_directories_and_files_of_other_modes_and_owners) {
  HOLDFAST_NEED("root", ::geteuid() == 0, "owners are changed");
  for (const mode_t mask : {0, 022, 077}) {
    SCOPED_TRACE(mask);
    const Umask use(mask);
    restore(target_);
    // Everything other: modes, owners, content, and kinds.
    int i = 0;
    for (const auto& entry : fs::recursive_directory_iterator(target_ + source_)) {
      const std::string path = entry.path();
      ++i;
      if (entry.is_directory()) {
        ASSERT_EQ(::chown(path.c_str(), 77, 78), 0);
        ASSERT_EQ(::chmod(path.c_str(), 0777), 0);
        continue;
      }
      if (i % 5 == 0) {  // a link to a file outside that must not be written through
        fs::remove(path);
        fs::create_symlink(directory_.path() + "/outside", path);
        continue;
      }
      ASSERT_TRUE(sys::publish_file(path, as_bytes(i % 2 ? std::string(20'000, 'o') : "o"), 0600));
      ASSERT_EQ(::chown(path.c_str(), 99, 98), 0);
      ASSERT_EQ(::chmod(path.c_str(), i % 3 ? 06777 : 0444), 0);
      if (i % 4 == 0) {  // a second name outside, which must keep its content
        fs::remove(directory_.path() + "/linked");
        fs::create_hard_link(path, directory_.path() + "/linked");
      }
    }
    ASSERT_TRUE(sys::publish_file(directory_.path() + "/outside", as_bytes("outside"), 0640));
    ASSERT_EQ(::chmod((directory_.path() + "/outside").c_str(), 0640), 0);
    const auto linked = sys::read_file(directory_.path() + "/linked").value();
    restore(target_, [&] {
      struct stat info{};
      const std::string large = target_ + source_ + "/d/large";
      if (::lstat(large.c_str(), &info) != 0 || !S_ISREG(info.st_mode) || info.st_uid != 0) return;  // not yet ours
      EXPECT_EQ(info.st_mode & 07777, 0600u) << "it has its mode before its content, where others may be";
    });
    expect_equal(target_);
    EXPECT_EQ(as_text(sys::read_file(directory_.path() + "/outside").value()), "outside");
    EXPECT_TRUE(test::same_bytes(sys::read_file(directory_.path() + "/linked").value(), linked));
    struct stat info{};
    ASSERT_EQ(::stat((directory_.path() + "/outside").c_str(), &info), 0);
    EXPECT_EQ(info.st_mode & 07777, 0640u);
    fs::remove_all(target_);
  }
}

}  // namespace
}  // namespace holdfast::repo

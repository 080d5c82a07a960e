// Restoring over what is there already: modes, owners and content are the snapshot's, wherever the files lie, and the
// short cuts for directories that the restore has made itself are taken nowhere else.
#include "repo/tree_restore.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <grp.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <filesystem>
#include <map>
#include <thread>

#include "repo/tree_backup.h"
#include "sys/file.h"
#include "tests/support/hook_store.h"
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
        if (::geteuid() != 0 && (mode & 0400) == 0) continue;  // could not be backed up
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
  Result<RestoreResult> try_restore(const std::string& target, const RestoreOptions& options,
                                    std::shared_ptr<store::ObjectStore> store = {}, std::stop_token stop = {}) {
    auto repository = small_.open(std::move(store)).value();
    EXPECT_TRUE(repository->load_index());
    RestoreProgress progress;
    return restore_tree(*repository, snapshot_, target, options, progress, std::move(stop));
  }
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
    EXPECT_EQ(seen, ::geteuid() == 0 ? 35u : 32u);
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

// Everything below a directory: kind, mode, owner, time, content or target.
std::map<std::string, std::string> listing(const std::string& root) {
  std::map<std::string, std::string> all;
  for (const auto& entry : fs::recursive_directory_iterator(root)) {
    struct stat info{};
    EXPECT_EQ(::lstat(entry.path().c_str(), &info), 0);
    all[entry.path()] = fmt::format("{:o} {} {} {}.{} ", info.st_mode, info.st_uid, info.st_size, info.st_mtim.tv_sec,
                                    info.st_mtim.tv_nsec) +
                        (S_ISLNK(info.st_mode) ? fs::read_symlink(entry).string() : "");
  }
  return all;
}

TEST_F(Restoring, nothing_outside_the_selection_is_touched) {
  // In the place of directories of the snapshot: a file, a link to a directory, a link to nothing.
  const std::string place = target_ + source_ + "/d";
  const std::string outside = directory_.path() + "/outside";
  for (const Overwrite overwrite : {Overwrite::always, Overwrite::if_changed, Overwrite::if_newer, Overwrite::never}) {
    for (const int in_the_way : {0, 1, 2}) {
      for (const bool selected : {false, true}) {
        for (const bool dry_run : {false, true}) {
          SCOPED_TRACE(fmt::format("overwrite {} way {} selected {} dry {}", static_cast<int>(overwrite), in_the_way,
                                   selected, dry_run));
          fs::remove_all(target_);
          fs::create_directories(place);
          fs::create_directories(outside);
          const std::string inner = place + "/inner";
          if (in_the_way == 0) {
            ASSERT_TRUE(sys::publish_file(inner, as_bytes("mine"), 0640));
          } else {
            fs::create_symlink(in_the_way == 1 ? outside : "nothing", inner);
          }
          const auto before = listing(directory_.path());
          RestoreOptions options;
          options.overwrite = overwrite;
          options.dry_run = dry_run;
          // "large" is beside "inner"; "empty" is in it, which is then a directory on the way and not selected itself.
          options.includes = {selected ? "/**/d/inner/empty" : "/**/d/large"};
          const auto result = try_restore(target_, options);
          ASSERT_TRUE(result) << result.error().to_string();
          auto after = listing(directory_.path());
          if (!selected && !dry_run) {
            EXPECT_EQ(after.count(place + "/large"), 1u);
            after.erase(place + "/large");
            after[place] = before.at(place);  // its time is that of the new entry
          }
          EXPECT_EQ(after, before);
          EXPECT_EQ(result->problems.size(), selected ? 1u : 0u);
          EXPECT_EQ(result->files, selected ? 0u : 1u);
        }
      }
    }
  }
}

TEST_F(Restoring, overwrite_never_keeps_what_is_in_the_way_of_a_selected_directory) {
  const std::string place = target_ + source_ + "/d";
  fs::create_directories(place);
  fs::create_directories(directory_.path() + "/outside");
  fs::create_directory_symlink(directory_.path() + "/outside", place + "/inner");
  ASSERT_TRUE(sys::publish_file(place + "/sticky", as_bytes("mine"), 0640));
  ASSERT_EQ(::chmod(place.c_str(), 0711), 0);
  RestoreOptions options;
  options.overwrite = Overwrite::never;
  auto result = try_restore(target_, options);
  ASSERT_TRUE(result) << result.error().to_string();
  EXPECT_TRUE(fs::is_symlink(place + "/inner"));
  EXPECT_EQ(as_text(sys::read_file(place + "/sticky").value()), "mine");
  EXPECT_TRUE(fs::is_empty(directory_.path() + "/outside"));
  EXPECT_EQ(result->problems.size(), 2u);
  struct stat info{};
  ASSERT_EQ(::stat(place.c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 07777, 0711u) << "a directory that exists keeps its mode";
  // What is excluded is outside the selection, too.
  options.overwrite = Overwrite::always;
  options.excludes = {"/**/d/inner"};
  result = try_restore(target_, options);
  ASSERT_TRUE(result) << result.error().to_string();
  EXPECT_TRUE(fs::is_symlink(place + "/inner"));
  EXPECT_TRUE(fs::is_directory(place + "/sticky")) << "what is selected replaces it";
}

TEST_F(Restoring, an_interrupt_leaves_each_file_old_or_new_and_directories_open) {
  const std::string place = target_ + source_ + "/d";
  const auto old = test::random_bytes(5000, 77);
  for (size_t after = 0; after < 6; ++after) {
    SCOPED_TRACE(after);
    fs::remove_all(target_);
    restore(target_);
    size_t files = 0;
    for (const auto& entry : fs::recursive_directory_iterator(place)) {
      if (!entry.is_regular_file()) continue;
      ASSERT_TRUE(sys::publish_file(entry.path(), old, 0600));
      ++files;
    }
    std::stop_source stop;
    std::atomic<size_t> reads{0};
    std::atomic<bool> shut{false};
    const auto hooks = std::make_shared<test::HookStore>(small_.store);
    hooks->on_read([&](const std::string& key) {
      if (!key.starts_with("data/")) return;
      struct stat info{};
      if (::stat(place.c_str(), &info) != 0 || (info.st_mode & 0777) != 0751) shut = true;
      if (reads++ >= after) stop.request_stop();
    });
    const auto result = try_restore(target_, {}, hooks, stop.get_token());
    if (!result) {
      EXPECT_EQ(result.error().id, "interrupted");
    }
    EXPECT_FALSE(shut) << "a directory in use was closed to others";
    size_t seen = 0, still_old = 0;
    for (const auto& entry : fs::recursive_directory_iterator(place)) {
      if (!entry.is_regular_file()) continue;
      ++seen;
      const auto now = sys::read_file(entry.path()).value();
      const bool is_old = test::same_bytes(now, old);
      const std::string original = entry.path().string().substr(target_.size());
      EXPECT_TRUE(is_old || test::same_bytes(now, sys::read_file(original).value())) << entry.path();
      still_old += is_old;
    }
    EXPECT_EQ(seen, files) << "a file is gone, or one that is not whole stayed";
    if (!result) {
      EXPECT_GT(still_old, 0u);
    }
  }
}

TEST_F(Restoring, a_file_whose_data_is_damaged_leaves_the_old_one) {
  const std::string large = target_ + source_ + "/d/large";
  fs::create_directories(fs::path(large).parent_path());
  ASSERT_TRUE(sys::publish_file(large, as_bytes("the old one"), 0600));
  for (const auto& [key, bytes] : small_.store->image()) {
    if (!key.starts_with("data/") || bytes->size() < 1'000'000) continue;
    Buffer damaged = Buffer::copy_of(*bytes);
    damaged[damaged.size() / 2] ^= 1;
    ASSERT_TRUE(small_.store->put(key, damaged));
  }
  const auto result = try_restore(target_, {});
  ASSERT_TRUE(result) << result.error().to_string();
  ASSERT_EQ(result->damaged.size(), 1u);
  EXPECT_EQ(result->damaged[0], large);
  EXPECT_EQ(as_text(sys::read_file(large).value()), "the old one");
}

TEST_F(Restoring, a_directory_that_becomes_a_link_meanwhile_leads_nowhere) {
  // Whoever owns a directory below the target plays against the restore: it swaps a directory for a link to a place
  // outside, and its files for links and for hard links to a file outside, at every moment it can find.
  const std::string place = target_ + source_ + "/d", outside = directory_.path() + "/outside";
  fs::create_directories(outside + "/inner");
  ASSERT_TRUE(sys::publish_file(outside + "/secret", as_bytes("secret"), 0640));
  const auto before = listing(outside);
  fs::create_directories(place);
  std::atomic<bool> done{false};
  std::jthread attacker([&] {
    std::error_code ignored;
    for (unsigned i = 0; !done; ++i) {
      fs::rename(place + "/inner", place + "/aside" + std::to_string(i), ignored);
      fs::create_directory_symlink(outside + "/inner", place + "/inner", ignored);
      for (const auto& entry : fs::directory_iterator(place, ignored)) {
        const std::string path = entry.path();
        if (fs::is_directory(fs::symlink_status(path, ignored))) continue;
        ::unlink(path.c_str());
        (void)!(i % 2 ? ::link((outside + "/secret").c_str(), path.c_str())
                      : ::symlink((outside + "/secret").c_str(), path.c_str()));
      }
      ::unlink((place + "/inner").c_str());
    }
  });
  for (int i = 0; i < 60; ++i) (void)try_restore(target_, {});  // it may fail, as long as it harms nothing
  done = true;
  attacker.join();
  auto after = listing(outside);
  EXPECT_EQ(after, before);
  EXPECT_EQ(as_text(sys::read_file(outside + "/secret").value()), "secret");
}

TEST_F(Restoring, set_id_bits_are_for_the_owner_of_the_snapshot_only) {
  HOLDFAST_NEED("root", ::geteuid() == 0, "acts as another user");
  fs::create_directories(target_);
  fs::permissions(directory_.path(), fs::perms::all);
  ASSERT_EQ(::chown(target_.c_str(), 4242, 4242), 0);
  const pid_t child = ::fork();
  if (child == 0) {
    if (::setgroups(0, nullptr) != 0 || ::setgid(4242) != 0 || ::setuid(4242) != 0) ::_exit(9);
    RestoreProgress progress;
    auto repository = small_.open().value();
    if (!repository->load_index()) ::_exit(8);
    const auto result = restore_tree(*repository, snapshot_, target_, {}, progress, {});
    ::_exit(result ? 0 : 7);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  ASSERT_EQ(status, 0);
  size_t files = 0;
  for (const auto& entry : fs::recursive_directory_iterator(target_)) {
    struct stat info{};
    ASSERT_EQ(::lstat(entry.path().c_str(), &info), 0);
    if (!S_ISREG(info.st_mode)) continue;
    ++files;
    EXPECT_EQ(info.st_uid, 4242u);
    EXPECT_EQ(info.st_mode & (S_ISUID | S_ISGID), 0u) << entry.path();
  }
  EXPECT_EQ(files, 32u);
}

}  // namespace
}  // namespace holdfast::repo

// Data directories change hands: killed before every rename, unlink and fsync of it, a swap is completed or was never
// begun, a half-made directory never counts, a half-removed one has no name that anything takes for data.
#include "agent/data_dir.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <fstream>
#include <set>
#include <string_view>

#include "agent/log_files.h"
#include "sys/file.h"

namespace {
int steps_left = -1;  // < 0: nobody is killed
bool immutable_stays = false;
int syncs = 0;  // of a whole volume

void step() {
  if (steps_left <= 0) return;
  --steps_left;
  if (steps_left == 0) ::kill(::getpid(), SIGKILL);
}
}  // namespace

// The program's own come before the C library's: each is a place to die at.
extern "C" int rename(const char* from, const char* to) noexcept {
  step();
  return static_cast<int>(::syscall(SYS_renameat2, AT_FDCWD, from, AT_FDCWD, to, 0));
}
extern "C" int renameat2(int at, const char* from, int to_at, const char* to, unsigned flags) noexcept {
  step();
  return static_cast<int>(::syscall(SYS_renameat2, at, from, to_at, to, flags));
}
extern "C" int unlink(const char* path) noexcept {
  step();
  return static_cast<int>(::syscall(SYS_unlinkat, AT_FDCWD, path, 0));
}
extern "C" int unlinkat(int folder, const char* path, int flags) noexcept {
  if (immutable_stays && std::string_view(path).ends_with("immutable")) {
    errno = EPERM;
    return -1;
  }
  return static_cast<int>(::syscall(SYS_unlinkat, folder, path, flags));
}
extern "C" int syncfs(int fd) noexcept {
  ++syncs;
  step();
  return static_cast<int>(::syscall(SYS_syncfs, fd));
}
extern "C" int fsync(int fd) {
  step();
  return static_cast<int>(::syscall(SYS_fsync, fd));
}

namespace holdfast::agent {
namespace {

namespace fs = std::filesystem;

class DataDir : public ::testing::Test {
 protected:
  DataDir() : dir_(std::move(*sys::TempDir::create("data-dir"))) {
    config_.dir = dir_.path() + "/member";
    config_.uid = ::geteuid();
    config_.gid = ::getegid();
    config_.member = "shop-0";
    fs::create_directories(config_.dir);
  }
  std::string path(const char* name) const { return config_.dir + "/" + name; }
  void put(const std::string& folder, const std::string& text) const {
    fs::create_directories(folder);
    std::ofstream(folder + "/ibdata1") << text;
  }
  std::string held(const std::string& folder) const {
    auto text = sys::read_file(folder + "/ibdata1");
    return text ? std::string(as_text(text->span())) : "";
  }
  void start_over() const {
    fs::remove_all(config_.dir);
    fs::create_directories(config_.dir);
  }
  /// Paths beside data that begin with `prefix`.
  std::vector<std::string> with_prefix(const std::string& prefix) const {
    std::vector<std::string> found;
    for (const auto& entry : fs::directory_iterator(config_.dir))
      if (entry.path().filename().string().starts_with(prefix)) found.push_back(entry.path().string());
    return found;
  }
  /// In a child that dies before step `n`; true when it got to its end.
  template <class Work>
  bool survives(int n, Work&& work) {
    const pid_t child = ::fork();
    if (child == 0) {
      steps_left = n;
      ::_exit(work() ? 0 : 1);
    }
    int status = 0;
    EXPECT_EQ(::waitpid(child, &status, 0), child);
    if (WIFSIGNALED(status)) return false;
    EXPECT_EQ(WEXITSTATUS(status), 0);
    return true;
  }

  sys::TempDir dir_;
  MemberConfig config_;
  bool kill_at_sync = false;
};

TEST_F(DataDir, SwapKilledAtEveryStepIsCompletedOrWasNeverBegun) {
  int completed = 0, never_begun = 0, killed = 0;
  for (int n = 1;; ++n) {
    start_over();
    put(path("data"), "old");
    put(path("data.new"), "new");
    const bool survived = survives(n, [&] { return swap_in_side(config_).has_value(); });
    killed += !survived;
    auto finished = finish_swap(config_);
    ASSERT_TRUE(finished) << "step " << n << ": " << finished.error().to_string();
    const auto aside = with_prefix("data.replaced-");
    if (held(path("data")) == "new") {
      ++completed;
      ASSERT_EQ(aside.size(), 1u) << "step " << n;
      EXPECT_EQ(held(aside[0]), "old");
      EXPECT_FALSE(fs::exists(path("data.new")));
    } else {
      ++never_begun;
      EXPECT_EQ(held(path("data")), "old") << "step " << n;
      EXPECT_EQ(held(path("data.new")), "new");
      EXPECT_TRUE(aside.empty());
      EXPECT_TRUE(swap_in_side(config_));
      EXPECT_EQ(held(path("data")), "new");
    }
    EXPECT_FALSE(fs::exists(path("swap.json")));
    EXPECT_TRUE(finish_swap(config_));  // once more is no harm
    EXPECT_TRUE(is_initialised(config_));
    if (survived) break;
  }
  EXPECT_GE(killed, 6);
  EXPECT_GE(completed, 4);
  EXPECT_GE(never_begun, 2);
}

TEST_F(DataDir, SwapWithoutAnOldDirectory) {
  for (int n = 1;; ++n) {
    start_over();
    put(path("data.new"), "new");
    const bool survived = survives(n, [&] { return swap_in_side(config_).value_or("?").empty(); });
    ASSERT_TRUE(finish_swap(config_));
    EXPECT_EQ(held(fs::exists(path("data")) ? path("data") : path("data.new")), "new");
    if (survived) break;
  }
  EXPECT_TRUE(with_prefix("data.replaced-").empty());
}

TEST_F(DataDir, ASwapThatFitsNoCrashIsLeftAlone) {
  std::ofstream(path("swap.json")) << "{\"aside\": \"" << path("data.replaced-x") << "\"}";
  put(path("data"), "a");
  put(path("data.new"), "b");
  put(path("data.replaced-x"), "c");
  auto finished = finish_swap(config_);
  ASSERT_FALSE(finished);
  EXPECT_EQ(finished.error().error_class, ErrorClass::needs_operator);
  EXPECT_EQ(held(path("data")) + held(path("data.new")) + held(path("data.replaced-x")), "abc");
}

TEST_F(DataDir, OnlyAFinishedSideIsSwappedIn) {
  put(path("data"), "old");
  auto none = swap_in_side(config_);
  ASSERT_FALSE(none);
  EXPECT_EQ(none.error().id, "agent.no_data");
  put(path("data.new"), "half");
  std::ofstream(path("initialising.new")) << "";
  auto half = swap_in_side(config_);
  ASSERT_FALSE(half);
  EXPECT_EQ(half.error().id, "agent.half_made");
  EXPECT_EQ(held(path("data")), "old");
  EXPECT_FALSE(fs::exists(path("swap.json")));
}

TEST_F(DataDir, MakingTheSideKilledAtEveryStepNeverPassesForFinished) {
  put(path("data"), "old");
  const MemberConfig side = side_of(config_);
  for (int n = 1;; ++n) {
    ASSERT_TRUE(discard_side_dir(config_));
    const bool survived = survives(n, [&] {
      return make_data_dir(side,
                           [&]() -> Status {
                             put(side.data_dir(), "ha");
                             step();
                             put(side.data_dir(), "whole");
                             return {};
                           })
          .has_value();
    });
    EXPECT_TRUE(!is_initialised(side) || held(side.data_dir()) == "whole") << "step " << n;
    EXPECT_TRUE(is_initialised(config_));  // the marker of one says nothing of the other
    if (!is_initialised(side)) {
      auto again = make_data_dir(side, [&]() -> Status {
        EXPECT_TRUE(fs::is_empty(side.data_dir()));
        put(side.data_dir(), "again");
        return {};
      });
      EXPECT_TRUE(again);
      EXPECT_EQ(held(side.data_dir()), "again");
    }
    if (survived) break;
  }
  auto refused = make_data_dir(side, [] { return Status(); });
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().id, "agent.not_empty");
}

TEST_F(DataDir, WhatWasMadeIsOnDiskBeforeItCounts) {
  for (const MemberConfig& made : {config_, side_of(config_)}) {
    int after_last_write = 0;
    const auto make = [&]() -> Status {
      put(made.data_dir(), "whole");
      after_last_write = syncs;
      steps_left = kill_at_sync ? 1 : -1;
      return {};
    };
    // Power goes while it is written to disk: what is there is nothing yet.
    kill_at_sync = true;
    EXPECT_FALSE(survives(-1, [&] { return make_data_dir(made, make).has_value(); })) << "nothing was synced";
    EXPECT_FALSE(is_initialised(made)) << made.data_name;
    kill_at_sync = false;
    ASSERT_TRUE(make_data_dir(made, make));
    EXPECT_GT(syncs, after_last_write) << made.data_name;
    EXPECT_TRUE(is_initialised(made));
  }
}

TEST_F(DataDir, AFailedMakingLeavesNothing) {
  const MemberConfig side = side_of(config_);
  auto made = make_data_dir(side, [&]() -> Status {
    put(side.data_dir(), "half");
    return fail(ErrorClass::failed, "test", "no");
  });
  EXPECT_FALSE(made);
  EXPECT_FALSE(fs::exists(side.data_dir()));
  EXPECT_FALSE(fs::exists(path("initialising.new")));
}

TEST_F(DataDir, AHalfRewoundDirectoryIsNeverStartedWhereverItGoes) {
  put(path("data"), "half");
  ASSERT_TRUE(begin_rewind(config_));
  EXPECT_EQ(check_startable(config_).error().id, "agent.half_rewound");
  put(path("data.new"), "new");
  auto aside = swap_in_side(config_);
  ASSERT_TRUE(aside);
  EXPECT_TRUE(is_initialised(config_));
  ASSERT_TRUE(put_data_back(config_, *aside));
  EXPECT_EQ(held(path("data")), "half");
  EXPECT_EQ(check_startable(config_).error().id, "agent.half_rewound");
  // One that ended well is data again.
  start_over();
  put(path("data"), "whole");
  ASSERT_TRUE(begin_rewind(config_));
  ASSERT_TRUE(end_rewind(config_));
  EXPECT_TRUE(is_initialised(config_));
}

/// The unit of an existing server starts it at boot, whatever its agent knows: it asks for the mark.
class UnitOfDataDir : public DataDir {
 protected:
  UnitOfDataDir() {
    config_.existing.emplace().data_dir = path("data");
    config_.existing->unit = "mariadb.service";
  }
  bool may_start() const { return !fs::exists(incomplete_mark(config_)); }
};

TEST_F(UnitOfDataDir, IsKeptFromASwapThatIsKilledAtEveryStep) {
  int kept = 0;
  for (int n = 1;; ++n) {
    start_over();
    put(path("data"), "old");
    put(path("data.new"), "new");
    const bool survived = survives(n, [&] { return swap_in_side(config_).has_value(); });
    EXPECT_TRUE(!may_start() || fs::exists(path("data"))) << "step " << n << ": it would make an empty server";
    kept += !may_start();
    ASSERT_TRUE(review_mark(config_));
    ASSERT_TRUE(finish_swap(config_));
    EXPECT_TRUE(may_start()) << "step " << n;
    EXPECT_TRUE(fs::exists(path("data")));
    if (survived) break;
  }
  EXPECT_GE(kept, 3);
}

TEST_F(UnitOfDataDir, IsKeptFromWhatARestoreHasNotFinished) {
  for (int n = 1;; ++n) {
    start_over();
    put(path("data"), "old");
    const bool survived = survives(n, [&] { return set_data_aside(config_).has_value(); });
    EXPECT_TRUE(!may_start() || fs::exists(path("data"))) << "step " << n;
    ASSERT_TRUE(review_mark(config_));
    EXPECT_EQ(may_start(), fs::exists(path("data"))) << "step " << n;
    if (survived) break;
  }
  const std::string aside = with_prefix("data.replaced-").at(0);
  // Made, and still without what the backup has: only who asks for the server's start knows when that is in it.
  ASSERT_TRUE(make_data_dir(config_, [&]() -> Status {
    put(path("data"), "half restored");
    return {};
  }));
  ASSERT_TRUE(review_mark(config_));
  EXPECT_FALSE(may_start());
  // That the old data is given up says nothing of the new one.
  put(path("data.replaced-other"), "other");
  ASSERT_TRUE(drop_data_aside(config_, path("data.replaced-other")));
  EXPECT_FALSE(may_start());
  for (int n = 1;; ++n) {
    fs::remove(path("swap.json"));
    fs::remove_all(path("data"));
    for (const auto& one : with_prefix("data.replaced-")) fs::remove_all(one);
    put(aside, "old");
    put(path("data"), "half restored");
    std::ofstream(incomplete_mark(config_)) << "{\"wholeData\": \"" + aside + "\"}";
    const bool survived = survives(n, [&] { return put_data_back(config_, aside).has_value(); });
    EXPECT_TRUE(!may_start() || held(path("data")) == "old") << "step " << n;
    ASSERT_TRUE(review_mark(config_));
    EXPECT_EQ(may_start(), held(path("data")) == "old") << "step " << n;
    if (survived) break;
  }
  // The old data dropped instead: the mark stays until the start.
  start_over();
  put(path("data"), "old");
  const std::string old = *set_data_aside(config_);
  put(path("data"), "half restored");
  ASSERT_TRUE(drop_data_aside(config_, old));
  ASSERT_TRUE(review_mark(config_));
  EXPECT_FALSE(may_start());
  ASSERT_TRUE(let_unit_start(config_));
  EXPECT_TRUE(may_start());
}

/// Binary and relay logs that lie elsewhere, beside those of another server.
class LogsOfDataDir : public DataDir {
 protected:
  LogsOfDataDir() {
    config_.engine = cluster::Engine::mysql;
    config_.existing.emplace().data_dir = path("data");
    config_.existing->binlog_base = path("logs/bin");
    config_.existing->relay_base = path("relay/relay");
  }
  void write(const std::string& name, const std::string& text) const {
    fs::create_directories(fs::path(path(name.c_str())).parent_path());
    std::ofstream(path(name.c_str())) << text;
  }
  void write_logs(const std::string& data) const {
    for (const char* name : {"logs/bin.000007", "logs/bin.index", "relay/relay.000002", "relay/relay.index"})
      write(name, "of " + data);
    write("logs/bin-second.index", "another's");
  }
  /// "of old of old of old of old": what is at these places now.
  std::string logs(const std::string& suffix = "") const {
    const auto text = [&](const std::string& base, const std::string& name) {
      const std::string folder = suffix.empty() ? fs::path(base).parent_path().string() : base + suffix;
      const auto bytes = sys::read_file(folder + "/" + name);
      return bytes ? std::string(as_text(bytes->span())) : "none";
    };
    std::set<std::string> all;
    for (const char* name : {"bin.000007", "bin.index"}) all.insert(text(config_.existing->binlog_base, name));
    for (const char* name : {"relay.000002", "relay.index"}) all.insert(text(config_.existing->relay_base, name));
    return fmt::format("{}", fmt::join(all, ", "));
  }
  std::string suffix(const std::string& aside) const { return aside.substr(path("data").size()); }
  size_t files_elsewhere() const {
    size_t n = 0;
    for (const char* folder : {"logs", "relay"})
      for (const auto& entry : fs::recursive_directory_iterator(path(folder))) n += entry.is_regular_file();
    return n;
  }
  void old_and_copy() const {
    start_over();
    put(path("data"), "old");
    write_logs("old");
    put(path("data.new"), "new");
    for (const char* name : {"data.new/bin.000001", "data.new/bin.index", "data.new/relay.index"})
      write(name, "of the copy");
  }
};

TEST_F(LogsOfDataDir, GoWithItAndComeBackWithItWhereverItIsKilled) {
  int swapped = 0, came_back = 0;
  for (int n = 1;; ++n) {
    old_and_copy();
    const bool survived = survives(n, [&] { return swap_in_side(config_).has_value(); });
    ASSERT_TRUE(finish_swap(config_)) << n;
    ASSERT_TRUE(finish_swap(config_)) << n;
    EXPECT_EQ(files_elsewhere(), 5u) << n;
    if (held(path("data")) == "old") {
      EXPECT_EQ(logs(), "of old") << n;
      EXPECT_TRUE(fs::exists(path("data.new/bin.index"))) << n;
    } else {
      ++swapped;
      EXPECT_EQ(held(path("data")), "new") << n;
      EXPECT_EQ(logs(suffix(with_prefix("data.replaced-").at(0))), "of old") << n;
      EXPECT_EQ(logs(), "none") << n;
      EXPECT_FALSE(after_leaving_logs(config_).empty()) << n << ": its tables name relay logs that are not here";
      for (const char* name : {"data/bin.000001", "data/bin.index", "data/relay.index"})
        EXPECT_FALSE(fs::exists(path(name))) << n;
    }
    if (survived) break;
  }
  EXPECT_GE(swapped, 8);
  for (int n = 1;; ++n) {
    old_and_copy();
    const std::string aside = *swap_in_side(config_);
    write_logs("new");  // its server has begun them
    const bool survived = survives(n, [&] { return put_data_back(config_, aside).has_value(); });
    ASSERT_TRUE(finish_swap(config_)) << n;
    EXPECT_EQ(files_elsewhere(), 9u) << n;
    if (held(path("data")) == "new") {
      EXPECT_EQ(logs(), "of new") << n;
      EXPECT_EQ(logs(suffix(aside)), "of old") << n;
    } else {
      ++came_back;
      EXPECT_EQ(logs(), "of old") << n;
      EXPECT_TRUE(after_leaving_logs(config_).empty()) << n;
      EXPECT_EQ(logs(suffix(with_prefix("data.replaced-").at(0))), "of new") << n;
    }
    if (survived) break;
  }
  EXPECT_GE(came_back, 8);
}

TEST_F(LogsOfDataDir, GoForGoodWithItWhereverItIsKilled) {
  for (int n = 1;; ++n) {
    old_and_copy();
    const std::string aside = *swap_in_side(config_);
    write_logs("new");
    const bool survived = survives(n, [&] { return drop_data_aside(config_, aside).has_value(); });
    EXPECT_TRUE(!fs::exists(aside) || logs(suffix(aside)) == "of old") << n << ": a directory without its logs";
    (void)drop_data_aside(config_, aside);  // refused where all has gone
    EXPECT_EQ(logs(), "of new") << n;
    EXPECT_EQ(files_elsewhere(), 5u) << n;
    EXPECT_TRUE(dropping_dirs(config_).empty()) << n;
    if (survived) break;
  }
}

TEST_F(LogsOfDataDir, OfNoOtherNameGoForGood) {
  old_and_copy();
  fs::create_directories(path("data.dropping-1"));  // with which the directory itself may be gone already
  fs::create_directories(path("logs/bin.replaced-x"));
  (void)drop_data_aside(config_, path("data.replaced-x/../../relay"));
  EXPECT_EQ(logs(), "of old");
}

TEST_F(LogsOfDataDir, GoBeforeARestoreAndComeBackWhenItFailsWhereverItIsKilled) {
  int gone = 0;
  for (int n = 1;; ++n) {
    start_over();
    put(path("data"), "old");
    write_logs("old");
    const bool survived = survives(n, [&] { return set_data_aside(config_).has_value(); });
    ASSERT_TRUE(finish_swap(config_)) << n;
    EXPECT_EQ(files_elsewhere(), 5u) << n;
    if (held(path("data")) == "old") {
      EXPECT_EQ(logs(), "of old") << n;
      continue;
    }
    ++gone;
    const std::string aside = with_prefix("data.replaced-").at(0);
    EXPECT_EQ(held(aside), "old") << n;
    EXPECT_EQ(logs(suffix(aside)), "of old") << n;
    EXPECT_EQ(logs(), "none") << n;
    EXPECT_FALSE(make_data_dir(config_, [&]() -> Status {
      put(path("data"), "half");
      write_logs("half");
      return fail(ErrorClass::failed, "test", "no");
    }));
    EXPECT_EQ(logs(), "none") << n << ": what was half made has left its logs";
    ASSERT_TRUE(put_data_back(config_, aside)) << n;
    EXPECT_EQ(held(path("data")), "old") << n;
    EXPECT_EQ(logs(), "of old") << n;
    if (survived) break;
  }
  EXPECT_GE(gone, 5);
}

TEST_F(LogsOfDataDir, OfDataThatIsGoneAreKeptWhenARestoreBegins) {
  start_over();
  write_logs("old");
  ASSERT_TRUE(make_data_dir(config_, [&]() -> Status {
    put(path("data"), "new");
    return {};
  }));
  EXPECT_EQ(logs(), "none");
  EXPECT_EQ(files_elsewhere(), 5u);
}

TEST_F(LogsOfDataDir, OverwriteNothing) {
  old_and_copy();
  const std::string aside = *swap_in_side(config_);
  write("logs/bin.000007", "of nobody known");
  write("swap.json",
        fmt::format(R"({{"from": "{}", "aside": "{}.replaced-1", "logs": ".replaced-1", "logsGone": true}})", aside,
                    path("data")));
  const auto refused = finish_swap(config_);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().id, "agent.log_files");
  EXPECT_EQ(std::string(as_text(sys::read_file(path("logs/bin.000007"))->span())), "of nobody known");
  fs::remove(path("logs/bin.000007"));
  ASSERT_TRUE(finish_swap(config_));
  EXPECT_EQ(logs(), "of old");
}

TEST_F(LogsOfDataDir, OfNamedConnectionsStopItBeforeItBegins) {
  old_and_copy();
  write("relay/relay-reports.index", "");
  auto refused = swap_in_side(config_);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().id, "agent.data_elsewhere");
  EXPECT_EQ(held(path("data")) + logs(), "oldof old");
  fs::remove_all(path("data.new"));
  auto made = make_data_dir(side_of(config_), [] { return Status(); });
  ASSERT_FALSE(made);
  EXPECT_EQ(made.error().id, "agent.data_elsewhere");
}

TEST_F(LogsOfDataDir, AreKeptWhereTheDataIsGone) {
  old_and_copy();
  fs::remove_all(path("data"));
  ASSERT_EQ(*swap_in_side(config_), "");
  EXPECT_EQ(held(path("data")), "new");
  EXPECT_EQ(logs(), "none");
  EXPECT_EQ(files_elsewhere(), 5u);
}

TEST_F(UnitOfDataDir, IsKeptFromAHalfRewoundDirectory) {
  put(path("data"), "half");
  ASSERT_TRUE(begin_rewind(config_));
  EXPECT_FALSE(may_start());
  ASSERT_TRUE(end_rewind(config_));
  EXPECT_TRUE(may_start());
}

TEST_F(UnitOfDataDir, IsAllThatAsksForTheMark) {
  config_.existing->unit.clear();
  put(path("data"), "old");
  ASSERT_TRUE(set_data_aside(config_));
  EXPECT_TRUE(may_start());
}

TEST_F(DataDir, DroppingKilledAtEveryStep) {
  for (int n = 1;; ++n) {
    start_over();
    put(path("data"), "old");
    const std::string aside = *set_data_aside(config_);
    const bool survived = survives(n, [&] { return drop_data_aside(config_, aside).has_value(); });
    EXPECT_TRUE(!fs::exists(aside) || held(aside) == "old") << "step " << n;
    sweep_leftovers(config_);
    EXPECT_TRUE(with_prefix("data.dropping-").empty());
    if (survived) {
      EXPECT_TRUE(fs::is_empty(config_.dir));
      break;
    }
  }
}

TEST_F(DataDir, WorkDirsOfACopyAreRemovedAndTheServersOwnStay) {
  start_over();
  for (const char* dir : {"/etc", "/tmp", "/etc.prepare", "/tmp.prepare", "/etc.helper", "/tmp.copy"}) {
    fs::create_directories(config_.dir + dir);
    std::ofstream(config_.dir + dir + "/file") << "x";
  }
  remove_work_dirs(config_);
  for (const char* dir : {"/etc/file", "/tmp/file"}) EXPECT_TRUE(fs::exists(config_.dir + dir)) << dir;
  for (const char* dir : {"/etc.prepare", "/tmp.prepare", "/etc.helper", "/tmp.copy"})
    EXPECT_FALSE(fs::exists(config_.dir + dir)) << dir;
}

TEST_F(DataDir, OnlyWhatWasSetAsideHereIsDropped) {
  put(path("data"), "live");
  put(dir_.path() + "/other", "theirs");
  fs::create_directory_symlink(dir_.path() + "/other", path("data.replaced-link"));
  for (const std::string& bad : {path("data"), path("data.new"), path("data.replaced-x/../data"),
                                 path("data.replaced-none"), path("data.replaced-link"), dir_.path() + "/other"})
    EXPECT_FALSE(drop_data_aside(config_, bad)) << bad;
  EXPECT_EQ(held(path("data")), "live");
  EXPECT_EQ(held(dir_.path() + "/other"), "theirs");
}

/// An immutable file keeps even root from it: the directory has lost its name by then, and that is not all.
TEST_F(DataDir, ARemovalThatDidNotEndIsTriedAgain) {
  const std::string old = path("data.replaced-20261122T100000Z");
  put(old, "old");
  std::ofstream(old + "/immutable") << "x";
  immutable_stays = true;
  for (int attempt = 0; attempt < 2; ++attempt) {
    const auto dropped = drop_data_aside(config_, old);
    ASSERT_FALSE(dropped);
    EXPECT_NE(dropped.error().message.find("data.dropping-"), std::string::npos) << dropped.error().message;
    EXPECT_FALSE(dropped.error().hint.empty());
    EXPECT_FALSE(fs::exists(old));
    EXPECT_EQ(dropping_dirs(config_).size(), 1u);
  }
  immutable_stays = false;
  EXPECT_TRUE(drop_data_aside(config_, old));
  EXPECT_TRUE(dropping_dirs(config_).empty());
}

}  // namespace
}  // namespace holdfast::agent

// Failures around a backup: each ends with its documented code and a hint, no snapshot becomes visible, nothing is
// lost.
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>

#include "tests/damage/damage.h"
#include "tests/interop/json.h"
#include "tests/support/require.h"

namespace holdfast::test {
namespace {

class Failures : public Damage {
 protected:
  size_t visible() { return snapshots_of(holdfast({"get", "snapshots", "-o", "json"}).out).size(); }
  Outcome backup_of(Args producer) {
    auto command = box.holdfast({"backup", "--path", "/p", "-r", repo, "--"});
    command.argv.insert(command.argv.end(), producer.begin(), producer.end());
    command.timeout = std::chrono::seconds(30);
    return run(command);
  }
  void expect_nothing_visible(const Outcome& outcome, const std::string& what) {
    expect_documented_failure(outcome, what);
    EXPECT_EQ(visible(), streams.size()) << what << " left a snapshot";
  }
};

TEST_F(Failures, a_producer_that_works) {
  const auto outcome = backup_of({"printf", "the output"});
  EXPECT_TRUE(outcome.ok()) << outcome.describe();
  EXPECT_EQ(holdfast({"dump", "latest", "/p"}).out, "the output");
  expect_whole();
}

TEST_F(Failures, a_producer_that_fails_or_dies_leaves_no_snapshot) {
  expect_nothing_visible(backup_of({"sh", "-c", "echo part; exit 3"}), "exit 3");
  expect_nothing_visible(backup_of({"sh", "-c", "exit 1"}), "exit 1 without output");
  expect_nothing_visible(backup_of({"sh", "-c", "yes | head -c 30000000; kill -KILL $$"}), "killed after 30 MB");
  expect_nothing_visible(backup_of({"sh", "-c", "echo part; kill -SEGV $$"}), "crashed");
  expect_nothing_visible(backup_of({"/no/such/program"}), "no such program");
  expect_nothing_visible(backup_of({repo}), "a directory as program");
  expect_whole();
}

TEST_F(Failures, a_producer_that_closes_its_output_and_then_fails) {
  expect_nothing_visible(backup_of({"sh", "-c", "echo all; exec >&-; sleep 0.3; exit 5"}),
                         "failed after its output ended");
}

TEST_F(Failures, a_producer_whose_child_keeps_the_pipe_open_does_not_hang_forever) {
  // The shell fails at once; its background child would hold the pipe for a minute.
  const auto outcome = backup_of({"sh", "-c", "sleep 20 & exit 4"});
  expect_nothing_visible(outcome, "failed with a child behind");
}

TEST_F(Failures, a_wrong_password_changes_nothing) {
  const auto before = files();
  box.env()["RESTIC_PASSWORD"] = "not it";
  auto backup = box.holdfast({"backup", "--stdin", "--path", "/p", "-r", repo});
  backup.stdin_text = "data";
  expect_documented_failure(run(backup), "backup");
  expect_documented_failure(attempt({"prune", "--keep-last", "1"}), "prune");
  expect_documented_failure(attempt({"check"}), "check");
  EXPECT_EQ(files(), before);
}

TEST_F(Failures, no_password_at_all_is_a_usage_error_without_a_terminal) {
  box.env().erase("RESTIC_PASSWORD");
  const auto outcome = attempt({"get", "snapshots"});
  expect_documented_failure(outcome, "no password");
}

TEST_F(Failures, init_over_an_existing_repository_is_refused) {
  const auto before = files();
  const auto outcome = attempt({"repo", "init"});
  EXPECT_EQ(outcome.code, 3) << outcome.describe();
  EXPECT_EQ(files(), before);
  // Also when only the keys are left of it.
  std::filesystem::rename(repo + "/config", path("config"));
  EXPECT_EQ(attempt({"repo", "init"}).code, 3);
  std::filesystem::rename(path("config"), repo + "/config");
  expect_whole();
}

TEST_F(Failures, restore_onto_what_is_in_the_way_fails_and_says_so) {
  ASSERT_TRUE(sys::publish_file(path("file"), as_bytes("x"), 0600));
  expect_documented_failure(attempt({"restore", "--snapshot", "latest", "--into", path("file")}),
                            "a file where the directory should be");
}

TEST_F(Failures, a_tree_with_a_vanished_path_is_no_silent_success) {
  expect_nothing_visible(attempt({"backup", "--tree", path("not-there")}), "missing directory");
}

TEST_F(Failures, a_backup_whose_lock_is_removed_meanwhile_is_a_conflict_and_leaves_no_snapshot) {
  const auto holdfast = holdfast_program();
  // The producer starts while the repository is still being opened.
  // The password is not in a producer's environment.
  const auto unlock =
      "echo part; until ls " + repo + "/locks/* > /dev/null 2>&1; do sleep 0.01; done; RESTIC_PASSWORD='" +
      box.env()["RESTIC_PASSWORD"] + "' " + holdfast + " repo unlock --remove-all -r " + repo + " >&2 && echo rest";
  auto command = box.holdfast({"backup", "--path", "/p", "-r", repo, "--", "sh", "-c", unlock});
  const auto outcome = run(command);
  EXPECT_EQ(outcome.code, 7) << outcome.describe();
  expect_nothing_visible(outcome, "lock removed");
  EXPECT_NE(outcome.err.find("was removed"), std::string::npos) << outcome.describe();
  expect_whole();
}

// A large file that is cut in half as soon as the first pack of its backup is there, which is then far from its end:
// uploads are limited.
class Shrinking : public Failures {
 protected:
  void SetUp() override {
    Failures::SetUp();
    if (HasFatalFailure() || IsSkipped()) return;
    std::filesystem::create_directory(path("tree"));
    ASSERT_TRUE(sys::publish_file(path("tree/other"), as_bytes("stays"), 0600));
    ASSERT_TRUE(sys::publish_file(file_, as_bytes(some_dump(kSize, 400)), 0600));
  }
  Outcome run_and_shrink(Args args) {
    const size_t before = files("data").size();
    auto command = box.holdfast(std::move(args));
    command.argv.insert(command.argv.end(),
                        {"--compression", "off", "--pack-size", "4", "--limit-upload", "24576", "-r", repo});
    if (command.argv[2] == "--stdin") command.stdin_file = file_;
    Running running(command);
    const auto until = std::chrono::steady_clock::now() + std::chrono::seconds(30);
    while (files("data").size() == before && !running.ended() && std::chrono::steady_clock::now() < until)
      ::usleep(500);
    EXPECT_FALSE(running.ended()) << "the backup was over before the file could be cut";
    std::filesystem::resize_file(file_, kSize / 2);
    return running.wait();
  }
  static constexpr size_t kSize = 80'000'000;
  const std::string file_ = path("tree/large");
};

TEST_F(Shrinking, a_stream_from_a_file_that_is_truncated_fails_and_leaves_no_snapshot) {
  const auto outcome = run_and_shrink({"backup", "--stdin", "--path", "/large"});
  expect_nothing_visible(outcome, "truncated input");
  EXPECT_EQ(outcome.code, 8) << outcome.describe();
  EXPECT_NE(outcome.err.find("became shorter"), std::string::npos) << outcome.describe();
  expect_whole();
}

TEST_F(Shrinking, a_tree_lacks_the_file_that_is_truncated_and_says_so) {
  const auto outcome = run_and_shrink({"backup", "--tree", path("tree")});
  EXPECT_EQ(outcome.code, 5) << outcome.describe();
  expect_documented_failure(outcome, "truncated file");
  EXPECT_NE(outcome.err.find(file_), std::string::npos) << outcome.describe();
  EXPECT_EQ(visible(), streams.size() + 1);
  EXPECT_EQ(holdfast({"dump", "latest", path("tree/other")}).out, "stays");
  EXPECT_NE(attempt({"dump", "latest", file_}).code, 0);
  expect_whole();
  const auto again = attempt({"backup", "--tree", path("tree")});
  EXPECT_TRUE(again.ok()) << again.describe();
  EXPECT_EQ(holdfast({"dump", "latest", file_}).out.size(), kSize / 2);
}

class DiskFull : public Failures {
 protected:
  void SetUp() override {
    HOLDFAST_NEED("root", ::geteuid() == 0, "a small file system has to be mounted");
    // In a mount namespace of this process: whatever happens, the mount goes with it.
    const bool own_mounts =
        ::unshare(CLONE_NEWNS) == 0 &&
        // EINVAL: under chroot "/" is no mount point; the mount is taken back at the end in any case.
        (::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0 || errno == EINVAL);
    HOLDFAST_NEED("mount namespace", own_mounts, std::strerror(errno));
    Failures::SetUp();
  }
  void TearDown() override {
    if (!mounted_.empty()) ::umount2(mounted_.c_str(), MNT_DETACH);
  }
  void small_disk(const std::string& directory, const char* options) {
    std::filesystem::create_directories(directory);
    ASSERT_EQ(::mount("small", directory.c_str(), "tmpfs", mounted_ == directory ? MS_REMOUNT : 0, options), 0)
        << std::strerror(errno);
    mounted_ = directory;
  }
  std::string mounted_;
};

TEST_F(DiskFull, a_backup_fails_cleanly_and_goes_on_when_there_is_room) {
  const auto kept = path("kept");
  std::filesystem::rename(repo, kept);
  small_disk(repo, "size=12m");
  std::filesystem::copy(kept, repo, std::filesystem::copy_options::recursive);
  const auto content = some_dump(60'000'000, 300);
  auto command = box.holdfast({"backup", "--stdin", "--path", "/large", "-r", repo});
  command.stdin_text = content;
  const auto outcome = run(command);
  expect_nothing_visible(outcome, "disk full");
  EXPECT_NE(outcome.err.find("space"), std::string::npos) << outcome.describe();
  EXPECT_TRUE(files("locks").empty());
  holdfast({"check", "--read-data"});
  expect_streams();
  small_disk(repo, "size=100m");
  EXPECT_TRUE(run(command).ok());
  EXPECT_TRUE(holdfast({"dump", "latest", "/large"}).out == content);
  holdfast({"prune"});
  expect_whole();
}

TEST_F(DiskFull, a_restore_fails_cleanly) {
  holdfast_stream(some_dump(30'000'000, 301), "/large");
  small_disk(path("target"), "size=8m");
  const auto outcome = attempt({"restore", "--snapshot", "latest", "--into", path("target")});
  expect_documented_failure(outcome, "restore to a full disk");
}

TEST_F(DiskFull, a_dump_into_a_closed_pipe_or_full_disk_is_a_failure) {
  holdfast_stream(some_dump(30'000'000, 302), "/large");
  small_disk(path("target"), "size=8m");
  auto command = box.holdfast({"dump", "latest", "/large", "-r", repo});
  command.out = Command::Out::file;
  command.stdout_file = path("target/dumped");
  expect_documented_failure(run(command), "dump to a full disk");
}

}  // namespace
}  // namespace holdfast::test

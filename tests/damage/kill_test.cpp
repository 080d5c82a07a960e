// SIGKILL at any moment of a backup and of a prune: the repository stays clean, older snapshots restore, the next run
// goes on.
#include <fcntl.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <filesystem>
#include <random>

#include "base/deadline.h"
#include "tests/damage/damage.h"
#include "tests/interop/json.h"

namespace holdfast::test {
namespace {

constexpr unsigned kRounds = 6;

class Kill : public Damage {
 protected:
  /// Runs `command` once to its end to learn how long it takes.
  static double duration(Command command) {
    const auto outcome = run(std::move(command));
    EXPECT_TRUE(outcome.ok()) << outcome.describe();
    return outcome.wall_seconds;
  }
  /// Starts it and kills it after `seconds`; true if it was still running then.
  static bool killed_after(Command command, double seconds) {
    Running running(std::move(command));
    ::usleep(static_cast<useconds_t>(seconds * 1e6));  // the moment itself is what is tested, whatever it hits
    running.signal(SIGKILL);
    return running.wait().code == 128 + SIGKILL;
  }
  Command with_repo(Args args) {
    auto command = box.holdfast(std::move(args));
    command.argv.insert(command.argv.end(), {"-r", repo});
    return command;
  }
  std::mt19937_64 random{20261121};
};

TEST_F(Kill, a_backup_of_a_stream_killed_at_random_moments) {
  const auto input = path("input");
  ASSERT_TRUE(sys::publish_file(input, as_bytes(some_dump(40'000'000, 100)), 0600));
  auto command = with_repo({"backup", "--stdin", "--path", "/killed"});
  command.stdin_file = input;
  const auto original = path("original");
  std::filesystem::copy(repo, original, std::filesystem::copy_options::recursive);
  const double whole = duration(command);
  unsigned killed = 0;
  for (unsigned i = 0; i < kRounds; ++i) {
    std::filesystem::remove_all(repo);
    std::filesystem::copy(original, repo, std::filesystem::copy_options::recursive);
    killed += killed_after(command, whole * static_cast<double>(random() % 1000) / 1000);
    SCOPED_TRACE("kill number " + std::to_string(i));
    holdfast({"repo", "unlock"});
    holdfast({"check", "--read-data"});
    expect_streams();
    const auto snapshots = snapshots_of(holdfast({"get", "snapshots", "-o", "json"}).out);
    for (const auto& snapshot : snapshots) {  // either not visible at all, or whole
      if (snapshot["paths"][0] != "/killed") continue;
      EXPECT_EQ(holdfast({"dump", "latest", "/killed"}).out.size(), 40'000'000u);
    }
    EXPECT_TRUE(run(command).ok()) << "the next run";
    EXPECT_TRUE(holdfast({"dump", "latest", "/killed"}).out == some_dump(40'000'000, 100));
    if (HasFailure()) return;
  }
  EXPECT_GE(killed, kRounds / 3) << "most kills should hit a running backup";
  restic({"unlock", "--remove-all"});
  expect_whole();
}

TEST_F(Kill, a_prune_killed_at_random_moments) {
  for (unsigned i = 0; i < 6; ++i) {
    // Neighbours share half of their content, so pruning has to repack.
    holdfast_stream(some_dump(6'000'000, 200 + i) + some_dump(6'000'000, 199 + i), "/pruned");
  }
  streams["/pruned"] = some_dump(6'000'000, 205) + some_dump(6'000'000, 204);
  const auto original = path("original");
  std::filesystem::copy(repo, original, std::filesystem::copy_options::recursive);
  const auto command = with_repo({"prune", "--keep-last", "1", "--max-unused", "0"});
  const double whole = duration(command);
  expect_whole();
  for (unsigned i = 0; i < kRounds; ++i) {
    std::filesystem::remove_all(repo);
    std::filesystem::copy(original, repo, std::filesystem::copy_options::recursive);
    SCOPED_TRACE("kill number " + std::to_string(i));
    killed_after(command, whole * static_cast<double>(random() % 1000) / 1000);
    holdfast({"repo", "unlock"});
    holdfast({"check", "--read-data"});
    expect_streams();
    const auto outcome = run(command);
    EXPECT_TRUE(outcome.ok()) << "the next prune: " << outcome.describe();
    holdfast({"check", "--read-data"});
    expect_streams();
    if (HasFailure()) return;
  }
  restic({"unlock", "--remove-all"});
  expect_whole();
}

TEST_F(Kill, a_stopped_backup_answers_a_signal_and_leaves_nothing) {
  int ends[2];
  ASSERT_EQ(::pipe2(ends, O_CLOEXEC), 0);
  const sys::Fd read_end(ends[0]), write_end(ends[1]);
  for (const int signal : {SIGINT, SIGTERM}) {
    for (const auto& lock : files("locks")) std::filesystem::remove(repo + "/" + lock);
    auto command = with_repo({"backup", "--stdin", "--path", "/endless"});
    command.timeout = std::chrono::seconds(25);
    command.stdin_fd = read_end.get();
    Running running(std::move(command));
    const auto deadline = Deadline::in(std::chrono::seconds(20));
    while (files("locks").empty() && !running.ended() && !deadline.passed()) ::usleep(5'000);
    ASSERT_FALSE(files("locks").empty());
    running.signal(signal);
    const auto outcome = running.wait();
    EXPECT_EQ(outcome.code, 130) << outcome.describe();
    EXPECT_LT(outcome.wall_seconds, 15);
    EXPECT_TRUE(files("locks").empty()) << "its lock stayed behind";
    EXPECT_EQ(snapshots_of(holdfast({"get", "snapshots", "-o", "json"}).out).size(), streams.size());
  }
}

}  // namespace
}  // namespace holdfast::test

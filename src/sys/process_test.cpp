#include "sys/process.h"
#include "sys/any_process.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <thread>

#include "sys/environment.h"
#include "tests/support/require.h"

namespace holdfast::sys {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

Command command(std::vector<std::string> argv) {
  Command c;
  c.argv = std::move(argv);
  return c;
}

TEST(Process, OutputErrorAndExitCodeComeBack) {
  auto result = run(command({"/bin/sh", "-c", "cat; echo oops >&2; exit 3"}), Deadline::in(seconds(10)), {}, "hello");
  ASSERT_TRUE(result) << result.error().to_string();
  EXPECT_EQ(result->out, "hello");
  EXPECT_EQ(result->err, "oops\n");
  EXPECT_EQ(result->status.code, 3);
  EXPECT_FALSE(result->status.ok());
}

TEST(Process, LargeInputAndOutputDoNotDeadlock) {
  std::string big(3 << 20, 'x');
  auto result = run(command({"/bin/cat"}), Deadline::in(seconds(20)), {}, big, 4 << 20);
  ASSERT_TRUE(result) << result.error().to_string();
  EXPECT_EQ(result->out, big);
}

TEST(Process, ChildThatClosesItsInputEarlyIsNoError) {
  std::string big(3 << 20, 'x');
  auto result = run(command({"/bin/true"}), Deadline::in(seconds(20)), {}, big);
  ASSERT_TRUE(result) << result.error().to_string();
  EXPECT_TRUE(result->status.ok());
}

TEST(Process, MissingProgramIsAnErrorOfSpawn) {
  auto process = spawn(command({"no-such-program-here"}));
  ASSERT_FALSE(process);
  EXPECT_EQ(process.error().id, "sys.no_program");
  TempDir dir = *TempDir::create("process");
  std::string bad = dir.path() + "/garbage";
  ASSERT_TRUE(publish_file(bad, as_bytes("\x01\x02"), 0755));
  process = spawn(command({bad}));
  ASSERT_FALSE(process);
  EXPECT_EQ(process.error().id, "sys.no_program");
}

TEST(Process, WaitHonoursDeadlineAndStop) {
  auto process = spawn(command({"/bin/sleep", "60"}));
  ASSERT_TRUE(process);
  auto late = process->wait(Deadline::in(milliseconds(30)));
  ASSERT_FALSE(late);
  EXPECT_EQ(late.error().id, "sys.timeout");
  std::stop_source source;
  std::jthread stopper([&] { source.request_stop(); });
  auto stopped = process->wait(Deadline::in(seconds(20)), source.get_token());
  ASSERT_FALSE(stopped);
  EXPECT_EQ(stopped.error().id, "sys.interrupted");
  auto end = process->stop(seconds(10));
  ASSERT_TRUE(end);
  EXPECT_EQ(end->signal, SIGTERM);
  EXPECT_EQ(process->wait()->signal, SIGTERM) << "the status stays";
}

TEST(Process, DestructionKillsTheChild) {
  pid_t pid;
  {
    auto process = spawn(command({"/bin/sleep", "60"}));
    ASSERT_TRUE(process);
    pid = process->pid();
    EXPECT_TRUE(process_start_time(pid));
  }
  EXPECT_FALSE(process_start_time(pid));
}

TEST(Process, OneThatIsKilledIsDyingUntilItIsReaped) {
  auto process = spawn(command({"/bin/sleep", "60"}));
  ASSERT_TRUE(process);
  const pid_t pid = process->pid();
  EXPECT_FALSE(is_dying(pid));
  ASSERT_TRUE(process->signal(SIGSTOP));
  EXPECT_FALSE(is_dying(pid)) << "frozen is not dying";
  for (int i = 0; i < 200; ++i) {
    ASSERT_TRUE(process->signal(i % 2 ? SIGCONT : SIGSTOP));
    EXPECT_FALSE(is_dying(pid));
  }
  ASSERT_TRUE(process->signal(SIGKILL));
  // At once, and at every moment from then on.
  for (int i = 0; i < 1000; ++i) ASSERT_TRUE(is_dying(pid)) << i;
  EXPECT_EQ(process->wait()->signal, SIGKILL);
  EXPECT_FALSE(is_dying(pid)) << "there is none any more";
}

TEST(Process, RunKillsTheWholeGroupWhenTimeIsUp) {
  Command c = command({"/bin/sh", "-c", "sleep 61 & echo $!; wait"});
  c.new_session = true;
  TempDir dir = *TempDir::create("process");
  c.argv[2] = "sleep 61 & echo $! > " + dir.path() + "/pid; wait";
  auto started = Deadline::in(milliseconds(500));
  auto result = run(c, started);
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().id, "sys.timeout");
  auto text = read_file(dir.path() + "/pid");
  ASSERT_TRUE(text);
  pid_t grandchild = std::stoi(std::string(as_text(text->span())));
  auto gone = wait_until([&] { return !process_start_time(grandchild); }, Deadline::in(seconds(5)));
  EXPECT_TRUE(*gone);
}

TEST(Process, NoDescriptorLeaksAndPassedOnesArrive) {
  auto extra = open_file("/dev/null", O_RDONLY);
  int leaky = ::open("/dev/null", O_RDONLY);  // without O_CLOEXEC on purpose
  int pipe_ends[2];
  ASSERT_EQ(::pipe(pipe_ends), 0);
  Command c = command({"/bin/sh", "-c", "ls /proc/self/fd; echo -n via5 >&5"});
  c.pass = {{pipe_ends[1], 5}};
  auto result = run(c, Deadline::in(seconds(10)));
  ASSERT_TRUE(result) << result.error().to_string();
  EXPECT_EQ(result->out, "0\n1\n2\n3\n5\n") << "3 is the directory ls reads";
  char text[5] = {};
  EXPECT_EQ(::read(pipe_ends[0], text, 4), 4);
  EXPECT_STREQ(text, "via5");
  ::close(leaky);
  ::close(pipe_ends[0]);
  ::close(pipe_ends[1]);
}

TEST(Process, EnvironmentAndDirectory) {
  Command c = command({"/bin/sh", "-c", "echo $A; echo ${HOME-none}; pwd"});
  c.env = {{"A", "with = and space"}};
  c.clear_env = true;
  c.cwd = "/usr";
  auto result = run(c, Deadline::in(seconds(10)));
  ASSERT_TRUE(result);
  EXPECT_EQ(result->out, "with = and space\nnone\n/usr\n");
}

TEST(Process, WhatClientsObeyIsNotInherited) {
  ::setenv("PGSERVICE", "theirs", 1);
  ::setenv("LD_LIBRARY_PATH", "/theirs", 1);
  ::setenv("SOME_PASSWORD", "theirs", 1);
  take_client_variables();
  EXPECT_EQ(::getenv("PGSERVICE"), nullptr);
  EXPECT_EQ(variable("PGSERVICE"), "theirs");
  EXPECT_EQ(variable("SOME_PASSWORD"), "theirs");
  EXPECT_EQ(variable("PGNOTHING"), std::nullopt);
  Command c = command({"/bin/sh", "-c", "echo ${PGSERVICE-none} ${LD_LIBRARY_PATH-none} $LC_ALL $SOME_PASSWORD"});
  EXPECT_EQ(run(c, Deadline::in(seconds(10))).value().out, "none none C.UTF-8 theirs\n");
  c.env = taken_variables();
  c.argv = {"/bin/sh", "-c", "echo $PGSERVICE"};
  EXPECT_EQ(run(c, Deadline::in(seconds(10))).value().out, "theirs\n");
  c.clear_env = true;
  c.env = own_environment();
  c.argv = {"/bin/sh", "-c", "echo ${SOME_PASSWORD-none}"};
  EXPECT_EQ(run(c, Deadline::in(seconds(10))).value().out, "none\n");
  ::unsetenv("SOME_PASSWORD");
}

TEST(Process, PrivateMemoryIsNotDumped) {
  for (const bool hidden : {false, true}) {
    const pid_t child = ::fork();
    if (child == 0) {
      (void)::prctl(PR_SET_DUMPABLE, 1);
      if (hidden) keep_memory_private();
      ::_exit(::prctl(PR_GET_DUMPABLE));
    }
    int status = 0;
    ASSERT_EQ(::waitpid(child, &status, 0), child);
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
    EXPECT_EQ(WEXITSTATUS(status), hidden ? 0 : 1);
#endif
  }
}

TEST(Process, SignalsAreResetInTheChild) {
  ::signal(SIGPIPE, SIG_IGN);
  sigset_t block, before;
  sigemptyset(&block);
  sigaddset(&block, SIGTERM);
  ::pthread_sigmask(SIG_BLOCK, &block, &before);
  auto process = spawn(command({"/bin/sleep", "60"}));
  ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
  ::signal(SIGPIPE, SIG_DFL);
  ASSERT_TRUE(process);
  ASSERT_TRUE(process->signal(SIGTERM));
  auto end = process->wait(Deadline::in(seconds(10)));
  ASSERT_TRUE(end) << "SIGTERM stayed blocked in the child";
  EXPECT_EQ(end->signal, SIGTERM);
}

TEST(Process, IdentityIsDropped) {
  HOLDFAST_NEED("root", ::geteuid() == 0, "changing the user needs root");
  Command c = command({"/bin/sh", "-c", "id -u; id -g; id -G"});
  c.identity = Identity{65534, 65533, {}};
  auto result = run(c, Deadline::in(seconds(10)));
  ASSERT_TRUE(result) << result.error().to_string();
  EXPECT_EQ(result->out, "65534\n65533\n65533\n");
  EXPECT_EQ(::geteuid(), 0u);
}

TEST(Process, ChildDiesWithItsParentButNotWithTheThread) {
  int pipe_ends[2];
  ASSERT_EQ(::pipe2(pipe_ends, O_CLOEXEC), 0);
  pid_t middle = ::fork();
  ASSERT_GE(middle, 0);
  if (middle == 0) {
    pid_t pid = -1;
    std::thread([&] {
      Command c = command({"/bin/sleep", "60"});
      c.die_with_parent = SIGKILL;
      auto process = spawn(c);
      if (process) pid = process->detach();
    }).join();
    (void)!::write(pipe_ends[1], &pid, sizeof pid);
    ::pause();
    ::_exit(0);
  }
  pid_t child = -1;
  ASSERT_EQ(::read(pipe_ends[0], &child, sizeof child), static_cast<ssize_t>(sizeof child));
  ::close(pipe_ends[0]);
  ::close(pipe_ends[1]);
  ASSERT_GT(child, 0);
  auto pidfd = open_pidfd(child);
  ASSERT_TRUE(pidfd);
  EXPECT_FALSE(*wait_fd(pidfd->get(), POLLIN, Deadline::in(milliseconds(100)))) << "the thread's end must not kill it";
  ::kill(middle, SIGKILL);
  ::waitpid(middle, nullptr, 0);
  EXPECT_TRUE(*wait_fd(pidfd->get(), POLLIN, Deadline::in(seconds(5))));
}

}  // namespace
}  // namespace holdfast::sys

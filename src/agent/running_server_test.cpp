// A server without an agent is taken for a member's own only where the kernel says that it is.
#include "agent/running_server.h"

#include <gtest/gtest.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>

#include "agent/data_dir.h"
#include "sys/any_process.h"
#include "tests/support/require.h"

namespace holdfast::agent {
namespace {

namespace fs = std::filesystem;
using cluster::Engine;
using std::chrono::seconds;

class RunningServers : public ::testing::Test {
 protected:
  RunningServers() {
    config_.member = "shop-0";
    config_.dir = dir_.path();
    config_.uid = ::geteuid();
    config_.gid = ::getegid();
    ::chmod(dir_.path().c_str(), 0755);
    fs::create_directories(config_.data_dir());
    fs::create_directories(config_.dir + "/log");
  }

  struct How {
    std::string program = "mariadbd";
    std::vector<std::string> arguments;
    std::optional<std::pair<std::string, std::string>> mark;
    std::string script = "read forever";
    uid_t uid = ::geteuid();
  };
  How marked(StartMode mode = StartMode::normal, bool side = false) const {
    How how;
    how.arguments = {"--defaults-file=" + config_.etc_dir() + "/server.cnf"};
    LaunchOptions options;
    options.mode = mode;
    options.side = side;
    how.mark = server_mark(config_, options);
    return how;
  }

  /// A shell under the name of a server's program, which waits; ready when it executes that.
  sys::Process run(const How& how) {
    const std::string program = dir_.path() + "/" + how.program;
    std::error_code error;
    if (!fs::exists(program)) fs::copy_file(fs::canonical("/bin/sh"), program, error);
    sys::Command command;
    command.argv = {program, "-c", "echo ready; " + how.script};
    command.argv.insert(command.argv.end(), how.arguments.begin(), how.arguments.end());
    if (how.mark) command.env = {*how.mark};
    command.in = command.out = sys::Stdio::pipe();
    command.cwd = config_.data_dir();
    command.new_session = true;
    if (how.uid != ::geteuid()) command.identity = sys::Identity{how.uid, how.uid, {}};
    auto process = sys::spawn(command);
    EXPECT_TRUE(process.has_value());
    if (!process) return {};
    inputs_.push_back(process->take_stdin());
    sys::Fd out = process->take_stdout();
    EXPECT_TRUE(sys::wait_fd(out.get(), POLLIN, Deadline::in(seconds(10))).value_or(false));
    return std::move(*process);
  }
  pid_t found(std::string* why = nullptr) const {
    const auto running = find_running(config_, why);
    return running ? running->pid : -1;
  }

  sys::TempDir dir_ = std::move(*sys::TempDir::create("running-server"));
  MemberConfig config_;
  std::vector<sys::Fd> inputs_;
};

TEST_F(RunningServers, OneWithTheMarkOfTheMemberIsItsOwn) {
  EXPECT_EQ(found(), -1);
  auto server = run(marked(StartMode::isolated, true));
  const auto running = find_running(config_);
  ASSERT_TRUE(running);
  EXPECT_EQ(running->pid, server.pid());
  EXPECT_EQ(running->mode, StartMode::isolated);
  EXPECT_TRUE(running->side);
  EXPECT_EQ(running->start_time, sys::process_start_time(server.pid()));
  EXPECT_EQ(running->argv.size(), 4u);
  EXPECT_EQ(running->started_at.size(), utc_now().size());
  EXPECT_LE(running->started_at, utc_now());
  ASSERT_TRUE(server.kill());
  EXPECT_EQ(found(), -1);
}

TEST_F(RunningServers, WhatIsNotProvenIsLeftAlone) {
  auto other_member = marked();
  other_member.mark->second += "-of-another";
  auto first = run(other_member);
  auto other_directory = marked();
  other_directory.arguments.push_back("--datadir=/srv/other");
  auto second = run(other_directory);
  auto unnamed = marked();
  unnamed.arguments.clear();  // as what a server forks
  auto third = run(unnamed);
  auto other_program = marked();
  other_program.program = "mariadb-backup";
  auto fourth = run(other_program);
  auto unmarked = marked();
  unmarked.mark.reset();
  auto fifth = run(unmarked);
  EXPECT_EQ(found(), -1);
  config_.engine = Engine::mysql;
  auto other_engine = run(marked());
  EXPECT_EQ(found(), -1) << "mariadbd serves no MySQL member";
}

TEST_F(RunningServers, AnotherUsersProcessIsNot) {
  HOLDFAST_NEED("root", ::geteuid() == 0, "it starts a process of another user");
  auto how = marked();
  how.uid = 65534;
  ::chmod(config_.data_dir().c_str(), 0755);
  auto server = run(how);
  EXPECT_EQ(found(), -1);
  config_.uid = 65534;
  EXPECT_EQ(found(), server.pid());
}

TEST_F(RunningServers, OfTwoNobodyKnowsWhich) {
  auto one = run(marked());
  EXPECT_EQ(found(), one.pid());
  auto two = run(marked());
  std::string why;
  EXPECT_EQ(found(&why), -1);
  EXPECT_NE(why.find(std::to_string(one.pid())), std::string::npos) << why;
  EXPECT_NE(why.find(std::to_string(two.pid())), std::string::npos) << why;
}

TEST_F(RunningServers, WhatItRunsItselfIsNotIt) {
  auto how = marked();
  how.script = "exec 3<&0; \"$SELF\" -c 'read forever' " + how.arguments[0] + " <&3 & read forever";
  ::setenv("SELF", (dir_.path() + "/" + how.program).c_str(), 1);
  auto server = run(how);
  ::unsetenv("SELF");
  EXPECT_EQ(found(), server.pid());
  EXPECT_EQ(::kill(-server.pid(), SIGKILL), 0);
  ASSERT_TRUE(server.wait(Deadline::in(seconds(10))));
}

TEST_F(RunningServers, PostgresIsTheOneThatPostmasterPidNames) {
  config_.engine = Engine::postgres;
  const std::string note = config_.data_dir() + "/postmaster.pid";
  ASSERT_TRUE(sys::publish_file(note, as_bytes(std::to_string(::getpid()) + "\n"), 0600));
  std::string why;
  EXPECT_EQ(found(&why), -1) << "a living process that is no server of this directory has its number";
  EXPECT_EQ(why, "");
  How how;
  how.program = "postgres";
  how.arguments = {"-D", config_.data_dir()};
  auto server = run(how);
  EXPECT_EQ(found(), -1) << "neither marked nor named";
  ASSERT_TRUE(sys::publish_file(note, as_bytes(std::to_string(server.pid()) + "\n"), 0600));
  const auto running = find_running(config_);
  ASSERT_TRUE(running);
  EXPECT_EQ(running->pid, server.pid());
  EXPECT_TRUE(running->env.empty()) << "the environment that another one gave it may hold secrets";
  config_.uid = 65533;
  EXPECT_EQ(found(&why), -1);
  EXPECT_NE(why.find("postmaster.pid"), std::string::npos) << "it has the directory, and is not ours: " << why;
}

TEST_F(RunningServers, AnAdoptedOneIsHeldAndItsStatusIsNotMadeUp) {
  auto how = marked();
  how.script = "/bin/sleep 60 & read forever";
  auto server = run(how);
  auto running = find_running(config_);
  ASSERT_TRUE(running);
  {
    ServerProcess left(*running);
    left.leave();
    EXPECT_FALSE(left);
  }
  {
    const ServerProcess forgotten(*running);
  }
  EXPECT_EQ(found(), server.pid()) << "letting go of it does not end it";
  ServerProcess process(*running);
  EXPECT_TRUE(process.is_adopted());
  EXPECT_FALSE(*sys::wait_fd(process.pidfd(), POLLIN, Deadline::in(seconds(0))));
  ASSERT_TRUE(process.signal(SIGTERM));
  EXPECT_TRUE(*sys::wait_fd(process.pidfd(), POLLIN, Deadline::in(seconds(10))));
  EXPECT_FALSE(process.poll());
  EXPECT_TRUE(process.signal(SIGTERM)) << "after its end nothing happens";
  // What it started ends with it.
  ASSERT_TRUE(server.wait(Deadline::in(seconds(10))));
  EXPECT_EQ(::kill(-running->pid, 0), 0);
  process.kill_session();
  EXPECT_TRUE(*sys::wait_until([&] { return ::kill(-running->pid, 0) != 0; }, Deadline::in(seconds(10))));
}

TEST_F(RunningServers, AStopThatWasAskedForIsOfOneProcess) {
  auto server = run(marked());
  auto running = find_running(config_);
  ASSERT_TRUE(running);
  EXPECT_FALSE(is_noted_stopping(config_, *running));
  ASSERT_TRUE(note_stopping(config_, server.pid()));
  EXPECT_TRUE(is_noted_stopping(config_, *running));
  ++running->start_time;
  EXPECT_FALSE(is_noted_stopping(config_, *running)) << "another process with its number";
  --running->start_time;
  forget_stopping(config_);
  EXPECT_FALSE(is_noted_stopping(config_, *running));
}

/// A member leads only where that is written; a record that was never finished, or says something else, is none.
TEST_F(RunningServers, AMemberLeadsOnlyWhereThatIsWritten) {
  config_.role = Role::primary;
  config_.server_survives = true;
  ASSERT_TRUE(write_config(config_));
  const auto leads = read_config(config_.dir);
  ASSERT_TRUE(leads);
  EXPECT_EQ(leads->role, Role::primary);
  EXPECT_TRUE(leads->server_survives);
  std::string text(as_text(sys::read_file(config_.dir + "/agent.json")->span()));
  for (const char* other : {"\"role\": \"\"", "\"role\": \"leader\"", "\"roll\": \"primary\""}) {
    std::string changed = text;
    changed.replace(changed.find("\"role\": \"primary\""), 17, other);
    ASSERT_TRUE(sys::publish_file(config_.dir + "/agent.json", as_bytes(changed), 0600));
    const auto read = read_config(config_.dir);
    ASSERT_TRUE(read);
    EXPECT_EQ(read->role, Role::replica) << other;
  }
}

}  // namespace
}  // namespace holdfast::agent

// A process that uses a directory is found by the kernel's word, whatever no record says.
#include "agent/dir_users.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>

#include "agent/data_dir.h"
#include "sys/file.h"
#include "sys/process.h"

namespace holdfast::agent {
namespace {

namespace fs = std::filesystem;
using std::chrono::seconds;

class DirUsers : public ::testing::Test {
 protected:
  DirUsers() {
    config_.member = "shop-0";
    config_.dir = dir_.path();
    config_.uid = ::geteuid();
    config_.gid = ::getegid();
    fs::create_directories(data());
    for (const char* file : {"ibdata1", "table.ibd"}) touch(data() + "/" + file);
  }
  std::string data() const { return config_.data_dir(); }
  static void touch(const std::string& path) { sys::Fd(::open(path.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600)); }

  /// A shell that runs `script`, then waits; its first line of output says that it got so far.
  sys::Process shell(const std::string& script, const std::string& cwd = "/") {
    sys::Command command;
    command.argv = {"/bin/sh", "-c", script + "; echo ready; exec sleep 60"};
    command.cwd = cwd;
    command.out = sys::Stdio::pipe();
    auto process = sys::spawn(command);
    EXPECT_TRUE(process.has_value());
    sys::Fd out = process->take_stdout();
    EXPECT_TRUE(sys::wait_fd(out.get(), POLLIN, Deadline::in(seconds(10))).value_or(false));
    return std::move(*process);
  }
  std::vector<cluster::OutsideProcess> users() const { return users_of(data(), {}); }

  sys::TempDir dir_ = std::move(*sys::TempDir::create("dir-users"));
  MemberConfig config_;
};

TEST_F(DirUsers, WhoWritesToAFileInItIsFound) {
  EXPECT_TRUE(users().empty());
  auto writer = shell("exec 5<>" + data() + "/table.ibd");
  auto found = users();
  ASSERT_EQ(found.size(), 1u);
  EXPECT_EQ(found[0].pid, writer.pid());
  EXPECT_EQ(found[0].how, "has table.ibd open for writing");
  const pid_t ours[] = {::getpid()};
  EXPECT_TRUE(users_of(data(), ours).empty()) << "our own children are no strangers";
  EXPECT_TRUE(writer.kill().has_value());
  EXPECT_TRUE(users().empty());
}

TEST_F(DirUsers, WhoOnlyReadsOrStandsInItIsNot) {
  auto reader = shell("exec 5<" + data() + "/table.ibd", data());
  EXPECT_TRUE(users().empty());
}

TEST_F(DirUsers, WhoHoldsTheServersLockIsFound) {
  sys::Process holder = shell("true");
  EXPECT_TRUE(users().empty());
  // A lock of this process is not in its own way, so it is a child that takes it.
  int ready[2];
  ASSERT_EQ(::pipe(ready), 0);
  const pid_t child = ::fork();
  if (child == 0) {
    const int file = ::open((data() + "/ibdata1").c_str(), O_RDWR);
    struct flock lock{};
    lock.l_type = F_WRLCK;
    lock.l_whence = SEEK_SET;
    if (::fcntl(file, F_SETLK, &lock) == 0) (void)!::write(ready[1], "x", 1);
    for (;;) ::pause();
  }
  char byte;
  ASSERT_EQ(::read(ready[0], &byte, 1), 1);
  const auto found = users();
  ASSERT_EQ(found.size(), 1u);
  EXPECT_EQ(found[0].pid, child);
  EXPECT_EQ(found[0].how, "holds the lock of ibdata1");
  ::kill(child, SIGKILL);
  ::waitpid(child, nullptr, 0);
  ::close(ready[0]);
  ::close(ready[1]);
}

TEST_F(DirUsers, AServerThatWorksInItIsFoundAndAStaleNoteIsNot) {
  const std::string note = data() + "/postmaster.pid";
  ASSERT_TRUE(sys::publish_file(note, as_bytes(std::to_string(::getpid()) + "\n"), 0600));
  EXPECT_TRUE(users().empty()) << "this process has the number of a server that died, and works elsewhere";
  fs::copy_file("/bin/sleep", dir_.path() + "/postgres");
  sys::Command command;
  command.argv = {dir_.path() + "/postgres", "60"};
  command.cwd = data();
  auto server = sys::spawn(command);
  ASSERT_TRUE(server.has_value());
  ASSERT_TRUE(sys::wait_until([&] { return !users().empty(); }, Deadline::in(seconds(10))).value_or(false));
  EXPECT_EQ(users()[0].how, "works in it");
  ASSERT_TRUE(sys::publish_file(note, as_bytes(std::to_string(server->pid()) + "\n"), 0600));
  EXPECT_EQ(users()[0].how, "is named by postmaster.pid");
}

/// Nothing is renamed or removed under a process; each of these did so before.
TEST_F(DirUsers, NothingIsDoneToADirectoryThatIsUsed) {
  // Not a child of this process: its parent ends at once.
  sys::Command command;
  const std::string pid_file = dir_.path() + "/stranger.pid";
  command.argv = {"/bin/sh", "-c",
                  "setsid sh -c 'exec 5<>" + data() + "/table.ibd; echo $$ > " + pid_file +
                      "; exec sleep 60' > /dev/null 2>&1 &"};
  auto started = sys::run(command, Deadline::in(seconds(10)));
  ASSERT_TRUE(started.has_value());
  const auto there = [&] { return fs::exists(pid_file) && !users().empty(); };
  ASSERT_TRUE(sys::wait_until(there, Deadline::in(seconds(10))).value_or(false));
  const pid_t stranger = users()[0].pid;
  const auto refused = [&](const auto& result) {
    return !result && result.error().id == "agent.in_use" &&
           result.error().message.find(std::to_string(stranger)) != std::string::npos;
  };
  EXPECT_TRUE(refused(set_data_aside(config_)));
  fs::create_directories(side_of(config_).data_dir());
  touch(side_of(config_).data_dir() + "/ibdata1");
  EXPECT_TRUE(refused(swap_in_side(config_)));
  EXPECT_TRUE(refused(wait_until_unused(config_)));
  EXPECT_TRUE(fs::exists(data() + "/table.ibd"));
  ::kill(stranger, SIGKILL);
  ASSERT_TRUE(sys::wait_until([&] { return users().empty(); }, Deadline::in(seconds(10))).value_or(false));
  EXPECT_TRUE(swap_in_side(config_));
}

}  // namespace
}  // namespace holdfast::agent

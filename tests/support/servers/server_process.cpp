#include "tests/support/servers/server_process.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <stdexcept>

namespace holdfast::test {
namespace {

// A child that waits for the end of this program and then removes the folder.
void start_janitor(const std::string& folder) {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) throw std::runtime_error("pipe");
  const pid_t pid = ::fork();
  if (pid < 0) throw std::runtime_error("fork");
  if (pid > 0) {
    ::close(ends[0]);  // the other end stays open as long as this program lives
    return;
  }
  ::setsid();
  for (int fd = 0; fd < 256; ++fd) {
    if (fd != ends[0]) ::close(fd);
  }
  char byte;
  while (::read(ends[0], &byte, 1) > 0) {
  }
  for (int tries = 0; tries < 50; ++tries) {  // servers that are dying may still write
    std::error_code error;
    std::filesystem::remove_all(folder, error);
    if (!std::filesystem::exists(folder)) break;
    ::usleep(100'000);
  }
  ::_exit(0);
}

}  // namespace

const std::string& test_root() {
  static const std::string root = [] {
    const char* base = std::getenv("TMPDIR");
    std::string pattern = fmt::format("{}/holdfast-test-XXXXXX", base && *base ? base : "/tmp");
    if (!::mkdtemp(pattern.data())) throw std::runtime_error("mkdtemp " + pattern);
    start_janitor(pattern);
    return pattern;
  }();
  return root;
}

std::string make_folder(const std::string& name) {
  static std::atomic<int> counter{0};
  const std::string path = fmt::format("{}/{}-{}", test_root(), name, counter++);
  std::filesystem::create_directory(path);
  return path;
}

int unused_port() {
  const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t length = sizeof address;
  if (::bind(fd, reinterpret_cast<sockaddr*>(&address), length) != 0) throw std::runtime_error("bind");
  ::getsockname(fd, reinterpret_cast<sockaddr*>(&address), &length);
  ::close(fd);
  return ntohs(address.sin_port);
}

void ServerProcess::start(const std::vector<std::string>& argv, const std::vector<std::string>& env,
                          const std::string& folder, const std::string& log) {
  kill();
  std::vector<char*> arguments, variables;
  for (const auto& each : argv) arguments.push_back(const_cast<char*>(each.c_str()));
  for (const auto& each : env) variables.push_back(const_cast<char*>(each.c_str()));
  arguments.push_back(nullptr);
  variables.push_back(nullptr);
  const pid_t parent = ::getpid();
  pid_ = ::fork();
  if (pid_ < 0) throw std::runtime_error("fork");
  if (pid_ > 0) return;
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (::getppid() != parent || ::chdir(folder.c_str()) != 0) ::_exit(126);
  const int out = ::open(log.c_str(), O_WRONLY | O_CREAT | O_APPEND, 0600);
  const int in = ::open("/dev/null", O_RDONLY);
  ::dup2(in, 0);
  ::dup2(out, 1);
  ::dup2(out, 2);
  for (int fd = 3; fd < 256; ++fd) ::close(fd);
  ::execve(arguments[0], arguments.data(), variables.data());
  ::_exit(127);
}

bool ServerProcess::running() {
  if (pid_ < 0) return false;
  if (::waitpid(pid_, nullptr, WNOHANG) == 0) return true;
  pid_ = -1;
  return false;
}

void ServerProcess::signal_kill() {
  if (pid_ > 0) ::kill(pid_, SIGKILL);
}

void ServerProcess::kill() {
  if (pid_ < 0) return;
  ::kill(pid_, SIGKILL);
  ::waitpid(pid_, nullptr, 0);
  pid_ = -1;
}

}  // namespace holdfast::test

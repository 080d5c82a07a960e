#include "tests/support/program.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <stdexcept>

extern char** environ;

namespace holdfast::test {
namespace {

using Clock = std::chrono::steady_clock;

struct Pipe {
  int ends[2] = {-1, -1};
  Pipe() {
    if (::pipe2(ends, O_CLOEXEC) != 0) throw std::runtime_error("pipe");
  }
  ~Pipe() {
    close_end(0);
    close_end(1);
  }
  void close_end(int which) {
    if (ends[which] >= 0) ::close(ends[which]);
    ends[which] = -1;
  }
};

std::vector<std::string> merged_environment(const std::map<std::string, std::string>& changes) {
  std::vector<std::string> all;
  for (char** entry = environ; *entry; ++entry) {
    std::string text = *entry;
    if (!changes.contains(text.substr(0, text.find('=')))) all.push_back(text);
  }
  for (const auto& [name, value] : changes) {
    if (!value.empty()) all.push_back(name + "=" + value);
  }
  return all;
}

std::vector<char*> pointers(std::vector<std::string>& texts) {
  std::vector<char*> list;
  for (auto& text : texts) list.push_back(text.data());
  list.push_back(nullptr);
  return list;
}

}  // namespace

RunResult run_program(const std::vector<std::string>& argv, const RunOptions& options) {
  ::signal(SIGPIPE, SIG_IGN);
  Pipe in, out, err;
  auto arguments = argv;
  auto environment = merged_environment(options.env);
  auto argument_pointers = pointers(arguments);
  auto environment_pointers = pointers(environment);
  const pid_t parent = ::getpid();
  const pid_t pid = ::fork();
  if (pid < 0) throw std::runtime_error("fork");
  if (pid == 0) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (::getppid() != parent) ::_exit(127);
    ::signal(SIGPIPE, SIG_DFL);
    ::dup2(in.ends[0], 0);
    ::dup2(out.ends[1], 1);
    ::dup2(err.ends[1], 2);
    if (!options.directory.empty() && ::chdir(options.directory.c_str()) != 0) ::_exit(126);
    ::execvpe(argument_pointers[0], argument_pointers.data(), environment_pointers.data());
    ::_exit(127);
  }
  in.close_end(0);
  out.close_end(1);
  err.close_end(1);
  RunResult result;
  size_t sent = 0;
  ::fcntl(in.ends[1], F_SETFL, O_NONBLOCK);
  if (options.input.empty()) in.close_end(1);
  const auto end = Clock::now() + options.limit;
  while (out.ends[0] >= 0 || err.ends[0] >= 0) {
    if (Clock::now() > end && !result.timed_out) {
      result.timed_out = true;
      ::kill(pid, SIGKILL);
    }
    pollfd polled[3] = {{in.ends[1], POLLOUT, 0}, {out.ends[0], POLLIN, 0}, {err.ends[0], POLLIN, 0}};
    ::poll(polled, 3, 100);
    if (polled[0].revents && in.ends[1] >= 0) {
      const ssize_t wrote = ::write(in.ends[1], options.input.data() + sent, options.input.size() - sent);
      if (wrote > 0) sent += static_cast<size_t>(wrote);
      if (sent == options.input.size() || (wrote < 0 && errno != EAGAIN)) in.close_end(1);
    }
    auto drain = [&](Pipe& pipe, short events, std::string& into) {
      if (!events || pipe.ends[0] < 0) return;
      char block[65536];
      const ssize_t got = ::read(pipe.ends[0], block, sizeof block);
      if (got > 0) {
        into.append(block, static_cast<size_t>(got));
      } else if (got == 0 || errno != EINTR) {
        pipe.close_end(0);
      }
    };
    drain(out, polled[1].revents, result.out);
    drain(err, polled[2].revents, result.err);
    // A grandchild may hold the pipes open after the program ended; the time limit covers that too.
    if (result.timed_out && Clock::now() > end + std::chrono::seconds(5)) break;
  }
  int status = 0;
  while (::waitpid(pid, &status, 0) < 0 && errno == EINTR) {
  }
  result.exit_code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  return result;
}

std::string holdfast_binary() {
  if (const char* path = std::getenv("HOLDFAST_BINARY"); path && *path) return path;
  return HOLDFAST_BINARY_PATH;
}

RunResult run_holdfast(std::vector<std::string> args, const RunOptions& options) {
  args.insert(args.begin(), holdfast_binary());
  return run_program(args, options);
}

int free_port() {
  const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  int port = 0;
  if (::bind(fd, reinterpret_cast<sockaddr*>(&address), size) == 0 &&
      ::getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size) == 0) {
    port = ntohs(address.sin_port);
  }
  ::close(fd);
  return port;
}

}  // namespace holdfast::test

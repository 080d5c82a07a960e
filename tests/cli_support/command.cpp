#include "tests/cli_support/command.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <stdexcept>

namespace holdfast::test {
namespace {

using Clock = std::chrono::steady_clock;
constexpr size_t kKeep = 64 << 20;  // captured bytes per stream

struct Pipe {
  sys::Fd read, write;
};

Pipe make_pipe() {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) < 0) throw std::runtime_error("pipe2 failed");
  return {sys::Fd(ends[0]), sys::Fd(ends[1])};
}

sys::Fd open_or_throw(const std::string& path, int flags) {
  const int fd = ::open(path.c_str(), flags | O_CLOEXEC, 0600);
  if (fd < 0) throw std::runtime_error("cannot open " + path);
  return sys::Fd(fd);
}

double seconds(const timeval& time) {
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
}

std::string tail(const std::string& text, size_t limit = 4000) {
  return text.size() <= limit ? text : "..." + text.substr(text.size() - limit);
}

/// Reads what is there; false at the end of the stream.
bool drain(int fd, std::string* keep, uint64_t& count) {
  static thread_local char buffer[128 << 10];
  const ssize_t n = ::read(fd, buffer, sizeof buffer);
  if (n < 0) return errno == EAGAIN || errno == EINTR;
  if (n == 0) return false;
  count += static_cast<uint64_t>(n);
  if (keep && keep->size() < kKeep) keep->append(buffer, static_cast<size_t>(n));
  return true;
}

}  // namespace

std::string Outcome::describe() const {
  return "exit code " + std::to_string(code) + (timed_out ? " (killed after its time)" : "") +
         "\nstdout: " + tail(out) + "\nstderr: " + tail(err);
}

Running::Running(Command command) : command_(std::move(command)) {
  if (command_.argv.empty()) throw std::runtime_error("no program to run");
  // Everything is prepared before fork: between fork and exec only async-signal-safe calls are allowed.
  std::vector<std::string> variables;
  const char* path = std::getenv("PATH");
  variables.push_back(std::string("PATH=") + (path ? path : "/usr/bin:/bin"));
  for (const auto& [name, value] : command_.env) variables.push_back(name + "=" + value);
  std::vector<char*> env, argv;
  for (auto& variable : variables) env.push_back(variable.data());
  for (auto& word : command_.argv) argv.push_back(word.data());
  env.push_back(nullptr);
  argv.push_back(nullptr);

  sys::Fd child_in, child_out, child_err;
  int in_fd = command_.stdin_fd;
  if (command_.stdin_text) {
    auto pipe = make_pipe();
    child_in = std::move(pipe.read);
    in_ = std::move(pipe.write);
    ::fcntl(in_.get(), F_SETFL, O_NONBLOCK);
    in_fd = child_in.get();
  } else if (in_fd < 0) {
    child_in = open_or_throw(command_.stdin_file.empty() ? "/dev/null" : command_.stdin_file, O_RDONLY);
    in_fd = child_in.get();
  }
  if (command_.out == Command::Out::file) {
    child_out = open_or_throw(command_.stdout_file, O_WRONLY | O_CREAT | O_TRUNC);
  } else {
    auto pipe = make_pipe();
    out_ = std::move(pipe.read);
    child_out = std::move(pipe.write);
  }
  auto pipe = make_pipe();
  err_ = std::move(pipe.read);
  child_err = std::move(pipe.write);
  auto exec_failure = make_pipe();

  const pid_t parent = ::getpid();
  start_ = Clock::now();
  pid_ = ::fork();
  if (pid_ < 0) throw std::runtime_error("fork failed");
  if (pid_ == 0) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (::getppid() != parent) ::_exit(127);
    ::dup2(in_fd, 0);
    ::dup2(child_out.get(), 1);
    ::dup2(child_err.get(), 2);
    ::signal(SIGPIPE, SIG_DFL);
    if (command_.directory.empty() || ::chdir(command_.directory.c_str()) == 0)
      ::execvpe(argv[0], argv.data(), env.data());
    const int error_number = errno;
    (void)!::write(exec_failure.write.get(), &error_number, sizeof error_number);
    ::_exit(127);
  }
  exec_failure.write.reset();
  int error_number = 0;
  if (::read(exec_failure.read.get(), &error_number, sizeof error_number) == sizeof error_number) {
    ::waitpid(pid_, nullptr, 0);
    pid_ = -1;
    throw std::runtime_error("cannot run " + command_.argv[0] + ": errno " + std::to_string(error_number));
  }
  pidfd_ = sys::Fd(static_cast<int>(::syscall(SYS_pidfd_open, pid_, 0)));
}

Running::Running(Running&& other) noexcept
    : command_(std::move(other.command_)),
      pid_(std::exchange(other.pid_, -1)),
      pidfd_(std::move(other.pidfd_)),
      in_(std::move(other.in_)),
      out_(std::move(other.out_)),
      err_(std::move(other.err_)),
      fed_(other.fed_),
      start_(other.start_),
      outcome_(std::move(other.outcome_)) {}

Running::~Running() {
  if (pid_ <= 0) return;
  signal(SIGKILL);
  ::waitpid(pid_, nullptr, 0);
}

bool Running::ended() const {
  pollfd wait{pidfd_.get(), POLLIN, 0};
  return ::poll(&wait, 1, 0) == 1;
}

void Running::signal(int number) {
  ::syscall(SYS_pidfd_send_signal, pidfd_.get(), number, nullptr, 0);
}

void Running::pump(int timeout_ms) {
  pollfd waits[4] = {{pidfd_.get(), POLLIN, 0},
                     {out_ ? out_.get() : -1, POLLIN, 0},
                     {err_ ? err_.get() : -1, POLLIN, 0},
                     {in_ ? in_.get() : -1, POLLOUT, 0}};
  if (::poll(waits, 4, timeout_ms) <= 0) return;
  uint64_t ignored = 0;
  const bool capture = command_.out == Command::Out::capture;
  if (waits[1].revents && !drain(out_.get(), capture ? &outcome_.out : nullptr, outcome_.out_bytes)) out_.reset();
  if (waits[2].revents && !drain(err_.get(), &outcome_.err, ignored)) err_.reset();
  if (waits[3].revents) {
    const auto& text = *command_.stdin_text;
    ssize_t n = 0;
    if (fed_ < text.size()) n = ::write(in_.get(), text.data() + fed_, text.size() - fed_);
    if (n > 0) fed_ += static_cast<size_t>(n);
    if (fed_ == text.size() || (n < 0 && errno != EAGAIN && errno != EINTR)) in_.reset();
  }
}

Outcome Running::wait() {
  ::signal(SIGPIPE, SIG_IGN);  // a child may close its input early; the write then fails and that is all
  const auto deadline = start_ + command_.timeout;
  while (!ended()) {
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(deadline - Clock::now()).count();
    if (left <= 0) {
      outcome_.timed_out = true;
      signal(SIGKILL);
    }
    pump(static_cast<int>(std::clamp<int64_t>(left, 1, 60'000)));
  }
  int status = 0;
  rusage usage{};
  ::wait4(pid_, &status, 0, &usage);
  outcome_.wall_seconds = std::chrono::duration<double>(Clock::now() - start_).count();
  pid_ = -1;
  // What is still in the pipes. A grandchild may hold them open: then only what is there now counts.
  for (auto* fd : {&out_, &err_}) {
    if (!*fd) continue;
    ::fcntl(fd->get(), F_SETFL, O_NONBLOCK);
    std::string* keep = fd == &err_ ? &outcome_.err : command_.out == Command::Out::capture ? &outcome_.out : nullptr;
    uint64_t count = 0;
    for (uint64_t before = ~0ull; before != count && (before = count, drain(fd->get(), keep, count));) {
    }
    if (fd == &out_) outcome_.out_bytes += count;
  }
  outcome_.code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  outcome_.cpu_seconds = seconds(usage.ru_utime) + seconds(usage.ru_stime);
  outcome_.peak_rss = static_cast<uint64_t>(usage.ru_maxrss) * 1024;
  return std::move(outcome_);
}

Outcome run(Command command) {
  return Running(std::move(command)).wait();
}

}  // namespace holdfast::test

#include "sys/process.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <sched.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <csignal>
#include <cstring>
#include <future>
#include <map>
#include <mutex>
#include <sstream>
#include <thread>

#include "sys/spawn_thread.h"

extern char** environ;

namespace holdfast::sys {

namespace {

int pidfd_open(pid_t pid) {
  return static_cast<int>(::syscall(SYS_pidfd_open, pid, 0));
}
int pidfd_send_signal(int pidfd, int signal_number) {
  return static_cast<int>(::syscall(SYS_pidfd_send_signal, pidfd, signal_number, nullptr, 0));
}

/// What a child that could not start its program tells through a pipe. It runs in our memory, but not under tools that
/// make a fork of every vfork (valgrind, the thread sanitizer), so that memory is no way to tell.
struct StartFailure {
  const char* what;
  int error;
};

/// Everything the child needs, prepared before it exists: it may not allocate.
struct ChildPlan {
  const char* path;
  char* const* argv;
  char* const* envp;
  const char* cwd;
  const std::vector<std::pair<int, int>>* wiring;  // {source, target}; sources are above every target
  const Identity* identity;
  bool new_session;
  int death_signal;
  int net_namespace;  // -1 = keep; above every target, closed by exec
  int umask;          // -1 = keep
  pid_t parent;
  int report;  // takes a StartFailure; above every target, closed by exec
};

/// Runs in the child, in the parent's memory (vfork): raw system calls only, since glibc's setuid() would try to reach
/// the other threads of the parent.
[[noreturn]] void run_child(ChildPlan* plan) {
  auto die = [plan](const char* what) {
    const StartFailure failure{what, errno};
    (void)!::write(plan->report, &failure, sizeof failure);
    ::_exit(127);
  };
  struct sigaction fresh{};
  fresh.sa_handler = SIG_DFL;
  for (int s = 1; s < NSIG; ++s)
    if (s != SIGKILL && s != SIGSTOP) ::sigaction(s, &fresh, nullptr);
  if (plan->new_session && ::setsid() < 0) die("setsid");
  // While still root. The namespace is this task's own, whatever memory it shares.
  if (plan->net_namespace >= 0 && ::syscall(SYS_setns, plan->net_namespace, CLONE_NEWNET) != 0) die("setns");
  for (auto [source, target] : *plan->wiring)
    if (::dup2(source, target) < 0) die("dup2");
  // What the caller passes is above 2 and has been copied to its number with close-on-exec off.
  int highest = 2;
  for (auto [source, target] : *plan->wiring) highest = target > highest ? target : highest;
  for (int fd = 3; fd <= highest; ++fd) {
    bool keep = false;
    for (auto [source, target] : *plan->wiring) keep = keep || target == fd;
    if (!keep) ::close(fd);
  }
  if (::syscall(SYS_close_range, highest + 1, ~0U, 4 /* CLOSE_RANGE_CLOEXEC */) != 0) die("close_range");
  if (plan->identity) {
    const Identity& id = *plan->identity;
    if (::geteuid() == 0 && ::syscall(SYS_setgroups, id.groups.size(), id.groups.data()) != 0) die("setgroups");
    if (::syscall(SYS_setresgid, id.gid, id.gid, id.gid) != 0) die("setresgid");
    if (::syscall(SYS_setresuid, id.uid, id.uid, id.uid) != 0) die("setresuid");
  }
  if (plan->cwd && ::chdir(plan->cwd) != 0) die("chdir");
  if (plan->umask >= 0) ::umask(static_cast<mode_t>(plan->umask));
  if (plan->death_signal) {  // after setresuid, which clears it
    if (::prctl(PR_SET_PDEATHSIG, plan->death_signal) != 0) die("prctl");
    if (::getppid() != plan->parent) ::_exit(127);
  }
  sigset_t none;
  sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
  ::execve(plan->path, plan->argv, plan->envp);
  die("exec");
  ::_exit(127);
}

__attribute__((noinline)) pid_t vfork_child(ChildPlan* plan) {
  pid_t pid = ::vfork();  // NOLINT(bugprone-unsafe-functions,clang-analyzer-*): posix_spawn cannot change identity
  if (pid == 0) run_child(plan);  // NOLINT(clang-analyzer-unix.Vfork): async-signal-safe calls only
  return pid;
}

std::vector<std::string> build_environment(const Command& command) {
  std::map<std::string, std::string> variables;
  if (command.clear_env) {
    if (const char* path = ::getenv("PATH")) variables["PATH"] = path;
  } else {
    for (char** entry = environ; entry && *entry; ++entry) {
      std::string_view text(*entry);
      if (auto at = text.find('='); at != text.npos) variables[std::string(text.substr(0, at))] = text.substr(at + 1);
    }
  }
  for (const auto& [name, value] : command.env) variables[name] = value;
  std::vector<std::string> result;
  for (const auto& [name, value] : variables) result.push_back(name + "=" + value);
  return result;
}

std::vector<char*> pointers(std::vector<std::string>& texts) {
  std::vector<char*> result;
  for (auto& text : texts) result.push_back(text.data());
  result.push_back(nullptr);
  return result;
}

Result<std::pair<Fd, Fd>> make_pipe() {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) return fail(errno_error(errno, "pipe"));
  return std::pair<Fd, Fd>(Fd(ends[0]), Fd(ends[1]));
}

ExitStatus decode(const siginfo_t& info) {
  ExitStatus status;
  if (info.si_code == CLD_EXITED) {
    status.code = info.si_status;
  } else {
    status.signal = info.si_status;
  }
  return status;
}

Error interrupted() {
  return Error{ErrorClass::interrupted, "sys.interrupted", "stopped on request", {}, {}};
}

}  // namespace

struct Spawner {
  /// One stream: pushes {source, target} to the wiring; keeps what must stay open until the child runs.
  static Status wire(const Stdio& stdio, int target, std::vector<std::pair<int, int>>& wiring, std::vector<Fd>& held,
                     Fd& ours) {
    switch (stdio.kind_) {
      case Stdio::Kind::inherit:
        wiring.emplace_back(target, target);
        return {};
      case Stdio::Kind::fd:
        wiring.emplace_back(stdio.fd_, target);
        return {};
      case Stdio::Kind::null:
        held.push_back(TRY(open_file("/dev/null", target == 0 ? O_RDONLY : O_WRONLY)));
        wiring.emplace_back(held.back().get(), target);
        return {};
      case Stdio::Kind::pipe: {
        auto [reader, writer] = TRY(make_pipe());
        held.push_back(std::move(target == 0 ? reader : writer));
        ours = std::move(target == 0 ? writer : reader);
        wiring.emplace_back(held.back().get(), target);
        return {};
      }
    }
    return {};
  }

  static Result<Process> start(const Command& command) {
    if (command.argv.empty() || command.argv[0].empty())
      return fail(ErrorClass::bug, "sys.spawn", "no program given to start");
    auto path = find_program(command.argv[0]);
    if (!path)
      return fail(ErrorClass::failed, "sys.no_program", fmt::format("program {} is not installed", command.argv[0]),
                  "install the package that has it, or put its folder into PATH");
    Process process;
    std::vector<std::pair<int, int>> wanted, wiring;
    std::vector<Fd> held;
    TRY_VOID(wire(command.in, 0, wanted, held, process.stdin_));
    TRY_VOID(wire(command.out, 1, wanted, held, process.stdout_));
    TRY_VOID(wire(command.err, 2, wanted, held, process.stderr_));
    int highest = 2;
    for (auto [source, target] : command.pass) {
      wanted.emplace_back(source, target);
      highest = std::max(highest, target);
    }
    // Copies above every target: no dup2 in the child can then overwrite a source that is still needed.
    for (auto [source, target] : wanted) {
      int copy = ::fcntl(source, F_DUPFD_CLOEXEC, highest + 1);
      if (copy < 0) {
        if (source <= 2 && errno == EBADF) {  // our own stream is closed
          held.push_back(TRY(open_file("/dev/null", O_RDWR)));
          copy = ::fcntl(held.back().get(), F_DUPFD_CLOEXEC, highest + 1);
        }
        if (copy < 0) return fail(errno_error(errno, fmt::format("descriptor {} for the child", source)));
      }
      held.emplace_back(copy);
      wiring.emplace_back(copy, target);
    }

    auto [told, teller] = TRY(make_pipe());
    Fd report(::fcntl(teller.get(), F_DUPFD_CLOEXEC, highest + 1));
    if (!report) return fail(errno_error(errno, "a descriptor for the child"));
    teller.reset();
    Fd net_namespace;
    if (command.net_namespace >= 0) {
      net_namespace = Fd(::fcntl(command.net_namespace, F_DUPFD_CLOEXEC, highest + 1));
      if (!net_namespace) return fail(errno_error(errno, "a network namespace for the child"));
    }

    std::vector<std::string> argv = command.argv;
    std::vector<std::string> env = build_environment(command);
    auto argv_pointers = pointers(argv);
    auto env_pointers = pointers(env);
    ChildPlan plan{};
    plan.path = path->c_str();
    plan.argv = argv_pointers.data();
    plan.envp = env_pointers.data();
    plan.cwd = command.cwd.empty() ? nullptr : command.cwd.c_str();
    plan.wiring = &wiring;
    plan.identity = command.identity ? &*command.identity : nullptr;
    plan.new_session = command.new_session;
    plan.death_signal = command.die_with_parent;
    plan.net_namespace = net_namespace.get();
    plan.umask = command.umask ? static_cast<int>(*command.umask) : -1;
    plan.parent = ::getpid();
    plan.report = report.get();

    pid_t pid = -1;
    int pidfd = -1;
    int vfork_error = 0;
    auto do_fork = [&] {
      sigset_t all, before;
      sigfillset(&all);
      ::pthread_sigmask(SIG_BLOCK, &all, &before);  // no handler of ours may run in the child
      pid = vfork_child(&plan);
      vfork_error = errno;
      if (pid > 0) pidfd = pidfd_open(pid);
      ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
    };
    if (command.die_with_parent) {
      on_spawn_thread(do_fork);
    } else {
      do_fork();
    }
    report.reset();
    if (pid < 0) return fail(errno_error(vfork_error, "start " + command.argv[0]));
    process.pid_ = pid;
    process.group_leader_ = command.new_session;
    process.pidfd_ = Fd(pidfd);
    // Ends at once: the program runs, or the child has said why not and is gone.
    StartFailure failure{};
    ssize_t heard = 0;
    while ((heard = ::read(told.get(), &failure, sizeof failure)) < 0 && errno == EINTR) {
    }
    if (heard == sizeof failure) {
      (void)process.wait(Deadline::in(std::chrono::seconds(5)));
      std::string what = fmt::format("start {}: {}", *path, failure.what);
      if (std::strcmp(failure.what, "exec") == 0) {
        return fail(ErrorClass::failed, "sys.no_program", fmt::format("{}: {}", what, std::strerror(failure.error)));
      }
      return fail(ErrorClass::failed, "sys.spawn", fmt::format("{}: {}", what, std::strerror(failure.error)));
    }
    return process;
  }
};

Result<Process> spawn(const Command& command) {
  return Spawner::start(command);
}

Process& Process::operator=(Process&& other) noexcept {
  if (this == &other) return *this;
  if (pid_ > 0 && !status_) (void)kill();
  pid_ = std::exchange(other.pid_, -1);
  group_leader_ = other.group_leader_;
  pidfd_ = std::move(other.pidfd_);
  status_ = std::exchange(other.status_, std::nullopt);
  stdin_ = std::move(other.stdin_);
  stdout_ = std::move(other.stdout_);
  stderr_ = std::move(other.stderr_);
  return *this;
}

Process::~Process() {
  if (pid_ > 0 && !status_) (void)kill();
}

pid_t Process::detach() {
  pid_t pid = std::exchange(pid_, -1);
  pidfd_.reset();
  return pid;
}

std::optional<ExitStatus> Process::poll() {
  if (status_) return status_;
  if (pid_ <= 0) return std::nullopt;
  siginfo_t info{};
  if (::waitid(P_PID, static_cast<id_t>(pid_), &info, WEXITED | WNOHANG) == 0 && info.si_pid == pid_) {
    status_ = decode(info);
  } else if (errno == ECHILD && info.si_pid == 0) {
    errno = 0;
  }
  return status_;
}

Result<ExitStatus> Process::wait(Deadline deadline, std::stop_token stop) {
  if (status_) return *status_;
  if (pid_ <= 0) return fail(ErrorClass::bug, "sys.no_child", "waiting for a child that was never started");
  if (!TRY(wait_fd(pidfd_.get(), POLLIN, deadline, stop)))
    return fail(ErrorClass::unavailable, "sys.timeout", fmt::format("process {} is still running", pid_));
  siginfo_t info{};
  while (::waitid(P_PID, static_cast<id_t>(pid_), &info, WEXITED) != 0) {
    if (errno != EINTR) return fail(errno_error(errno, "waitid"));
  }
  status_ = decode(info);
  return *status_;
}

Status Process::signal(int signal_number) {
  if (status_ || pid_ <= 0) return {};
  if (pidfd_send_signal(pidfd_.get(), signal_number) != 0 && errno != ESRCH)
    return fail(errno_error(errno, fmt::format("signal {} to process {}", signal_number, pid_)));
  return {};
}

Status Process::signal_group(int signal_number) {
  if (pid_ <= 0 || !group_leader_) return signal(signal_number);
  // The group keeps its number while any of its processes lives, and our unreaped child holds the pid.
  if (status_) return {};
  if (::kill(-pid_, signal_number) != 0 && errno != ESRCH)
    return fail(errno_error(errno, fmt::format("signal {} to process group {}", signal_number, pid_)));
  return {};
}

Result<ExitStatus> Process::stop(std::chrono::milliseconds grace) {
  if (status_) return *status_;
  if (grace.count() > 0) {
    TRY_VOID(signal(SIGTERM));
    auto ended = wait(Deadline::in(grace));
    if (ended) return ended;
  }
  TRY_VOID(signal_group(SIGKILL));
  return wait();
}

std::string ExitStatus::to_string() const {
  if (signal) return fmt::format("signal {} ({})", signal, ::strsignal(signal));
  return fmt::format("exit code {}", code);
}

Result<RunResult> run(Command command, Deadline deadline, std::stop_token stop, std::string_view input, size_t limit) {
  command.in = input.empty() ? Stdio::null() : Stdio::pipe();
  command.out = Stdio::pipe();
  command.err = Stdio::pipe();
  Process process = TRY(spawn(command));
  Fd in = process.take_stdin(), out = process.take_stdout(), err = process.take_stderr();
  if (in) ::fcntl(in.get(), F_SETFL, O_NONBLOCK);
  RunResult result;
  std::string chunk(64 << 10, '\0');
  Fd wake(::eventfd(0, EFD_CLOEXEC));
  std::stop_callback on_stop(stop, [&wake] { (void)!::write(wake.get(), "\1\0\0\0\0\0\0\0", 8); });

  // A program may leave a grandchild holding our pipe: once the child has ended, only what is there already is read.
  bool ended = false;
  while (out || err || !ended) {
    pollfd fds[5] = {{in.get(), POLLOUT, 0},
                     {out.get(), POLLIN, 0},
                     {err.get(), POLLIN, 0},
                     {ended ? -1 : process.pidfd(), POLLIN, 0},
                     {wake.get(), POLLIN, 0}};
    int left = ended ? 200 : static_cast<int>(deadline.left().count());
    int ready = ::poll(fds, 5, left);
    if (ready < 0 && errno != EINTR) return fail(errno_error(errno, "poll"));
    if (ready == 0 && ended) break;
    if (stop.stop_requested() || (ready <= 0 && deadline.passed())) {
      (void)process.kill();
      if (stop.stop_requested()) return fail(interrupted());
      return fail(ErrorClass::unavailable, "sys.timeout", command.argv[0] + " took too long and was killed");
    }
    if (ready <= 0) continue;
    if (fds[0].revents) {
      // SIGPIPE must not end us when the child closes its input early.
      sigset_t pipe_signal, before;
      sigemptyset(&pipe_signal);
      sigaddset(&pipe_signal, SIGPIPE);
      ::pthread_sigmask(SIG_BLOCK, &pipe_signal, &before);
      ssize_t n = ::write(in.get(), input.data(), input.size());
      int error_number = errno;
      if (n < 0 && error_number == EPIPE) {
        timespec zero{};
        ::sigtimedwait(&pipe_signal, nullptr, &zero);
      }
      ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
      if (n > 0) input.remove_prefix(static_cast<size_t>(n));
      if (input.empty() || (n < 0 && error_number != EAGAIN && error_number != EINTR)) in.reset();
    }
    auto take = [&](Fd& fd, short revents, std::string& into, bool keep_last) {
      if (!revents) return;
      ssize_t n = ::read(fd.get(), chunk.data(), chunk.size());
      if (n < 0 && (errno == EINTR || errno == EAGAIN)) return;
      if (n <= 0) return fd.reset();
      if (keep_last) {
        into.append(chunk.data(), static_cast<size_t>(n));
        if (into.size() > limit) into.erase(0, into.size() - limit);
      } else if (into.size() < limit) {
        into.append(chunk.data(), std::min(static_cast<size_t>(n), limit - into.size()));
      }
    };
    take(out, fds[1].revents, result.out, false);
    take(err, fds[2].revents, result.err, true);
    if (fds[3].revents) ended = true;
  }
  result.status = TRY(process.wait());
  return result;
}

Result<RunResult> run_ok(Command command, Deadline deadline, std::stop_token stop, std::string_view input) {
  const std::string name = command.argv.empty() ? "" : command.argv[0];
  RunResult result = TRY(run(std::move(command), deadline, std::move(stop), input));
  if (result.status.ok()) return result;
  std::string_view tail(result.err);
  if (tail.size() > 2000) tail = tail.substr(tail.size() - 2000);
  while (!tail.empty() && tail.back() == '\n') tail.remove_suffix(1);
  return fail(ErrorClass::failed, "sys.command_failed",
              fmt::format("{} ended with {}{}{}", name, result.status.to_string(), tail.empty() ? "" : ": ", tail));
}

std::optional<std::string> find_program(const std::string& name) {
  auto runnable = [](const std::string& path) {
    struct stat info{};
    return ::stat(path.c_str(), &info) == 0 && S_ISREG(info.st_mode) && ::access(path.c_str(), X_OK) == 0;
  };
  if (name.empty()) return std::nullopt;
  if (name.find('/') != name.npos) return runnable(name) ? std::optional(name) : std::nullopt;
  const char* path = ::getenv("PATH");
  std::istringstream folders(std::string(path ? path : "/usr/bin:/bin") + ":/usr/local/sbin:/usr/sbin:/sbin");
  for (std::string folder; std::getline(folders, folder, ':');) {
    std::string candidate = (folder.empty() ? "." : folder) + "/" + name;
    if (runnable(candidate)) return candidate;
  }
  return std::nullopt;
}

void widen_pipe(int fd) {
  (void)::fcntl(fd, F_SETPIPE_SZ, 1 << 20);
}

Result<bool> wait_fd(int fd, short events, Deadline deadline, std::stop_token stop) {
  Fd wake;
  if (stop.stop_possible()) wake = Fd(::eventfd(0, EFD_CLOEXEC));
  std::stop_callback on_stop(stop, [&wake] {
    if (wake) (void)!::write(wake.get(), "\1\0\0\0\0\0\0\0", 8);
  });
  for (;;) {
    if (stop.stop_requested()) return fail(interrupted());
    pollfd fds[2] = {{fd, events, 0}, {wake.get(), POLLIN, 0}};
    int ready = ::poll(fds, 2, static_cast<int>(deadline.left().count()));
    if (ready < 0 && errno != EINTR) return fail(errno_error(errno, "poll"));
    if (ready > 0 && fds[0].revents) return true;
    if (ready == 0 && deadline.passed()) return false;
  }
}

Result<bool> wait_until(const std::function<bool()>& done, Deadline deadline, std::stop_token stop) {
  Fd never(::eventfd(0, EFD_CLOEXEC));
  auto pause = std::chrono::milliseconds(2);
  for (;;) {
    if (done()) return true;
    if (deadline.passed()) return false;
    TRY(wait_fd(never.get(), POLLIN, deadline.at_most(pause), stop));
    pause = std::min(pause * 2, std::chrono::milliseconds(50));
  }
}

}  // namespace holdfast::sys

// Child processes: started without a shell, watched through a pidfd, never left behind by accident.
//
// - Nothing leaks into a child: every descriptor but 0, 1, 2 and those in `pass` is closed at exec, signal handlers and
//   the signal mask are reset, and the environment is what `env` says.
// - A Process object owns its child: when the object goes, a child still running is killed (SIGKILL) and reaped. Give
//   it away with detach(), or end it with stop().
// - `die_with_parent` sets PR_SET_PDEATHSIG. The kernel ties that to the *thread* that started the child, so such
//   children are started by one thread of this module that lives as long as the process; a caller's thread may end
//   freely. It reaches the child only, not what the child starts: use `new_session` and kill_group for programs that
//   fork.
// - A failed exec is an error of spawn(), not an exit status 127 found later.
// Thread-safe: spawn() and run() may be called from any thread; one Process is used by one thread at a time.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <functional>
#include <optional>
#include <stop_token>
#include <string>
#include <utility>
#include <vector>

#include "base/deadline.h"
#include "base/result.h"
#include "sys/file.h"
#include "sys/user.h"

namespace holdfast::sys {

/// Where one of the child's standard streams goes.
class Stdio {
 public:
  static Stdio null() { return Stdio(Kind::null); }        ///< /dev/null
  static Stdio inherit() { return Stdio(Kind::inherit); }  ///< the same as this process's
  static Stdio pipe() { return Stdio(Kind::pipe); }        ///< a pipe; its other end is taken from the Process
  static Stdio to(int fd) {                                ///< a descriptor of the caller, who keeps it
    Stdio stdio(Kind::fd);
    stdio.fd_ = fd;
    return stdio;
  }

 private:
  enum class Kind { null, inherit, pipe, fd };
  explicit Stdio(Kind kind) : kind_(kind) {}
  Kind kind_;
  int fd_ = -1;
  friend struct Spawner;
};

struct Command {
  /// argv[0] is what to run: a path, or a bare name looked up in PATH. Never put a secret here: `ps` shows it.
  std::vector<std::string> argv;
  /// Extra variables as {name, value}, over the inherited environment; `clear_env` starts from nothing but PATH.
  std::vector<std::pair<std::string, std::string>> env;
  bool clear_env = false;
  std::string cwd;  ///< empty = the same as ours
  Stdio in = Stdio::null();
  Stdio out = Stdio::inherit();
  Stdio err = Stdio::inherit();
  /// {descriptor here, its number in the child (>= 3)}: kept open in the child.
  std::vector<std::pair<int, int>> pass;
  /// Drop to this user before exec; needs root unless it is what we are already.
  std::optional<Identity> identity;
  bool new_session = false;  ///< setsid(): own process group, no terminal
  int die_with_parent = 0;   ///< signal the child gets when this process dies (SIGKILL, SIGTERM); 0 = none
  int net_namespace = -1;    ///< the child's network (sys/net_namespace.h; needs root); -1 = ours. The caller keeps it.
  std::optional<unsigned> umask;
};

/// How a child ended.
struct ExitStatus {
  int code = 0;    ///< exit code, when signal == 0
  int signal = 0;  ///< the signal that ended it, or 0
  bool ok() const { return code == 0 && signal == 0; }
  /// "exit code 3", "signal 9 (Killed)"
  std::string to_string() const;
};

class Process {
 public:
  Process() = default;
  Process(Process&& other) noexcept { *this = std::move(other); }
  Process& operator=(Process&& other) noexcept;
  ~Process();

  pid_t pid() const { return pid_; }
  /// Readable (poll POLLIN) once the child has ended. Owned by this object.
  int pidfd() const { return pidfd_.get(); }
  explicit operator bool() const { return pid_ > 0; }

  /// The caller's ends of Stdio::pipe() streams; each can be taken once.
  Fd take_stdin() { return std::move(stdin_); }
  Fd take_stdout() { return std::move(stdout_); }
  Fd take_stderr() { return std::move(stderr_); }

  /// Waits until the child has ended and reaps it; may be called again. "sys.timeout" (unavailable) when the deadline
  /// passes first, "sys.interrupted" when `stop` is requested first; the child keeps running in both cases.
  Result<ExitStatus> wait(Deadline deadline = Deadline::never(), std::stop_token stop = {});
  /// The status if the child has ended already.
  std::optional<ExitStatus> poll();

  /// Sends a signal through the pidfd: it can never hit another process. Fine (nothing happens) after the end.
  Status signal(int signal_number);
  /// The same to the child's process group (only for children with new_session).
  Status signal_group(int signal_number);
  /// SIGTERM, `grace` to end by itself, then SIGKILL; reaps.
  Result<ExitStatus> stop(std::chrono::milliseconds grace);
  Result<ExitStatus> kill() { return stop(std::chrono::milliseconds(0)); }

  /// Gives the child away: it goes on when this object goes. Returns its pid.
  pid_t detach();

 private:
  pid_t pid_ = -1;
  bool group_leader_ = false;
  Fd pidfd_;
  std::optional<ExitStatus> status_;
  Fd stdin_, stdout_, stderr_;
  friend struct Spawner;
};

/// Starts a child. Errors: "sys.no_program" (not found or not executable), "sys.spawn".
Result<Process> spawn(const Command& command);

/// What run() gives back.
struct RunResult {
  ExitStatus status;
  std::string out;  ///< at most `limit` bytes; the rest is read and dropped
  std::string err;  ///< the last `limit` bytes
};

/// Runs a child to its end, feeding `input` and collecting both outputs (command.in/out/err are replaced).
/// On a deadline or a stop request the child (and its group, if it has one) is killed and the error returned.
Result<RunResult> run(Command command, Deadline deadline, std::stop_token stop = {}, std::string_view input = {},
                      size_t limit = 1 << 20);
/// run(), and a non-zero end is the error "sys.command_failed" carrying the last lines of stderr.
Result<RunResult> run_ok(Command command, Deadline deadline, std::stop_token stop = {}, std::string_view input = {});

/// Looks a program up in PATH (plus /usr/sbin, /sbin and /usr/local/sbin, which users often lack).
std::optional<std::string> find_program(const std::string& name);

/// Waits until `fd` shows one of `events` (poll(2) flags); false when the deadline passes; "sys.interrupted" on stop.
Result<bool> wait_fd(int fd, short events, Deadline deadline, std::stop_token stop = {});

/// Lets a pipe hold 1 MiB instead of 64 KiB, so that the two sides of a stream wait less for each other; as it was
/// where the user's pipes hold too much already.
void widen_pipe(int fd);

/// Ends by itself when `done` says so; checks every few milliseconds, growing to 50 ms. False when the deadline passes,
/// "sys.interrupted" on stop. For conditions of other programs that nothing can be waited on.
Result<bool> wait_until(const std::function<bool()>& done, Deadline deadline, std::stop_token stop = {});

}  // namespace holdfast::sys

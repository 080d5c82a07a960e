// The process of a member's server: a child of this agent, or one that outlived an agent before it and is adopted.
//
// A server that survives its agent carries a mark in its environment, put there at its start, so that no crash of the
// agent can come between:   HOLDFAST_SERVER=<normal|isolated> <main|side> <member's directory>
#pragma once

#include <sys/types.h>

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "agent/launch.h"
#include "base/result.h"
#include "sys/file.h"
#include "sys/process.h"

namespace holdfast::agent {

/// The variable of that mark.
inline constexpr std::string_view kServerMark = "HOLDFAST_SERVER";

/// A server of this member that runs, found and proven by what the kernel says.
struct RunningServer {
  pid_t pid = -1;
  uint64_t start_time = 0;  ///< sys::process_start_time()
  sys::Fd pidfd;
  StartMode mode = StartMode::normal;
  bool side = false;       ///< it runs on the side directory
  std::string started_at;  ///< UTC, to a second
  std::vector<std::string> argv;
  std::vector<std::pair<std::string, std::string>> env;  ///< of one with our mark; another's may hold secrets
};

/// The member's own server, if one runs and is proven to be that: a program of the member's engine that runs as the
/// member's user, holds the lock of one of its data directories (PostgreSQL: is named by postmaster.pid and works
/// there) or carries the mark of this member, and whose arguments name no other directory. Held by a pidfd: another
/// process with its number is not it. Nothing when none runs, or what runs is not proven: then `why` says what was
/// found. Needs root, or the server's user. Takes some milliseconds.
std::optional<RunningServer> find_running(const MemberConfig& config, std::string* why = nullptr);

/// Galera: the main process of the member's unit that holds no lock yet, because the state of another node is coming
/// into its data directory. Nothing while it only looks for its position.
std::optional<RunningServer> find_joining(const MemberConfig& config);

/// All processes of this machine that can be seen.
std::vector<pid_t> all_processes();
/// Whether a process executes a server of this engine, by the name of its program: a package that was upgraded under it
/// has taken the file itself away.
bool is_server_program(cluster::Engine engine, pid_t pid);

/// The mark that says so.
std::pair<std::string, std::string> server_mark(const MemberConfig& config, const LaunchOptions& options);

/// Notes durably that this process has been asked to end (<dir>/stopping), and whether that was noted of one.
Status note_stopping(const MemberConfig& config, pid_t pid);
bool is_noted_stopping(const MemberConfig& config, const RunningServer& server);
void forget_stopping(const MemberConfig& config);

/// Whether the server's pid file is there: it removes it at the end of an orderly shutdown, and at no other end.
bool left_its_pid_file(const MemberConfig& config);

/// Not thread-safe.
class ServerProcess {
 public:
  ServerProcess() = default;
  explicit ServerProcess(sys::Process child) : child_(std::move(child)) {}
  explicit ServerProcess(const RunningServer& adopted);
  ServerProcess(ServerProcess&&) = default;
  ServerProcess& operator=(ServerProcess&&) = default;

  explicit operator bool() const { return pid() > 0; }
  pid_t pid() const { return adopted_ > 0 ? adopted_ : child_.pid(); }
  bool is_adopted() const { return adopted_ > 0; }
  int pidfd() const { return adopted_ > 0 ? pidfd_.get() : child_.pidfd(); }
  /// As of sys::Process: never another process, fine after the end.
  Status signal(int signal_number);
  /// SIGKILL to it and to what it has started in its session.
  void kill_session();
  /// How a child ended; nothing while it runs. Of an adopted one nobody but its parent can know: never anything.
  std::optional<sys::ExitStatus> poll() { return adopted_ > 0 ? std::nullopt : child_.poll(); }
  /// Leaves it running.
  void leave();

 private:
  sys::Process child_;
  pid_t adopted_ = -1;
  sys::Fd pidfd_;
};

}  // namespace holdfast::agent

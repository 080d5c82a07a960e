#include "agent/running_server.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <ctime>
#include <filesystem>
#include <map>
#include <sstream>

#include "agent/data_dir.h"
#include "agent/dir_users.h"
#include "agent/galera_node.h"
#include "agent/proc.h"
#include "agent/unit.h"
#include "sys/any_process.h"

namespace holdfast::agent {

namespace fs = std::filesystem;
using cluster::Engine;

namespace {

pid_t group_of(pid_t pid) {
  const std::string stat = proc_text(fmt::format("/proc/{}/stat", pid));
  const size_t behind = stat.rfind(')');
  pid_t group = -1;
  if (behind != std::string::npos) (void)std::sscanf(stat.c_str() + behind + 1, " %*c %*d %d", &group);
  return group;
}

bool runs_as(pid_t pid, uid_t uid) {
  std::istringstream lines(proc_text(fmt::format("/proc/{}/status", pid)));
  for (std::string line; std::getline(lines, line);) {
    if (!line.starts_with("Uid:")) continue;
    std::istringstream ids(line.substr(4));
    uid_t real = 0, effective = 0;
    return (ids >> real >> effective) && real == uid && effective == uid;
  }
  return false;
}

enum class Named { here, elsewhere, nothing };

/// Which data directory its arguments name: the last one counts, as it does for the servers.
Named names_directory(const MemberConfig& config, const std::vector<std::string>& argv, bool& side) {
  const bool postgres = config.engine == Engine::postgres;
  std::string dir;
  bool ours = false;
  for (size_t i = 1; i < argv.size(); ++i) {
    if (argv[i] == "--defaults-file=" + config.etc_dir() + "/server.cnf") ours = true;
    if (postgres && argv[i] == "-D" && i + 1 < argv.size()) dir = argv[i + 1];
    if (argv[i].starts_with("--datadir=")) dir = argv[i].substr(10);
  }
  while (dir.size() > 1 && dir.ends_with('/')) dir.pop_back();
  if (std::error_code error; config.existing && fs::exists(dir, error)) dir = fs::canonical(dir, error).string();
  if (dir.empty()) return ours ? Named::here : Named::nothing;
  side = dir == side_of(config).data_dir();
  return side || dir == config.data_dir() ? Named::here : Named::elsewhere;
}

/// As start times of processes are counted.
uint64_t ticks_since_boot() {
  timespec now{};
  ::clock_gettime(CLOCK_BOOTTIME, &now);
  const auto ticks = static_cast<uint64_t>(::sysconf(_SC_CLK_TCK));
  return static_cast<uint64_t>(now.tv_sec) * ticks + static_cast<uint64_t>(now.tv_nsec) * ticks / 1'000'000'000;
}

/// When a process began, by the clock on the wall.
std::string start_text(uint64_t start_time) {
  std::istringstream lines(proc_text("/proc/stat"));
  std::time_t boot = 0;
  for (std::string word; lines >> word;)
    if (word == "btime") lines >> boot;
  const std::time_t at = boot + static_cast<std::time_t>(start_time / static_cast<uint64_t>(::sysconf(_SC_CLK_TCK)));
  std::tm parts{};
  ::gmtime_r(&at, &parts);
  char text[32];
  std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &parts);
  return text;
}

/// What is known of one process that may be the server.
class Candidate {
 public:
  Candidate(const MemberConfig& config, pid_t pid) : config_(config) {
    server_.pid = pid;
    // The pidfd first: what is read after it is of this process as long as its start time is the same at the end.
    auto pidfd = sys::open_pidfd(pid);
    const auto began = sys::process_start_time(pid);
    if (!pidfd || !began || sys::is_dying(pid)) return;
    server_.pidfd = std::move(*pidfd);
    server_.start_time = *began;
    if (!is_server_program(config.engine, pid) || !runs_as(pid, config.uid)) return;
    server_.argv = proc_list(fmt::format("/proc/{}/cmdline", pid));
    named_ = names_directory(config, server_.argv, server_.side);
    if (named_ == Named::elsewhere || is_position_recovery(server_.argv)) return;
    for (auto& entry : proc_list(fmt::format("/proc/{}/environ", pid)))
      if (const size_t at = entry.find('='); at != std::string::npos)
        server_.env.emplace_back(entry.substr(0, at), entry.substr(at + 1));
    read_mark();
    fits_ = sys::process_start_time(pid) == began;
  }

  /// Of the member's unit, and what that has started first: the leader of its session.
  bool is_main_of_unit() const {
    return fits_ && !marked_ && group_of(server_.pid) == server_.pid && unit_of(server_.pid) == config_.existing->unit;
  }
  /// Marked as this member's, and its arguments say so too: what a server forks has them overwritten.
  bool is_marked() const { return fits_ && marked_ && named_ == Named::here; }
  bool can_be_it() const { return fits_; }
  void holds(bool side) { server_.side = side; }

  RunningServer take() {
    if (!marked_ && std::ranges::find(server_.argv, "--skip-networking") != server_.argv.end())
      server_.mode = StartMode::isolated;
    if (!marked_) server_.env.clear();
    server_.started_at = start_text(server_.start_time);
    return std::move(server_);
  }

 private:
  void read_mark() {
    for (const auto& [name, value] : server_.env) {
      if (name != kServerMark) continue;
      for (const StartMode mode : {StartMode::normal, StartMode::isolated})
        for (const bool side : {false, true}) {
          LaunchOptions options;
          options.mode = mode;
          options.side = side;
          if (value != server_mark(config_, options).second) continue;
          marked_ = true;
          server_.mode = mode;
          server_.side = side;
        }
    }
  }

  const MemberConfig& config_;
  RunningServer server_;
  Named named_ = Named::nothing;
  bool fits_ = false, marked_ = false;
};

std::string stopping_file(const MemberConfig& config) {
  return config.dir + "/stopping";
}

}  // namespace

std::vector<pid_t> all_processes() {
  std::vector<pid_t> all;
  std::error_code error;
  for (fs::directory_iterator it("/proc", error), end; !error && it != end; it.increment(error))
    if (const pid_t pid = proc_number(it->path().filename().string()); pid > 0) all.push_back(pid);
  return all;
}

bool is_server_program(Engine engine, pid_t pid) {
  const auto fits = [engine](std::string_view name) {
    if (engine == Engine::postgres) return name == "postgres" || name == "postmaster";
    return name == "mysqld" || (engine != Engine::mysql && name == "mariadbd");
  };
  std::error_code error;
  std::string name = fs::read_symlink(fmt::format("/proc/{}/exe", pid), error).filename().string();
  if (const size_t gone = name.find(" (deleted)"); gone != std::string::npos) name.resize(gone);
  if (!name.starts_with("ld-linux")) return fits(name);
  // Started by a loader of its own, with the program as an argument.
  const auto argv = proc_list(fmt::format("/proc/{}/cmdline", pid));
  const auto program = std::ranges::find_if(argv, [&](const std::string& argument) {
    return !argument.starts_with('-') && fits(fs::path(argument).filename().string());
  });
  return program != argv.end();
}

std::pair<std::string, std::string> server_mark(const MemberConfig& config, const LaunchOptions& options) {
  return {std::string(kServerMark), fmt::format("{} {} {}", options.mode == StartMode::isolated ? "isolated" : "normal",
                                                options.side ? "side" : "main", config.dir)};
}

std::optional<RunningServer> find_running(const MemberConfig& config, std::string* why) {
  const auto not_proven = [&](std::string text) -> std::optional<RunningServer> {
    if (why) *why = std::move(text);
    return std::nullopt;
  };
  std::map<pid_t, Candidate> found;
  // Who holds a directory must be it: one that is not is a reason to adopt nobody.
  for (const bool side : {false, true}) {
    MemberConfig here = config;
    here.data_name = side ? kSideName : "data";
    for (const auto& user : users_of(here.data_dir(), {})) {
      if (!is_holder(user)) continue;
      if (user.pid <= 0) return not_proven(outside_text(user));
      Candidate candidate(config, user.pid);
      if (sys::is_dying(user.pid) || !sys::process_start_time(user.pid)) continue;
      if (!candidate.can_be_it()) return not_proven(outside_text(user));
      candidate.holds(side);
      found.emplace(user.pid, std::move(candidate));
    }
  }
  // One that was started a moment ago holds nothing yet.
  for (const pid_t pid : all_processes()) {
    if (found.contains(pid) || !is_server_program(config.engine, pid)) continue;
    Candidate candidate(config, pid);
    if (candidate.is_marked()) found.emplace(pid, std::move(candidate));
  }
  // A program that it runs has its environment, and may be called as it is: a Galera node asks for its defaults so.
  std::erase_if(found, [&](const auto& one) {
    const pid_t group = group_of(one.first);
    return group != one.first && found.contains(group);
  });
  if (found.empty()) return std::nullopt;
  if (found.size() > 1)
    return not_proven(fmt::format("processes {} and {} could both be its server", found.begin()->first,
                                  std::next(found.begin())->first));
  return found.begin()->second.take();
}

std::optional<RunningServer> find_joining(const MemberConfig& config) {
  if (config.engine != Engine::galera || !config.is_by_unit()) return std::nullopt;
  std::optional<Candidate> found;
  for (const pid_t pid : all_processes()) {
    if (!is_server_program(config.engine, pid)) continue;
    Candidate candidate(config, pid);
    if (!candidate.is_main_of_unit()) continue;
    if (found) return std::nullopt;
    found.emplace(std::move(candidate));
  }
  return found ? std::optional(found->take()) : std::nullopt;
}

Status note_stopping(const MemberConfig& config, pid_t pid) {
  const auto began = sys::process_start_time(pid);
  if (!began) return {};
  return sys::publish_file(stopping_file(config), as_bytes(fmt::format("{} {}\n", pid, *began)), 0600);
}

bool is_noted_stopping(const MemberConfig& config, const RunningServer& server) {
  return proc_text(stopping_file(config)) == fmt::format("{} {}\n", server.pid, server.start_time);
}

void forget_stopping(const MemberConfig& config) {
  ::unlink(stopping_file(config).c_str());
}

bool left_its_pid_file(const MemberConfig& config) {
  const sys::ActAs as_server(server_identity(config));
  struct stat info{};
  return ::lstat(config.pid_file().c_str(), &info) == 0;
}

ServerProcess::ServerProcess(const RunningServer& adopted)
    : adopted_(adopted.pid), pidfd_(::fcntl(adopted.pidfd.get(), F_DUPFD_CLOEXEC, 3)) {}

Status ServerProcess::signal(int signal_number) {
  if (adopted_ <= 0) return child_.signal(signal_number);
  if (::syscall(SYS_pidfd_send_signal, pidfd_.get(), signal_number, nullptr, 0) != 0 && errno != ESRCH)
    return fail(sys::errno_error(errno, fmt::format("signal {} to process {}", signal_number, adopted_)));
  return {};
}

void ServerProcess::kill_session() {
  if (adopted_ <= 0) {
    (void)child_.signal_group(SIGKILL);
    return;
  }
  // Once its parent has reaped it, its number may be another's: only who began before this moment is of its session.
  const uint64_t now = ticks_since_boot();
  (void)signal(SIGKILL);
  for (const pid_t pid : all_processes()) {
    if (pid == adopted_ || group_of(pid) != adopted_) continue;
    auto pidfd = sys::open_pidfd(pid);
    const auto began = sys::process_start_time(pid);
    if (pidfd && began && *began <= now && group_of(pid) == adopted_)
      (void)::syscall(SYS_pidfd_send_signal, pidfd->get(), SIGKILL, nullptr, 0);
  }
}

void ServerProcess::leave() {
  if (adopted_ > 0) {
    adopted_ = -1;
    pidfd_.reset();
  } else {
    (void)child_.detach();
  }
}

}  // namespace holdfast::agent

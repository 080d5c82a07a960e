// A server that its unit starts and stops: asked for, and watched as any other that is not our child.
#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>

#include <condition_variable>
#include <csignal>

#include "agent/copy.h"
#include "agent/existing.h"
#include "agent/log_files.h"
#include "agent/server.h"
#include "agent/unit.h"
#include "base/log.h"
#include "sql/mariadb.h"

namespace holdfast::agent {

using std::chrono::seconds;

namespace {

constexpr seconds kBetweenLooks{1}, kUnitSettles{30};

/// The end of what the server said, wherever it says it.
std::string end_of_log(const MemberConfig& config) {
  if (config.log_file().empty()) return unit_log(config.existing->unit, 20);
  return tail_as_server(config, config.log_file(), 1500);
}

/// A unit's main process that is proven to be the member's server.
std::optional<RunningServer> server_of_unit(const MemberConfig& config) {
  auto found = find_running(config);
  if (!found) return find_joining(config);
  if (unit_of(found->pid) != config.existing->unit) return std::nullopt;
  return found;
}

/// Takes what was said for one start out of the server's configuration again.
class Forgetting {
 public:
  Forgetting(const MemberConfig& config, bool said) : config_(config), said_(said) {}
  ~Forgetting() { now(); }
  void now() {
    if (!said_ || config_.engine == cluster::Engine::postgres) return;
    auto forgotten = detail::tell_existing(config_, {});
    if (!forgotten) return log(LogLevel::warn, "{}: {}", config_.member, forgotten.error().to_string());
    said_ = false;
  }
  bool is_said() const { return said_; }
  Forgetting(const Forgetting&) = delete;
  Forgetting& operator=(const Forgetting&) = delete;

 private:
  const MemberConfig& config_;
  bool said_;
};

/// Its configuration may say otherwise behind our file, or have been kept from it (AppArmor, SELinux): a replica that
/// accepts writes is closed. PostgreSQL's standbys cannot be.
void close_replica(const MemberConfig& config, Deadline deadline, const std::stop_token& stop) {
  if (config.engine == cluster::Engine::postgres || config.role != Role::replica) return;
  const auto target = detail::admin_target(config);
  auto connection = target ? sql::MariadbConnection::connect(*target, deadline.at_most(seconds(5)), stop)
                           : Result<sql::MariadbConnection>(fail(target.error()));
  const char* name = config.engine == cluster::Engine::mysql ? "super_read_only" : "read_only";
  const auto is =
      connection ? connection->query(fmt::format("SELECT @@GLOBAL.{} AS r", name), deadline.at_most(seconds(5)), stop)
                 : Result<sql::Rows>(fail(connection.error()));
  if (!is)
    return log(LogLevel::warn, "{}: whether it is read-only is not known: {}", config.member, is.error().to_string());
  if (is->text("r") != "0") return;
  log(LogLevel::warn, "{}: its own configuration starts it with {}=OFF, though it is a replica: closed now",
      config.member, name);
  const auto closed = connection->query(fmt::format("SET GLOBAL {} = ON", name), deadline.at_most(seconds(5)), stop);
  if (!closed) log(LogLevel::warn, "{}: {}", config.member, closed.error().to_string());
}

}  // namespace

Status Server::start_by_unit(const MemberConfig& config, const LaunchOptions& options, Deadline deadline,
                             const std::stop_token& stop) {
  const std::string& unit = config.existing->unit;
  // One that its unit has begun to start by itself would not hear what is said now.
  if (options.new_cluster) TRY_VOID(stop_by_unit(config, StopMode::fast, deadline, stop));
  const auto words = TRY(words_for_start(config, options, deadline, stop));
  TRY_VOID(detail::tell_existing(config, words));
  // What holds for one start is not to be there at the next.
  Forgetting for_one_start(config, !words.empty());
  // Who asks for it has seen to the data: the end of a restore, or of its undoing.
  TRY_VOID(let_unit_start(config));
  TRY_VOID(start_unit(unit, config.existing->triggers, deadline, stop));
  std::optional<RunningServer> found;
  UnitState state;
  Error last{ErrorClass::unavailable, "agent.not_ready", "the server did not get ready in time", {}, {}};
  const auto appeared = sys::wait_until(
      [&] {
        found = server_of_unit(config);
        if (found) return true;
        auto now = unit_state(unit, deadline.at_most(seconds(5)), stop);
        if (now) state = *now;
        return now && state.active == "failed";
      },
      deadline, stop);
  if (found) {
    const int pidfd = ::fcntl(found->pidfd.get(), F_DUPFD_CLOEXEC, 3);
    MutexLock lock(mutex_);
    state_ = ServerState::starting;
    take(*found, config);
    options_.extra_args = options.extra_args;
    watcher_ = std::jthread([this, fd = sys::Fd(pidfd)](const std::stop_token& left) {
      if (watch_taken(fd.get(), left)) watch_unit(left);
    });
  }
  const auto ready = sys::wait_until(
      [&] {
        if (!found || pid() < 0) return true;
        // It has its locks, so it has read its configuration: should it end now, its unit starts it again.
        if (config.engine == cluster::Engine::galera && for_one_start.is_said() && find_running(config))
          for_one_start.now();
        // One that refuses our login serves its clients.
        if (!takes_connections(config, Deadline::in(seconds(2)))) return false;
        MutexLock lock(mutex_);
        if (state_ == ServerState::starting) state_ = ServerState::running;
        return true;
      },
      deadline, stop);
  if (found && ready && *ready && pid() > 0) {
    // What its unit does behind the start (pg_ctlcluster looks once a second) is not to meet the next change.
    const auto settled = [&] {
      auto now = unit_state(unit, deadline.at_most(seconds(5)), stop);
      return !now || now->active != "activating";
    };
    (void)sys::wait_until(settled, deadline.at_most(kUnitSettles), stop);
    close_replica(config, deadline, stop);
    review_places(deadline.at_most(seconds(10)), stop);
    note_data(config);
    forget_left_logs(config);
    return {};
  }
  if (!appeared) last = appeared.error();
  if (!ready) last = ready.error();
  if (state.active == "failed" || (found && pid() < 0))
    last = Error{ErrorClass::failed, "agent.start_failed", fmt::format("{} failed ({})", unit, state.result), {}, {}};
  // What is still starting is left to it: a recovery takes its time, and its clients would lose a server that serves.
  if (pid() < 0) (void)stop_by_unit(config, StopMode::fast, Deadline::in(seconds(20)), {});
  last.message += fmt::format(
      "\nend of {}:\n{}", config.log_file().empty() ? "the journal of " + unit : config.log_file(), end_of_log(config));
  return fail(std::move(last).with_context("starting " + config.member));
}

/// Its unit is asked, whether it runs or not: one that is about to start it again is kept from it.
Status Server::stop_by_unit(const MemberConfig& config, StopMode mode, Deadline deadline, const std::stop_token& stop) {
  const std::string& unit = config.existing->unit;
  UnitState state = TRY(unit_state(unit, Deadline::in(seconds(10))));
  const auto& triggers = config.existing->triggers;
  if (state.is_down() && pid() < 0 && triggers.empty()) return {};
  TRY_VOID(stop_unit(unit, triggers, Deadline::in(seconds(10))));
  if (mode == StopMode::immediate) (void)kill_unit(unit, Deadline::in(seconds(10)));
  {
    MutexLock lock(mutex_);
    if (mode == StopMode::fast) (void)process_.signal(SIGCONT);  // a stopped process never sees the other one
  }
  const auto down = [&] {
    if (pid() > 0) return false;
    auto now = unit_state(unit, Deadline::in(seconds(5)));
    return now && now->is_down();
  };
  const auto in_time = sys::wait_until(down, deadline, stop);
  if (in_time && *in_time) return {};
  log(LogLevel::warn, "{} did not stop in time and is killed", unit);
  (void)kill_unit(unit, Deadline::in(seconds(10)));
  if (TRY(sys::wait_until(down, Deadline::in(seconds(20))))) return {};
  return fail(ErrorClass::needs_operator, "agent.unkillable", unit + " does not end even by SIGKILL",
              "look for a hung disk (dmesg); it ends when its last read or write does");
}

sys::Fd Server::look_for_unit(const std::stop_token& stop) {
  std::mutex mutex;
  std::condition_variable_any sleep;
  for (;;) {
    {
      std::unique_lock asleep(mutex);
      if (sleep.wait_for(asleep, stop, kBetweenLooks, [&] { return stop.stop_requested(); })) return {};
      if (stop.stop_requested()) return {};
    }
    const MemberConfig config = this->config();
    auto found = server_of_unit(config);
    if (!found) continue;
    // While something is changed here, what comes up is that change's to see.
    const std::unique_lock changing(changing_, std::try_to_lock);
    if (!changing.owns_lock()) continue;
    sys::Fd pidfd(::fcntl(found->pidfd.get(), F_DUPFD_CLOEXEC, 3));
    MutexLock lock(mutex_);
    state_ = ServerState::starting;
    take(*found, config);
    return pidfd;
  }
}

void Server::watch_unit(const std::stop_token& stop) {
  while (const sys::Fd pidfd = look_for_unit(stop))
    if (!watch_taken(pidfd.get(), stop)) return;
}

bool Server::watch_taken(int pidfd, const std::stop_token& stop) {
  const MemberConfig config = this->config();
  (void)sys::wait_until(
      [&] {
        pollfd ended{pidfd, POLLIN, 0};
        if (::poll(&ended, 1, 0) > 0) return true;
        if (!takes_connections(config, Deadline::in(seconds(2)))) return false;
        {
          MutexLock lock(mutex_);
          if (state_ == ServerState::starting) state_ = ServerState::running;
        }
        close_replica(config, Deadline::in(seconds(5)), stop);
        review_places(Deadline::in(seconds(10)), stop);
        if (unit_has_started_) unit_has_started_();
        return true;
      },
      Deadline::never(), stop);
  if (!sys::wait_fd(pidfd, POLLIN, Deadline::never(), stop)) return false;  // it is left running
  note_end();
  return true;
}

void Server::review_places(Deadline deadline, const std::stop_token& stop) {
  const MemberConfig config = this->config();
  if (!config.existing) return;
  auto now = data_places_now(config, deadline, stop);
  if (!now)
    return log(LogLevel::warn, "{}: where its data is was not asked: {}", config.member, now.error().to_string());
  if (*now == static_cast<const DataPlaces&>(*config.existing)) return;
  MutexLock lock(mutex_);
  if (!config_.existing) return;
  log(LogLevel::info, "{}: {}", config_.member,
      now->elsewhere.empty() ? "its data is where a rebuild can replace it"
                             : "a rebuild cannot replace all of its data: " + now->elsewhere.front());
  static_cast<DataPlaces&>(*config_.existing) = std::move(*now);
  auto written = write_config(config_);
  if (!written) log(LogLevel::warn, "{}: {}", config_.member, written.error().to_string());
}

std::optional<sys::ExitStatus> Server::end_by_unit(const std::string& unit, pid_t pid) {
  std::optional<sys::ExitStatus> ended;
  // systemd is told at the same time as we are. Where it has started the next one, or has forgotten the unit, it does
  // not know any more, and where a script minds the server it never does.
  const auto told = [&] {
    const auto now = unit_state(unit, Deadline::in(seconds(2)));
    if (now && now->ended_pid == pid) ended = now->ended;
    return !now || ended || now->ended_pid > 0 || now->is_down() || (now->main_pid > 0 && now->main_pid != pid);
  };
  (void)sys::wait_until(told, Deadline::in(seconds(2)));
  return ended;
}

void Server::await_unit() {
  if (!config().is_by_unit() || watcher_.joinable()) return;
  watcher_ = std::jthread([this](const std::stop_token& left) { watch_unit(left); });
}

}  // namespace holdfast::agent

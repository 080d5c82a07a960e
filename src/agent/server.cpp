#include "agent/server.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <unistd.h>

#include <csignal>

#include "agent/channels.h"
#include "agent/dir_users.h"
#include "agent/last_data.h"
#include "agent/log_files.h"
#include "base/log.h"
#include "sys/any_process.h"
#include "sys/file.h"

namespace holdfast::agent {

using std::chrono::seconds;

std::string_view server_state_name(ServerState state) {
  switch (state) {
    case ServerState::stopped:
      return "stopped";
    case ServerState::starting:
      return "starting";
    case ServerState::running:
      return "running";
    case ServerState::stopping:
      return "stopping";
    case ServerState::failed:
      return "failed";
  }
  return "?";
}

namespace {

Error unkillable() {
  return Error{ErrorClass::needs_operator,
               "agent.unkillable",
               "the server does not end even by SIGKILL",
               "look for a hung disk (dmesg); it ends when its last read or write does",
               {}};
}

/// Only the parent of a process learns its status. What its files say is something else, and said as such.
std::string unknown_end(bool in_order) {
  return in_order ? "an unknown status, in order: it removed its pid file" : "an unknown status";
}

}  // namespace

void note_data(const MemberConfig& config) {
  auto noted = remember_data(config);
  if (!noted) log(LogLevel::warn, "{}: {}", config.member, noted.error().to_string());
}

Error running_error() {
  return Error{ErrorClass::refused, "agent.running", "the server runs on this data directory", "stop it first", {}};
}

Server::Server(MemberConfig config) : config_(std::move(config)) {}

Server::~Server() {
  bool stays = false;
  {
    MutexLock lock(mutex_);
    stays = process_ && config_.server_survives && state_ != ServerState::stopped && state_ != ServerState::failed;
    if (process_ && !stays) process_.kill_session();
    if (config_.is_by_unit()) watcher_.request_stop();
  }
  if (stays) watcher_.request_stop();
  if (watcher_.joinable()) watcher_.join();
  MutexLock lock(mutex_);
  if (stays) process_.leave();
}

MemberConfig Server::config_now() const {
  MemberConfig config = config_;
  config.apart = apart_;
  return config;
}

MemberConfig Server::config() const {
  MutexLock lock(mutex_);
  return config_now();
}

std::optional<MemberConfig> Server::serving() const {
  MutexLock lock(mutex_);
  if (state_ != ServerState::running || options_.mode != StartMode::normal || options_.side) return std::nullopt;
  return config_now();
}

pid_t Server::pid() const {
  MutexLock lock(mutex_);
  return state_ == ServerState::stopped || state_ == ServerState::failed ? -1 : process_.pid();
}

ServerState Server::state() const {
  MutexLock lock(mutex_);
  return state_;
}

Result<std::unique_lock<std::mutex>> Server::begin() {
  std::unique_lock lock(changing_, std::try_to_lock);
  if (!lock.owns_lock())
    return fail(ErrorClass::conflict, "agent.busy", "another change of this server is under way",
                "wait for it, then ask again");
  return lock;
}

std::string Server::log_tail() const {
  const MemberConfig config = this->config();
  return tail_as_server(config, config.log_file(), 1500);
}

bool Server::runs_on(bool side) const {
  MutexLock lock(mutex_);
  return state_ != ServerState::stopped && state_ != ServerState::failed && options_.side == side;
}

std::vector<cluster::OutsideProcess> Server::outside() const {
  const pid_t ours[] = {::getpid()};
  std::vector<cluster::OutsideProcess> all;
  for (const bool side : {false, true}) {
    if (runs_on(side)) continue;
    for (auto& user : users_of(side ? side_of(config()).data_dir() : config().data_dir(), ours))
      all.push_back(std::move(user));
  }
  return all;
}

Status Server::check_stopped() const {
  if (pid() > 0) return fail(running_error());
  return check_unused(config().data_dir());
}

/// Runs in its own thread for as long as one server process lives.
void Server::watch(int pidfd, const std::stop_token& stop) {
  if (!sys::wait_fd(pidfd, POLLIN, Deadline::never(), stop)) return;  // it is left running
  note_end();
  if (config().is_by_unit()) watch_unit(stop);
}

void Server::note_end() {
  std::string unit;
  pid_t pid = 0;
  bool asked = false;
  {
    MutexLock lock(mutex_);
    if (by_unit_) unit = config_.existing->unit;
    pid = process_.pid();
    asked = state_ == ServerState::stopping;
    note_end_now();
  }
  // That it has ended is known at once; how it did, where systemd is its parent, a moment later.
  const auto ended = unit.empty() ? std::nullopt : end_by_unit(unit, pid);
  if (!ended) return;
  MutexLock lock(mutex_);
  last_exit_ = ended->to_string();
  if (!asked) state_ = ended->ok() ? ServerState::stopped : ServerState::failed;
  log(LogLevel::info, "server of {} ended: {}, says {}", config_.member, last_exit_, unit);
}

void Server::note_end_now() {
  // What the server started (SST scripts, archivers) must not outlive it. A child's pid is ours until it is reaped
  // below.
  process_.kill_session();
  auto ended = process_.poll();
  bool in_order = ended && ended->ok();
  if (ended) {
    last_exit_ = ended->to_string();
  } else {
    in_order = state_ == ServerState::running && !left_its_pid_file(config_now());
    last_exit_ = unknown_end(in_order);
  }
  last_exit_at_ = utc_now();
  log(LogLevel::info, "server of {} ended: {}", config_.member, last_exit_);
  const bool asked = state_ == ServerState::stopping;
  cut_off_stop_ = false;
  by_unit_ = false;
  state_ = asked || in_order ? ServerState::stopped : ServerState::failed;
}

void Server::leave_watch() {
  if (!watcher_.joinable()) return;
  // After the end of one that its unit starts, it waits for the next one.
  if (pid() < 0) watcher_.request_stop();
  watcher_.join();
}

Status Server::start(const LaunchOptions& options, Deadline deadline, std::stop_token stop) {
  auto lock = TRY(begin());
  return start_until_stopped(options, deadline, std::move(stop));
}

Status Server::start_until_stopped(const LaunchOptions& options, Deadline deadline, std::stop_token stop) {
  std::stop_source source;
  const std::stop_callback chain(std::move(stop), [source]() mutable { source.request_stop(); });
  {
    MutexLock guard(mutex_);
    start_ = source;
  }
  auto started = start_locked(options, deadline, source.get_token());
  MutexLock guard(mutex_);
  start_ = std::stop_source(std::nostopstate);
  return started;
}

bool Server::give_start_up() {
  MutexLock guard(mutex_);
  return start_.stop_possible() && (start_.stop_requested() || start_.request_stop());
}

Result<bool> Server::still_runs(const MemberConfig& config, Deadline deadline, const std::stop_token& stop) const {
  const auto seen = [&] {
    return pid() < 0 || sys::is_dying(pid()) || probe_ready(config, deadline.at_most(seconds(1)));
  };
  (void)TRY(sys::wait_until(seen, deadline.at_most(seconds(2)), stop));
  const pid_t server = pid();
  if (server < 0 || !sys::is_dying(server)) return server > 0;
  if (!TRY(sys::wait_until([&] { return pid() < 0; }, deadline, stop))) return fail(unkillable());
  return false;
}

Status Server::start_locked(const LaunchOptions& options, Deadline deadline, std::stop_token stop) {
  MemberConfig config = this->config();
  if (options.side) config.data_name = kSideName;
  const bool by_unit = config.is_by_unit() && options.mode == StartMode::normal && !options.side;
  config.apart = config.existing && !by_unit;
  if (by_unit && options.new_cluster) TRY_VOID(give_up_joining(config, deadline, stop));
  TRY_VOID(settle(deadline, stop));
  if (TRY(still_runs(config, deadline, stop))) {
    MutexLock lock(mutex_);
    if (options_.mode == options.mode && options_.side == options.side) return {};
    return fail(ErrorClass::refused, "agent.running", config.member + " runs already, in another mode or on other data",
                "stop it first");
  }
  leave_watch();
  // Whatever becomes of it: what its unit starts later is seen.
  struct Watching {
    Server& server;
    ~Watching() {
      if (server.pid() < 0) server.await_unit();
    }
  } const watching{*this};
  TRY_VOID(finish_swap(config));
  TRY_VOID(check_startable(config));
  TRY_VOID(clear_stale(config));
  if (by_unit) return start_by_unit(config, options, deadline, stop);
  LaunchOptions launch = options;
  if (config.engine == cluster::Engine::galera && options.mode == StartMode::normal) {
    // The server must be told where it stands, as galera_recovery does; after a crash only InnoDB knows.
    // Where it says that it stands nowhere, Galera has thrown the node out: what InnoDB says is then no position.
    auto saved = read_grastate(config);
    if (saved && !saved->zero_uuid())
      launch.extra_args.push_back("--wsrep-start-position=" + TRY(galera_position_locked(config, deadline, stop)));
    if (saved && options.new_cluster && saved->safe_to_bootstrap != true) TRY_VOID(allow_bootstrap(config, *saved));
  }
  auto command = TRY(prepare_launch(config, launch));
  const sys::Fd out = TRY(open_log(config, config.log_file()));
  command.out = command.err = sys::Stdio::to(out.get());
  if (config.server_survives) {
    command.die_with_parent = 0;
    command.env.push_back(server_mark(config, launch));
    forget_stopping(config);
  }
  auto process = sys::spawn(command);
  if (!process) return fail(std::move(process).error().with_context("starting " + config.member));
  int pidfd = process->pidfd();
  {
    MutexLock lock(mutex_);
    state_ = ServerState::starting;
    recovered_.reset();
    apart_ = config.apart;
    process_ = ServerProcess(std::move(*process));
    options_ = launch;
    command_ = command;
    started_at_ = utc_now();
  }
  watcher_ = std::jthread([this, pidfd](const std::stop_token& left) { watch(pidfd, left); });
  Error last{ErrorClass::unavailable, "agent.not_ready", "the server did not get ready in time", {}, {}};
  auto ready = sys::wait_until(
      [&] {
        if (pid() < 0) return true;
        auto probed = probe_ready(config, Deadline::in(seconds(2)));
        if (probed) {
          MutexLock lock(mutex_);
          if (state_ == ServerState::starting) state_ = ServerState::running;
          return true;
        }
        last = std::move(probed).error();
        return false;
      },
      deadline, stop);
  if (ready && *ready && pid() > 0) {
    if (!launch.side) {
      note_data(config);
      forget_left_logs(config);
    }
    return {};
  }
  if (pid() < 0) {
    MutexLock lock(mutex_);
    last = Error{ErrorClass::failed, "agent.start_failed", fmt::format("the server ended with {}", last_exit_), {}, {}};
  } else {
    (void)stop_locked(StopMode::immediate, Deadline::in(seconds(10)), {});
  }
  if (!ready) last = std::move(ready).error();
  last.message += "\nend of " + config.log_file() + ":\n" + log_tail();
  return fail(std::move(last).with_context("starting " + config.member));
}

Status Server::stop(StopMode mode, Deadline deadline, std::stop_token stop) {
  // A server that never gets ready (a Galera node whose donor hangs) would otherwise be stopped by its start's
  // deadline alone.
  auto lock = begin();
  if (!lock && give_start_up())
    (void)TRY(sys::wait_until([&] { return (lock = begin()).has_value(); }, deadline, stop));
  if (!lock) return fail(std::move(lock).error());
  return stop_locked(mode, deadline, stop);
}

Status Server::stop_locked(StopMode mode, Deadline deadline, std::stop_token stop) {
  const MemberConfig config = this->config();
  bool by_unit = false;
  {
    MutexLock lock(mutex_);
    by_unit = by_unit_;
  }
  if (mode == StopMode::fast && serving()) (void)note_channels(config, Deadline::in(seconds(2)), stop);
  if (config.server_survives && pid() > 0) {
    // A full disk keeps nobody from stopping a server: the next agent then sees one that takes no connections.
    auto noted = note_stopping(config, pid());
    if (!noted) log(LogLevel::warn, "{}: {}", config.member, noted.error().to_string());
  }
  bool stopped = false;
  ServerState before = ServerState::stopped;
  {
    MutexLock lock(mutex_);
    before = state_;
    stopped = state_ == ServerState::stopped || state_ == ServerState::failed;
    state_ = stopped ? ServerState::stopped : ServerState::stopping;
    cut_off_stop_ = false;
    if (!stopped && !by_unit) {
      TRY_VOID(mode == StopMode::fast ? process_.signal(stop_signal(config.engine)) : process_.signal(SIGKILL));
      if (mode == StopMode::fast) (void)process_.signal(SIGCONT);  // a stopped process never sees it otherwise
    }
  }
  if (config.is_by_unit() && (stopped || by_unit)) {
    auto asked = stop_by_unit(config, mode, deadline, stop);
    if (!asked && asked.error().id != "agent.unkillable") forget_stop(before);
    TRY_VOID(std::move(asked));
    stopped = true;
  }
  auto ended = [&] { return pid() < 0; };
  auto in_time = stopped ? Result<bool>(true) : sys::wait_until(ended, deadline, stop);
  if (!in_time || !*in_time) {
    {
      MutexLock lock(mutex_);
      log(LogLevel::warn, "server of {} did not stop in time and is killed", config.member);
      (void)process_.signal(SIGKILL);
    }
    if (!TRY(sys::wait_until(ended, Deadline::in(seconds(20))))) return fail(unkillable());
  }
  leave_watch();
  // Stopped is what nobody runs on: one that was started by hand, or what a killed server left behind, goes on writing.
  TRY_VOID(wait_until_unused(config));
  TRY_VOID(check_unused(side_of(config).data_dir()));
  if (config.server_survives) forget_stopping(config);
  await_unit();
  return {};
}

void Server::forget_stop(ServerState before) {
  MutexLock lock(mutex_);
  if (state_ != ServerState::stopping) return;  // it has ended meanwhile
  state_ = before == ServerState::stopping ? ServerState::running : before;
  forget_stopping(config_);
}

Status Server::restart(const LaunchOptions& options, Deadline deadline, std::stop_token stop) {
  auto lock = TRY(begin());
  TRY_VOID(stop_locked(StopMode::fast, deadline, stop));
  return start_until_stopped(options, deadline, std::move(stop));
}

Result<std::string> Server::set_aside() {
  auto lock = TRY(begin());
  if (runs_on(false)) return fail(running_error());
  TRY_VOID(finish_swap(config()));
  return set_data_aside(config());
}

Status Server::put_back(const std::string& aside) {
  auto lock = TRY(begin());
  if (pid() > 0) return fail(running_error());
  TRY_VOID(finish_swap(config()));
  return put_data_back(config(), aside);
}

Result<bool> Server::reconfigure(const codec::Value& changes) {
  auto lock = TRY(begin());
  MemberConfig c = config();
  if (changes.find("role")) c.role = changes["role"].text() == "replica" ? Role::replica : Role::primary;
  if (changes.find("upstream")) c.upstream = changes["upstream"].text();
  if (changes["peers"].is_list()) c.peers = peers_from(changes["peers"]);
  TRY_VOID(write_config(c));
  // Its unit may start it without asking us. A standby's signal must not go away while it is one: that of one that is
  // to be a primary goes at its start.
  const bool stopped_standby =
      c.engine == cluster::Engine::postgres && c.role == Role::replica && pid() < 0 && is_initialised(c);
  if (c.is_by_unit() && (c.engine != cluster::Engine::postgres || stopped_standby))
    TRY_VOID(detail::tell_existing(c, {}));
  bool leads = true;
  if (const std::string source = changes["source"].text(); c.existing && c.engine == cluster::Engine::postgres) {
    if (source == "now") leads = TRY(detail::tell_source(c));
    if (source == "before") TRY_VOID(detail::tell_source_before(c));
  }
  MutexLock guard(mutex_);
  config_ = std::move(c);
  return leads;
}

codec::Value Server::status() const {
  MutexLock lock(mutex_);
  const bool alive = process_ && state_ != ServerState::stopped && state_ != ServerState::failed;
  auto env = codec::Value::object();
  for (const auto& [name, value] : command_.env) env.set(name, value);
  return codec::Value::object({{"state", server_state_name(state_)},
                               {"pid", alive ? process_.pid() : -1},
                               {"adopted", alive && process_.is_adopted()},
                               {"mode", options_.mode == StartMode::isolated ? "isolated" : "normal"},
                               {"data", options_.side ? "side" : "main"},
                               {"startedAt", started_at_},
                               {"lastExit", last_exit_},
                               {"lastExitAt", last_exit_at_},
                               {"initialised", is_initialised(config_)},
                               {"side", is_initialised(side_of(config_))},
                               {"progress", progress_.value()},
                               {"argv", codec::Value::list_of(command_.argv)},
                               {"env", env}});
}

}  // namespace holdfast::agent

// A server that outlived the agent which started it.
#include <fcntl.h>
#include <fmt/format.h>

#include "agent/galera_node.h"
#include "agent/server.h"
#include "agent/unit.h"
#include "base/log.h"

namespace holdfast::agent {

using std::chrono::seconds;

bool Server::adopt() {
  // What an agent that was killed has said for a start holds for no later one.
  if (const MemberConfig config = this->config(); config.existing && config.engine == cluster::Engine::galera)
    if (auto forgotten = tell_node(config, {}); !forgotten)
      log(LogLevel::warn, "{}: {}", config.member, forgotten.error().to_string());
  const bool adopted = adopt_running();
  await_unit();
  return adopted;
}

bool Server::adopt_running() {
  const MemberConfig config = this->config();
  if (!config.server_survives) return false;
  std::string why;
  auto found = find_running(config, &why);
  if (!found) {
    if (!why.empty()) log(LogLevel::warn, "{}: not adopted: {}", config.member, why);
    MutexLock lock(mutex_);
    // Without a pid file it was never started, or it ended in order: a start removes the one of before.
    if (why.empty() && left_its_pid_file(config)) {
      state_ = ServerState::failed;
      last_exit_ = "an unknown status while no agent was running";
    }
    return false;
  }
  const bool serves = takes_connections(config, Deadline::in(seconds(2)));
  const int pidfd = found->pidfd.get();
  {
    MutexLock lock(mutex_);
    // An agent that was killed between its note and the signal has asked for nothing: then it serves on.
    state_ = serves                              ? ServerState::running
             : is_noted_stopping(config, *found) ? ServerState::stopping
                                                 : ServerState::starting;
    cut_off_stop_ = state_ == ServerState::stopping;
    take(*found, config);
  }
  watcher_ = std::jthread(
      [this, fd = sys::Fd(::fcntl(pidfd, F_DUPFD_CLOEXEC, 3))](const std::stop_token& left) { watch(fd.get(), left); });
  return true;
}

void Server::take(const RunningServer& found, const MemberConfig& config) {
  options_ = {};
  options_.mode = found.mode;
  options_.side = found.side;
  command_ = {};
  command_.argv = found.argv;
  command_.env = found.env;
  started_at_ = found.started_at;
  by_unit_ = config.is_by_unit() && unit_of(found.pid) == config.existing->unit;
  apart_ = config.existing && !found.env.empty();  // it has our mark
  recovered_.reset();
  process_ = ServerProcess(found);
  log(LogLevel::info, "{}: adopted its server, process {}, started at {} ({})", config.member, found.pid, started_at_,
      server_state_name(state_));
}

bool Server::await_adopted(const std::stop_token& stop) {
  const MemberConfig config = this->config();
  const auto is_coming = [this] {
    MutexLock lock(mutex_);
    return state_ == ServerState::starting || cut_off_stop_;
  };
  (void)sys::wait_until(
      [&] {
        if (!is_coming()) return true;
        if (!takes_connections(config, Deadline::in(seconds(2)))) return false;
        MutexLock lock(mutex_);
        if (state_ == ServerState::starting || cut_off_stop_) state_ = ServerState::running;
        cut_off_stop_ = false;
        return true;
      },
      Deadline::never(), stop);
  const bool serves = serving().has_value();
  if (serves) review_places(Deadline::in(seconds(10)), stop);
  return serves;
}

Status Server::settle(Deadline deadline, const std::stop_token& stop) {
  {
    MutexLock lock(mutex_);
    if (!process_.is_adopted()) return {};
  }
  (void)TRY(sys::wait_until([&] { return state() != ServerState::starting; }, deadline, stop));
  if (TRY(sys::wait_until([&] { return state() != ServerState::stopping; }, deadline, stop))) return {};
  return fail(ErrorClass::unavailable, "agent.stopping",
              fmt::format("the server of {} is shutting down and does not end", this->config().member),
              "stop it first: one that does not end in time is killed");
}

}  // namespace holdfast::agent

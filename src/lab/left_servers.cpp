#include "lab/left_servers.h"

#include <fmt/format.h>
#include <poll.h>

#include <csignal>

namespace holdfast::lab {

using std::chrono::seconds;

std::optional<agent::RunningServer> surviving_server(const agent::MemberConfig& config) {
  return config.server_survives ? agent::find_running(config) : std::nullopt;
}

Status end_surviving_server(const agent::MemberConfig& config, bool orderly, Deadline deadline, std::stop_token stop) {
  const auto running = surviving_server(config);
  if (!running) return {};
  agent::ServerProcess process(*running);
  if (orderly) {
    TRY_VOID(process.signal(agent::stop_signal(config.engine)));
    (void)process.signal(SIGCONT);
    (void)TRY(sys::wait_fd(process.pidfd(), POLLIN, deadline.at_most(seconds(60)), stop));
  }
  process.kill_session();
  if (TRY(sys::wait_fd(process.pidfd(), POLLIN, Deadline::in(seconds(15))))) return {};
  return fail(ErrorClass::needs_operator, "agent.unkillable",
              fmt::format("the server of {} (pid {}) does not end", config.member, running->pid),
              "look for a hung disk (dmesg)");
}

}  // namespace holdfast::lab

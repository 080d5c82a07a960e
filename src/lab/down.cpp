#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <filesystem>
#include <thread>

#include "agent/client.h"
#include "agent/dir_users.h"
#include "lab/host_certificates.h"
#include "lab/hosts.h"
#include "lab/layout.h"
#include "lab/left_servers.h"
#include "lab/surroundings.h"
#include "sys/any_process.h"
#include "sys/beneath.h"
#include "sys/process.h"

namespace holdfast::lab {

namespace fs = std::filesystem;
using std::chrono::seconds;

namespace {

/// Ends the agent of a member, and with it the server. Polite first; an agent that does not answer is killed.
Status end_agent(const Layout& layout, const ClusterPlan& plan, int ordinal, bool orderly, Deadline deadline,
                 std::stop_token stop) {
  const std::string dir = layout.member_dir(plan.name, ordinal);
  auto lock = sys::open_file(dir + "/agent.lock", O_RDWR);
  if (!lock) return {};
  if (sys::lock_file(lock->get())) return {};  // nobody has it
  auto text = TRY(sys::read_file(dir + "/agent.lock"));
  const pid_t pid = static_cast<pid_t>(std::strtol(std::string(as_text(text.span())).c_str(), nullptr, 10));
  auto pidfd = pid > 1 ? sys::open_pidfd(pid) : Result<sys::Fd>(fail(ErrorClass::failed, "lab.agent", "no pid"));
  auto config = agent::read_config(dir);
  if (config) {
    auto client = agent::Client::connect(config->agent_socket(), Deadline::in(seconds(2)));
    if (client) {
      auto ended = client->call_now(
          "shutdown", codec::Value::object({{"mode", orderly ? "fast" : "immediate"}, {"timeoutSeconds", 60}}),
          deadline.at_most(seconds(orderly ? 90 : 10)), stop);
      if (!ended && ended.error().error_class == ErrorClass::interrupted) return fail(std::move(ended).error());
    }
  }
  auto gone = [&] { return sys::lock_file(lock->get()); };
  if (TRY(sys::wait_until(gone, deadline.at_most(seconds(15)), stop))) return {};
  if (pidfd) (void)::syscall(SYS_pidfd_send_signal, pidfd->get(), SIGKILL, nullptr, 0);
  if (TRY(sys::wait_until(gone, Deadline::in(seconds(15))))) return {};
  return fail(ErrorClass::needs_operator, "lab.agent_stuck",
              fmt::format("the agent of {} (pid {}) does not end", dir, pid));
}

/// Ends a writer that `lab load --background` left: its lock holds its pid while it lives.
void end_writer(const Layout& layout, const ClusterPlan& plan) {
  auto lock = sys::open_file(layout.cluster_dir(plan.name) + "/writer.lock", O_RDWR);
  if (!lock || sys::lock_file(lock->get())) return;
  auto text = sys::read_file(layout.cluster_dir(plan.name) + "/writer.lock");
  if (!text) return;
  const pid_t pid = static_cast<pid_t>(std::strtol(std::string(as_text(text->span())).c_str(), nullptr, 10));
  auto pidfd = pid > 1 ? sys::open_pidfd(pid) : Result<sys::Fd>(fail(ErrorClass::failed, "lab.writer", "no pid"));
  if (!pidfd) return;
  (void)::syscall(SYS_pidfd_send_signal, pidfd->get(), SIGTERM, nullptr, 0);
  auto ended = sys::wait_fd(pidfd->get(), POLLIN, Deadline::in(seconds(5)));
  if (!ended || !*ended) (void)::syscall(SYS_pidfd_send_signal, pidfd->get(), SIGKILL, nullptr, 0);
}

/// "lab.in_use" where a process works on a member's data that its agent did not start: `down` can neither end it nor
/// take its directory away.
Status check_no_outside(const Layout& layout, const std::vector<ClusterPlan>& plans, std::stop_token stop) {
  for (const auto& plan : plans)
    for (const auto& config : existing_members(layout, plan)) {
      std::string who;
      const Deadline deadline = Deadline::in(seconds(5));
      auto client = agent::Client::connect(config.agent_socket(), deadline);
      auto status = client ? client->call("status", codec::Value::object(), deadline, stop)
                           : Result<codec::Value>(fail(client.error()));
      if (status) {
        for (const auto& user : (*status)["outside"].items())
          if (who.empty())
            who = agent::outside_text(
                {static_cast<int>(user["pid"].integer()), user["program"].text(), user["how"].text()});
      } else if (surviving_server(config)) {
        continue;  // it is the lab's own
      } else if (auto unused = agent::check_unused(config.data_dir()); !unused && unused.error().id == "agent.in_use") {
        who = unused.error().message;
      }
      if (!who.empty())
        return fail(
            ErrorClass::refused, "lab.in_use",
            fmt::format("{} runs outside its agent: {}; nothing was stopped or removed", config.member, who),
            "stop that process in order (kill -TERM PID; PostgreSQL: kill -INT PID), then run holdfast lab down "
            "again");
    }
  return {};
}

}  // namespace

Status down(const Options& options, const std::vector<std::string>& clusters, bool keep_data, Deadline deadline,
            std::stop_token stop) {
  const Layout layout(options.state_dir);
  auto plans = TRY(select_clusters(clusters));
  const HostNetwork hosts(layout);
  const bool had_hosts = hosts.exists();
  if (had_hosts) TRY_VOID(can_have_hosts());
  std::error_code error;
  if (!fs::exists(layout.lab_dir(), error)) return hosts.remove(deadline, stop);
  auto lock = TRY(lock_lab(layout, deadline, stop));
  TRY_VOID(check_no_outside(layout, plans, stop));
  std::vector<Status> results(plans.size());
  {
    std::vector<std::jthread> threads;
    for (size_t i = 0; i < plans.size(); ++i)
      threads.emplace_back([&, i] {
        end_writer(layout, plans[i]);
        // One after the other, the first member last: it is then the one a Galera cluster starts from again.
        for (int ordinal = kMostMembers - 1; ordinal >= 0; --ordinal) {
          auto ended = end_agent(layout, plans[i], ordinal, keep_data, deadline, stop);
          const auto config = agent::read_config(layout.member_dir(plans[i].name, ordinal));
          if (ended && config) ended = end_surviving_server(*config, keep_data, deadline, stop);
          if (!ended && results[i]) results[i] = std::move(ended);
        }
      });
  }
  for (auto& result : results) TRY_VOID(std::move(result));
  for (const auto& plan : plans) {
    for (const auto& config : existing_members(layout, plan)) {
      TRY_VOID(mend_network(config));
      if (keep_data) {
        TRY_VOID(leave_small_disk(config, deadline, stop));
      } else {
        drop_small_disk(config);
      }
    }
  }
  if (had_hosts && !hosts_in_use(layout)) TRY_VOID(hosts.remove(deadline, stop));
  if (keep_data) return {};
  for (const auto& plan : plans) {
    for (int i = 0; i < kMostMembers; ++i) {
      const std::string sockets = layout.socket_dir(plan.name, i);
      fs::remove(sockets + ".agent.sock", error);
      (void)sys::remove_tree(sockets);
    }
    const std::string sockets = fs::path(layout.socket_dir(plan.name, 0)).parent_path().string();
    if (sockets.starts_with("/tmp/holdfast-"))
      fs::remove(sockets, error);  // only when empty: other clusters use it too
    fs::remove(layout.yaml_file(plan.name), error);
    TRY_VOID(sys::remove_tree(layout.cluster_dir(plan.name)));
  }
  for (const auto& plan : cluster_plans())
    for (const auto& member : existing_members(layout, plan))
      if (host_of(member) > 0) return {};
  return remove_host_certificates(layout);
}

}  // namespace holdfast::lab

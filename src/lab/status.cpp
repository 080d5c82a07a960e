#include <fmt/format.h>

#include <thread>

#include "agent/client.h"
#include "lab/layout.h"
#include "lab/left_servers.h"

namespace holdfast::lab {

namespace {

MemberStatus observe(const agent::MemberConfig& c, std::chrono::milliseconds limit) {
  MemberStatus s;
  s.cluster = c.cluster;
  s.ns = c.ns;
  s.member = c.member;
  s.engine = cluster::engine_name(c.engine);
  s.role = c.engine == cluster::Engine::galera ? "member" : c.role == agent::Role::replica ? "replica" : "primary";
  s.data_dir = c.data_dir();
  s.socket = c.server_socket();
  s.host = c.host;
  s.port = c.port;
  s.user = c.admin_user;
  s.password_file = c.admin_password_file;
  s.agent_socket = c.agent_socket();
  s.agent = c.listen;
  s.net_namespace = c.net_namespace;
  s.log_file = c.log_file();
  s.state = "no agent";
  auto client = agent::Client::connect(c.agent_socket(), Deadline::in(limit));
  if (!client) {
    if (const auto running = surviving_server(c)) s.pid = running->pid;
    return s;
  }
  auto reply = client->call("status", Deadline::in(limit));
  if (!reply) return s;
  const codec::Value& server = (*reply)["server"];
  s.state = server["state"].text_or("unknown");
  s.pid = static_cast<int>(server["pid"].integer(-1));
  s.agent_pid = static_cast<int>((*reply)["agent"]["pid"].integer(-1));
  return s;
}

}  // namespace

Result<LabStatus> status(const Options& options, std::chrono::milliseconds per_member) {
  const Layout layout(options.state_dir);
  LabStatus result;
  result.state_dir = layout.state_dir();
  std::vector<agent::MemberConfig> configs;
  for (const auto& plan : cluster_plans())
    for (auto& config : existing_members(layout, plan)) configs.push_back(std::move(config));
  result.members.resize(configs.size());
  std::vector<std::jthread> threads;
  for (size_t i = 0; i < configs.size(); ++i)
    threads.emplace_back([&, i] { result.members[i] = observe(configs[i], per_member); });
  threads.clear();
  return result;
}

}  // namespace holdfast::lab

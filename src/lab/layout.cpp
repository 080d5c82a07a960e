#include "lab/layout.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>

#include "lab/host_certificates.h"
#include "lab/hosts.h"
#include "lab/left_servers.h"
#include "sys/process.h"

namespace holdfast::lab {

namespace fs = std::filesystem;
using cluster::Engine;
using cluster::ReplicationMode;

const std::vector<ClusterPlan>& cluster_plans() {
  static const std::vector<ClusterPlan> plans = {
      {"shop-mariadb", Engine::mariadb, ReplicationMode::semi_sync, 3, "mysql", "holdfast"},
      {"shop-galera", Engine::galera, ReplicationMode::galera, 3, "mysql", "holdfast"},
      {"shop-mysql", Engine::mysql, ReplicationMode::async, 2, "mysql", "holdfast"},
      {"shop-postgres", Engine::postgres, ReplicationMode::streaming, 2, "postgres", "postgres"},
  };
  return plans;
}

std::vector<std::string> cluster_names() {
  std::vector<std::string> names;
  for (const auto& plan : cluster_plans()) names.push_back(plan.name);
  return names;
}

Result<std::vector<ClusterPlan>> select_clusters(const std::vector<std::string>& names) {
  if (names.empty()) return cluster_plans();
  std::vector<ClusterPlan> chosen;
  for (const auto& name : names) {
    const ClusterPlan* found = nullptr;
    for (const auto& plan : cluster_plans())
      if (plan.name == name || plan.name == "shop-" + name || fmt::format("{}/{}", kNamespace, plan.name) == name)
        found = &plan;
    if (!found) {
      std::string all;
      for (const auto& known : cluster_names()) all += (all.empty() ? "" : ", ") + known;
      return fail(ErrorClass::usage, "lab.no_cluster", "the lab has no cluster " + name, "one of: " + all);
    }
    chosen.push_back(*found);
  }
  return chosen;
}

std::string default_state_dir() {
  if (const char* set = std::getenv("HOLDFAST_STATE_DIR"); set && *set) return set;
  if (::geteuid() == 0) return "/var/lib/holdfast";
  if (const char* set = std::getenv("XDG_STATE_HOME"); set && *set) return std::string(set) + "/holdfast";
  const char* home = std::getenv("HOME");
  return std::string(home ? home : "") + "/.local/state/holdfast";
}

std::string own_program(const Options& options) {
  std::error_code error;
  return options.program.empty() ? fs::read_symlink("/proc/self/exe", error).string() : options.program;
}

Layout::Layout(std::string state_dir) {
  if (state_dir.empty()) state_dir = default_state_dir();
  state_dir_ = fs::absolute(state_dir).lexically_normal().string();
  while (state_dir_.size() > 1 && state_dir_.back() == '/') state_dir_.pop_back();
}

std::string Layout::member_name(const std::string& cluster, int ordinal) {
  return fmt::format("{}-{}", cluster, ordinal);
}

std::string Layout::member_dir(const std::string& cluster, int ordinal) const {
  return cluster_dir(cluster) + "/" + member_name(cluster, ordinal);
}

std::string Layout::socket_dir(const std::string& cluster, int ordinal) const {
  std::string beside = member_dir(cluster, ordinal) + "/run";
  // "/.s.PGSQL.65535.lock" is the longest name; 107 bytes is what sockaddr_un holds.
  if (beside.size() + 20 <= 107) return beside;
  size_t hash = std::hash<std::string>{}(state_dir_);
  return fmt::format("/tmp/holdfast-{}-{:x}/{}", ::geteuid(), hash & 0xffffffff, member_name(cluster, ordinal));
}

Result<sys::Fd> lock_lab(const Layout& layout, Deadline deadline, std::stop_token stop) {
  TRY_VOID(sys::make_directories(layout.lab_dir(), 0755));
  sys::Fd fd = TRY(sys::open_file(layout.lab_dir() + "/lab.lock", O_RDWR | O_CREAT, 0600));
  if (!TRY(sys::wait_until([&] { return sys::lock_file(fd.get()); }, deadline, stop)))
    return fail(ErrorClass::conflict, "lab.locked", "another `holdfast lab` works on " + layout.state_dir(),
                "wait for it to end, then run the same command again");
  return fd;
}

std::vector<agent::MemberConfig> existing_members(const Layout& layout, const ClusterPlan& plan) {
  std::vector<agent::MemberConfig> members;
  for (int i = 0; i < kMostMembers; ++i)
    if (auto config = agent::read_config(layout.member_dir(plan.name, i))) members.push_back(std::move(*config));
  return members;
}

bool has_agent(const Layout& layout, const std::string& cluster, int ordinal) {
  auto fd = sys::open_file(layout.member_dir(cluster, ordinal) + "/agent.lock", O_RDWR);
  return fd && !sys::lock_file(fd->get());
}

bool hosts_in_use(const Layout& layout) {
  for (const auto& plan : cluster_plans())
    for (const auto& member : existing_members(layout, plan))
      if (host_of(member) > 0 && (has_agent(layout, plan.name, member.ordinal) || surviving_server(member)))
        return true;
  return false;
}

Result<ClusterPlan> placed(const Layout& layout, ClusterPlan plan, int hosts) {
  std::error_code error;
  const auto members = existing_members(layout, plan);
  bool there = fs::exists(layout.cluster_dir(plan.name) + "/complete", error);
  for (const auto& member : members) there = there || has_agent(layout, plan.name, member.ordinal);
  if (!there) {
    plan.hosts = hosts;
    if (hosts > 0) plan.members = kHostedMembers;
    return plan;
  }
  for (const auto& member : members) {
    plan.members = std::max(plan.members, member.ordinal + 1);
    plan.hosts = std::max(plan.hosts, host_of(member));
    if (hosts == 0 || host_of(member) == 1 + member.ordinal % hosts) continue;
    return fail(ErrorClass::refused, "lab.other_hosts",
                fmt::format("{} is there already, on {}", member.member,
                            host_of(member) == 0 ? "loopback" : fmt::format("host {}", host_of(member))),
                fmt::format("holdfast lab down {0}, then holdfast lab up --hosts {1} {0}", plan.name, hosts));
  }
  return plan;
}

cluster::DatabaseCluster describe(const Layout& layout, const ClusterPlan& plan,
                                  const std::vector<agent::MemberConfig>& members) {
  cluster::DatabaseCluster result;
  result.name = ClusterName(plan.name);
  result.ns = kNamespace;
  result.labels = {{"holdfast.dev/lab", "true"}};
  result.engine = plan.engine;
  result.provider = cluster::Provider::host;
  result.replication = plan.replication;
  for (const auto& member : members) {
    result.credentials.user = member.admin_user;
    result.credentials.password.file = member.admin_password_file;
    cluster::Member entry;
    entry.name = MemberName(member.member);
    entry.ordinal = member.ordinal;
    entry.host = member.host;
    entry.port = member.port;
    if (host_of(member) > 0) {
      entry.agent_address = member.listen;
      result.agent_tls = operator_files(layout);
      result.tls.plain_text = member.plain_text;
    } else {
      entry.socket = member.server_socket();
      entry.data_dir = member.data_dir();
      entry.agent_socket = member.agent_socket();
    }
    result.members.push_back(std::move(entry));
  }
  return result;
}

}  // namespace holdfast::lab

#include "lab/cluster_up.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <grp.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <mutex>
#include <thread>

#include "agent/client.h"
#include "cluster/resource.h"
#include "codec/hex.h"
#include "codec/value.h"
#include "engine/programs.h"
#include "lab/host_certificates.h"
#include "lab/left_servers.h"
#include "lab/ports.h"
#include "sys/beneath.h"
#include "sys/environment.h"
#include "sys/net_namespace.h"
#include "sys/process.h"
#include "sys/user.h"

namespace holdfast::lab {

namespace fs = std::filesystem;
using agent::Client;
using agent::MemberConfig;
using agent::Role;
using cluster::Engine;
using codec::Value;
using std::chrono::seconds;

namespace {

/// One member while its cluster comes up.
struct Starting {
  MemberConfig config;
  bool had_agent = false;
  sys::Process agent;  ///< only when this call started it; killed with this object unless detached
  std::vector<sys::Fd> leases;
};

Result<std::string> make_password_file(const std::string& path) {
  std::error_code ignored;
  if (fs::exists(path, ignored)) return path;
  uint8_t random[18];
  if (::getrandom(random, sizeof random, 0) != sizeof random) return fail(sys::errno_error(errno, "getrandom"));
  static constexpr char kLetters[] = "ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz23456789";
  Secret password;
  for (uint8_t byte : random) password.append({&kLetters[byte % (sizeof kLetters - 1)], 1});
  TRY_VOID(sys::publish_file(path, as_bytes(password.append("\n").reveal()), 0600));
  return path;
}

/// A random one (UUID, version 4), made with the cluster and kept as long as it is.
Result<std::string> kept_uid(const std::string& path) {
  auto kept = sys::read_file(path);
  if (kept) {
    std::string uid(as_text(*kept));
    if (uid.ends_with('\n')) uid.pop_back();
    return uid;
  }
  if (kept.error().id != "store.not_found") return fail(std::move(kept).error());
  uint8_t random[16];
  if (::getrandom(random, sizeof random, 0) != sizeof random) return fail(sys::errno_error(errno, "getrandom"));
  random[6] = static_cast<uint8_t>((random[6] & 0x0f) | 0x40);
  random[8] = static_cast<uint8_t>((random[8] & 0x3f) | 0x80);
  std::string uid = codec::to_hex(random);
  for (const size_t at : {8, 13, 18, 23}) uid.insert(at, "-");
  TRY_VOID(sys::publish_file(path, as_bytes(uid + "\n"), 0644));
  return uid;
}

/// Ports this member had, if they can be leased again, else new ones: on a host of its own those that people know.
Status take_ports_here(Starting& member) {
  MemberConfig& c = member.config;
  const bool hosted = host_of(c) > 0;
  const bool in_use = surviving_server(c).has_value();  // by its own server, which keeps them
  auto take = [&](int port, int known) -> Result<int> {
    if (in_use && port > 0) {
      if (auto lease = lease_name(fmt::format("holdfast-port-{}", port))) member.leases.push_back(std::move(lease));
      return port;
    }
    auto lease = port ? lease_port(port) : Result<PortLease>(fail(ErrorClass::conflict, "lab.port_taken", ""));
    if (!lease) lease = hosted ? lease_port_from(known) : lease_any_port();
    if (!lease) return fail(std::move(lease).error());
    member.leases.push_back(std::move(lease->lease));
    return lease->port;
  };
  c.port = TRY(take(c.port, c.engine == Engine::postgres ? 5432 : 3306));
  if (c.engine == Engine::galera) {
    c.group_port = TRY(take(c.group_port, 4567));
    c.ist_port = TRY(take(c.ist_port, 4568));
    c.sst_port = TRY(take(c.sst_port, 4444));
  }
  if (hosted) {
    const auto colon = c.listen.rfind(':');
    const int had = colon == std::string::npos ? 0 : std::atoi(c.listen.c_str() + colon + 1);
    c.listen = fmt::format("{}:{}", c.host, TRY(take(had, kAgentPort)));
  }
  return {};
}

/// Ports are of the network namespace that the server will live in.
Status take_ports(Starting& member) {
  if (host_of(member.config) == 0) return take_ports_here(member);
  const sys::Fd host = TRY(sys::open_net_namespace(member.config.net_namespace));
  return sys::in_net_namespace(host.get(), [&] { return take_ports_here(member); });
}

/// What a member on a host knows of it; the address may be another one than last time. 0: on loopback.
void settle(const UpContext& context, int host, MemberConfig& c) {
  if (host == 0) return;
  const auto files = agent_files(context.layout, host);
  const auto colon = c.listen.rfind(':');
  c.net_namespace = HostNetwork(context.layout).host_name(host);
  c.host = HostNetwork::address(context.subnet, host);
  c.listen = c.host + (colon == std::string::npos ? "" : c.listen.substr(colon));
  c.plain_text = true;  // a network that only the hosts of this lab are on
  c.tls_ca = files.ca;
  c.tls_certificate = files.certificate;
  c.tls_key = files.key;
}

Result<MemberConfig> new_member(const UpContext& context, const ClusterPlan& plan, int ordinal) {
  const Layout& layout = context.layout;
  MemberConfig c;
  c.cluster = plan.name;
  c.ns = kNamespace;
  c.member = Layout::member_name(plan.name, ordinal);
  c.ordinal = ordinal;
  c.engine = plan.engine;
  c.replication = plan.replication;
  c.role = plan.engine == Engine::galera || ordinal == 0 ? Role::primary : Role::replica;
  if (c.role == Role::replica) c.upstream = Layout::member_name(plan.name, 0);
  c.dir = layout.member_dir(plan.name, ordinal);
  c.socket_dir = layout.socket_dir(plan.name, ordinal);
  c.server_id = static_cast<unsigned>(ordinal + 1);
  c.admin_user = plan.admin_user;
  c.admin_password_file = layout.cluster_dir(plan.name) + "/admin.password";
  c.replication_user = "replicator";
  c.replication_password_file = layout.cluster_dir(plan.name) + "/replication.password";
  c.server_program = TRY(engine::find_program(plan.engine, plan.engine == Engine::postgres ? "postgres"
                                                           : plan.engine == Engine::mysql  ? "mysqld"
                                                                                           : "mariadbd"));
  return c;
}

/// Servers refuse to be root: they get the package's user, and a group of their own.
Status choose_identity(const ClusterPlan& plan, MemberConfig& c) {
  c.uid = ::geteuid();
  c.gid = ::getegid();
  if (c.uid != 0) return {};
  auto user = sys::find_user(plan.unix_user);
  if (!user) user = sys::find_user("nobody");
  if (!user)
    return fail(std::move(user).error().with_hint("run the lab as an ordinary user, or install the server's package"));
  c.uid = user->uid;
  c.gid = static_cast<gid_t>(200000 + c.port);
  if (const auto subnet = subnet_of(c)) {
    // Other hosts have the same ports.
    int cluster = 0;
    while (cluster_plans()[static_cast<size_t>(cluster)].name != plan.name) ++cluster;
    c.gid = static_cast<gid_t>(300000 + *subnet * 64 + cluster * 16 + c.ordinal);
  }
  return {};
}

Result<Client> agent_client(const MemberConfig& c, Deadline deadline) {
  return Client::connect(c.agent_socket(), deadline);
}

Status start_agent(const UpContext& context, Starting& member) {
  const MemberConfig& c = member.config;
  TRY_VOID(sys::make_directories(c.dir, 0755));
  TRY_VOID(sys::make_directories(c.socket_dir, 0755));
  // Under /tmp somebody else may have made the folder first; sockets and root's chown do not go through a stranger's.
  struct stat parent{};
  const std::string above = fs::path(c.socket_dir).parent_path().string();
  if (::lstat(above.c_str(), &parent) != 0 || !S_ISDIR(parent.st_mode) || parent.st_uid != ::geteuid())
    return fail(ErrorClass::refused, "lab.socket_dir", above + " is not ours",
                "remove it, or choose a shorter --state-dir");
  // Others may pass through the folders above to reach the sockets; what is inside them is closed by its own mode.
  if (::geteuid() == 0) TRY_VOID(sys::own_directory(c.socket_dir, 0755, c.uid, c.gid));
  TRY_VOID(agent::write_config(c));
  sys::Fd log = TRY(sys::open_file(c.dir + "/agent.log", O_WRONLY | O_CREAT | O_APPEND, 0640));
  sys::Command command;
  command.argv = {context.program, "agent", "--dir", c.dir, "--leashed"};
  command.cwd = "/";
  command.clear_env = true;
  command.env = sys::own_environment();
  command.out = command.err = sys::Stdio::to(log.get());
  command.new_session = true;
  command.die_with_parent = SIGKILL;
  command.umask = 0022;
  sys::Fd host;
  if (host_of(c) > 0) host = TRY(sys::open_net_namespace(c.net_namespace));
  command.net_namespace = host.get();
  int number = 10;
  for (const auto& lease : member.leases) command.pass.emplace_back(lease.get(), number++);
  member.agent = TRY(sys::spawn(command));
  member.leases.clear();
  bool ended = false;
  bool answers = TRY(sys::wait_until(
      [&] {
        if (member.agent.poll()) return ended = true;
        auto client = agent_client(c, Deadline::in(seconds(1)));
        return client && client->call("ping", Deadline::in(seconds(2)));
      },
      context.deadline.at_most(seconds(20)), context.stop));
  if (answers && !ended) return {};
  std::string tail;
  if (auto text = sys::read_file(c.dir + "/agent.log")) tail = as_text(text->span());
  if (tail.size() > 600) tail = tail.substr(tail.size() - 600);
  return fail(ErrorClass::failed, "lab.agent", fmt::format("the agent of {} did not start: {}", c.member, tail));
}

Result<Value> ask(const UpContext& context, const MemberConfig& c, const std::string& op,
                  std::initializer_list<Value::Member> fields = {}) {
  auto client = TRY(agent_client(c, context.deadline));
  Value arguments = Value::object(fields);
  arguments.set("timeoutSeconds", context.deadline.left().count() / 1000 + 1);
  return client.call_now(op, std::move(arguments), context.deadline, context.stop).context(c.member);
}

/// Runs one job per member at the same time; the first error wins.
Status for_all(std::vector<Starting>& members, const std::function<Status(Starting&)>& job) {
  std::vector<Status> results(members.size());
  {
    std::vector<std::jthread> threads;
    for (size_t i = 0; i < members.size(); ++i) threads.emplace_back([&, i] { results[i] = job(members[i]); });
  }
  for (auto& result : results) TRY_VOID(std::move(result));
  return {};
}

Status make_data(const UpContext& context, std::vector<Starting>& members) {
  // One is made, the others are copies of it: fast, and all of them start from the very same state.
  TRY(ask(context, members[0].config, "initialise", {{"from", "empty"}}));
  if (members[0].config.engine == Engine::galera) {
    // A Galera history begins when its first node bootstraps; copies taken after that join by IST, without a full
    // transfer.
    TRY(ask(context, members[0].config, "start", {{"newCluster", true}}));
    TRY(ask(context, members[0].config, "stop"));
  }
  for (size_t i = 1; i < members.size(); ++i)
    TRY(ask(context, members[i].config, "initialise", {{"from", "copy"}, {"path", members[0].config.data_dir()}}));
  return {};
}

bool is_running(const UpContext& context, const MemberConfig& c) {
  auto status = ask(context, c, "status");
  return status && (*status)["server"]["state"].text() == "running";
}

/// "seqno:" of grastate.dat, or what the server recovers; the lineage goes to `uuid`.
Result<int64_t> galera_position(const UpContext& context, const MemberConfig& c, std::string& uuid) {
  auto reply = TRY(ask(context, c, "galera_position"));
  std::string position = reply["position"].text();
  auto colon = position.find(':');
  if (colon == std::string::npos)
    return fail(ErrorClass::failed, "lab.galera", c.member + " reported no position: " + position);
  uuid = position.substr(0, colon);
  return std::strtoll(position.c_str() + colon + 1, nullptr, 10);
}

Status start_galera(const UpContext& context, std::vector<Starting>& members) {
  bool any = false;
  for (const auto& member : members) any = any || is_running(context, member.config);
  size_t first = members.size();
  if (!any) {
    int64_t best = -2;
    std::string lineage;
    for (size_t i = 0; i < members.size(); ++i) {
      std::string uuid;
      auto seqno = galera_position(context, members[i].config, uuid);
      if (!seqno) {
        if (seqno.error().id == "agent.no_data" || seqno.error().id == "agent.no_history") continue;
        return fail(std::move(seqno).error());
      }
      if (!lineage.empty() && lineage != uuid && *seqno >= 0)
        return fail(ErrorClass::refused, "lab.galera_lineage",
                    "the members of " + members[i].config.cluster + " belong to different histories",
                    "`holdfast lab down` and `holdfast lab up` rebuild the cluster");
      lineage = uuid;
      if (*seqno > best) {
        best = *seqno;
        first = i;
      }
    }
    if (first == members.size())
      return fail(ErrorClass::refused, "lab.no_data", "no Galera member has data to start from");
    TRY(ask(context, members[first].config, "start", {{"newCluster", true}}));
  }
  std::vector<Status> results(members.size());
  {
    std::vector<std::jthread> threads;
    for (size_t i = 0; i < members.size(); ++i)
      if (i != first)
        threads.emplace_back([&, i] {
          auto reply = ask(context, members[i].config, "start");
          if (!reply) results[i] = fail(std::move(reply).error());
        });
  }
  for (auto& result : results) TRY_VOID(std::move(result));
  return {};
}

Status bring_up_members(const UpContext& context, const ClusterPlan& plan) {
  const Layout& layout = context.layout;
  const std::string complete = layout.cluster_dir(plan.name) + "/complete";
  const auto begun = std::chrono::steady_clock::now();
  std::error_code error;
  std::vector<Starting> members(static_cast<size_t>(plan.members));
  bool any_agent = false;
  for (int i = 0; i < plan.members; ++i) {
    members[static_cast<size_t>(i)].had_agent = has_agent(layout, plan.name, i);
    any_agent = any_agent || members[static_cast<size_t>(i)].had_agent;
  }
  if (!fs::exists(complete, error) && !any_agent) {
    // What an interrupted `up` left was never served to anybody.
    for (const auto& left : existing_members(layout, plan))
      TRY_VOID(end_surviving_server(left, false, context.deadline, context.stop));
    TRY_VOID(sys::remove_tree(layout.cluster_dir(plan.name)));
  }
  const bool fresh = !fs::exists(complete, error);
  TRY_VOID(sys::make_directories(layout.cluster_dir(plan.name), 0755));
  TRY(make_password_file(layout.cluster_dir(plan.name) + "/admin.password"));
  TRY(make_password_file(layout.cluster_dir(plan.name) + "/replication.password"));
  const std::string uid = TRY(kept_uid(layout.cluster_dir(plan.name) + "/uid"));

  for (int i = 0; i < plan.members; ++i) {
    Starting& member = members[static_cast<size_t>(i)];
    if (auto known = agent::read_config(layout.member_dir(plan.name, i))) {
      member.config = std::move(*known);
      member.config.dir = layout.member_dir(plan.name, i);
      member.config.socket_dir = layout.socket_dir(plan.name, i);
      if (!member.had_agent) {
        settle(context, host_of(member.config), member.config);
        TRY_VOID(take_ports(member));
      }
    } else {
      member.config = TRY(new_member(context, plan, i));
      settle(context, plan.hosts > 0 ? 1 + i % plan.hosts : 0, member.config);
      TRY_VOID(take_ports(member));
      TRY_VOID(choose_identity(plan, member.config));
    }
    if (context.servers_survive && !member.had_agent) member.config.server_survives = true;
  }
  std::vector<agent::Peer> peers;
  for (const auto& member : members)
    peers.push_back(
        {member.config.member, member.config.host, member.config.port, member.config.group_port, member.config.listen});
  TRY_VOID(for_all(members, [&](Starting& member) -> Status {
    member.config.peers = peers;
    if (!member.had_agent) return start_agent(context, member);
    TRY(ask(context, member.config, "configure", {{"peers", agent::peers_value(peers)}}));
    return {};
  }));
  if (fresh) {
    context.say(plan.name + ": making the data directories");
    TRY_VOID(make_data(context, members));
  }
  context.say(plan.name + ": starting servers");
  if (plan.engine == Engine::galera) {
    TRY_VOID(start_galera(context, members));
  } else {
    TRY_VOID(for_all(members, [&](Starting& member) -> Status {
      TRY(ask(context, member.config, "start"));
      return {};
    }));
  }
  std::vector<MemberConfig> configs;
  for (const auto& member : members) configs.push_back(member.config);
  TRY_VOID(connect_replication(context, plan, configs));

  TRY_VOID(sys::make_directories(layout.state_dir() + "/clusters", 0755));
  auto described = describe(layout, plan, configs);
  described.uid = uid;
  TRY_VOID(sys::publish_file(layout.yaml_file(plan.name), as_bytes(cluster::print_cluster(described)), 0644));
  TRY_VOID(sys::publish_file(complete, {}, 0644));
  for (auto& member : members) {
    TRY(ask(context, member.config, "commit"));
    member.agent.detach();
  }
  std::chrono::duration<double> took = std::chrono::steady_clock::now() - begun;
  context.say(fmt::format("{}: {} members serve after {:.1f} s", plan.name, plan.members, took.count()));
  return {};
}

}  // namespace

Status bring_up(const UpContext& context, const ClusterPlan& plan) {
  auto up = bring_up_members(context, plan);
  std::error_code error;
  if (up || fs::exists(context.layout.cluster_dir(plan.name) + "/complete", error)) return up;
  // Its agents are gone with what is above; a server that survives its agent is not.
  for (const auto& member : existing_members(context.layout, plan))
    if (!has_agent(context.layout, plan.name, member.ordinal))
      (void)end_surviving_server(member, false, Deadline::in(seconds(30)), {});
  return up;
}

}  // namespace holdfast::lab

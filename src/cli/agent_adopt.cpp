// holdfast agent adopt, holdfast agent release: an agent for a server that is there already, and the way back.
#include <fcntl.h>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>

#include "agent/client.h"
#include "agent/existing.h"
#include "agent/unit.h"
#include "cli/cluster_options.h"
#include "cli/verbs.h"
#include "cluster/addresses.h"
#include "provider/discover.h"
#include "sys/any_process.h"
#include "sys/file.h"
#include "sys/network.h"
#include "sys/process.h"

namespace holdfast::cli {
namespace {

namespace fs = std::filesystem;
using agent::MemberConfig;
using cluster::Engine;
using codec::Value;
using std::chrono::seconds;

constexpr const char* kMembers = "/var/lib/holdfast/members";

Status need_root(const char* what) {
  if (::geteuid() == 0) return {};
  return fail(ErrorClass::refused, "agent.needs_root",
              fmt::format("{} reads and writes what is root's on this host", what), "run it as root");
}

/// As agent.json names it, wherever that is read.
std::string file_of(const Options& options, std::string_view flag) {
  const std::string name = options.text(flag);
  return name.empty() ? name : fs::absolute(name).lexically_normal().string();
}

std::string unit_name(const std::string& member) {
  return "holdfast-agent@" + member + ".service";
}

Result<const cluster::Member*> member_of(const Options& options, const cluster::DatabaseCluster& cluster) {
  const std::string wanted = options.text("instance");
  for (const auto& member : cluster.members)
    if (member.name.str() == wanted || std::to_string(member.ordinal) == wanted) return &member;
  std::vector<std::string> names;
  for (const auto& member : cluster.members) names.push_back(member.name.str());
  return fail(ErrorClass::usage, wanted.empty() ? "cli.missing_flag" : "config.no_member",
              wanted.empty() ? fmt::format("agent adopt: which member of {} is this host's?", cluster.full_name())
                             : fmt::format("{} has no member {}", cluster.full_name(), wanted),
              fmt::format("-i MEMBER: {}", fmt::join(names, ", ")));
}

/// What the cluster's description says of the member and of the others.
Result<MemberConfig> described(Context& context) {
  const Options& options = context.options;
  MemberConfig c;
  if (!options.text("cluster").empty() || !options.text("instance").empty()) {
    const auto cluster = TRY(selected_cluster(context));
    const auto* member = TRY(member_of(options, cluster));
    c.cluster = cluster.name.str();
    c.ns = cluster.ns;
    c.engine = cluster.engine;
    c.replication = cluster.replication;
    c.member = member->name.str();
    c.ordinal = member->ordinal;
    c.host = member->host;
    c.port = member->port;
    for (const auto& one : cluster.members) {
      agent::Peer peer;
      peer.name = one.name.str();
      peer.host = one.host;
      peer.port = one.port;
      peer.agent = one.agent_address;
      c.peers.push_back(std::move(peer));
    }
    return c;
  }
  const auto engine = cluster::parse_engine(options.text("engine"));
  if (!engine)
    return fail(ErrorClass::usage, "cli.missing_flag", "agent adopt: no engine and no cluster is named",
                "-e ENGINE, or -c CLUSTER -i MEMBER --config FILE");
  c.engine = *engine;
  c.replication = *engine == Engine::galera ? cluster::ReplicationMode::galera : cluster::ReplicationMode::standalone;
  c.member = sys::own_network().hostname;
  c.cluster = c.member;
  c.ns = options.text("namespace").empty() ? "default" : options.text("namespace");
  return c;
}

Result<agent::AdoptRequest> request_of(Context& context) {
  const Options& options = context.options;
  agent::AdoptRequest request;
  MemberConfig& c = request.like;
  c = TRY(described(context));
  c.dir = options.given("dir") ? file_of(options, "dir") : fmt::format("{}/{}", kMembers, c.member);
  c.socket_dir = "/run/holdfast/" + c.member;
  c.admin_user = options.given("admin-user")    ? options.text("admin-user")
                 : c.engine == Engine::postgres ? "postgres"
                                                : "root";
  c.admin_password_file = file_of(options, "admin-password-file");
  c.replication_user = options.text("replication-user");
  c.replication_password_file = file_of(options, "replication-password-file");
  c.listen = options.text("listen");
  c.tls_ca = file_of(options, "tls-ca");
  c.tls_certificate = file_of(options, "tls-certificate");
  c.tls_key = file_of(options, "tls-key");
  c.plain_text = options.flag("allow-plain-text");
  if (!c.listen.empty() && (c.tls_ca.empty() || c.tls_certificate.empty() || c.tls_key.empty()))
    return fail(ErrorClass::usage, "cli.missing_flag", "an agent that listens needs a certificate",
                "--tls-ca, --tls-certificate and --tls-key: holdfast pki issue agent makes them");
  for (const auto& file : {c.admin_password_file, c.replication_password_file})
    if (!file.empty()) TRY(agent::read_password(file));
  request.data_dir = options.text("data-dir");
  if (options.given("socket")) {
    request.sockets = {options.text("socket")};
  } else {
    const auto table = sys::read_file("/proc/net/unix");
    if (table) request.sockets = provider::server_sockets(c.engine, as_text(table->span()));
  }
  return request;
}

Value adoption_value(const agent::Adoption& adoption) {
  const MemberConfig& c = adoption.config;
  return Value::object({{"member", c.member},
                        {"engine", cluster::engine_name(c.engine)},
                        {"pid", adoption.server.pid},
                        {"role", c.engine == Engine::galera       ? "node"
                                 : c.role == agent::Role::replica ? "replica"
                                                                  : "primary"},
                        {"upstream", c.upstream},
                        {"dataDir", c.existing->data_dir},
                        {"socket", c.existing->socket},
                        {"port", c.port},
                        {"unit", c.existing->unit},
                        {"agentDir", c.dir},
                        {"agentSocket", c.agent_socket()},
                        {"agentUnit", unit_name(c.member)},
                        {"dropIn", c.existing->drop_in},
                        {"nodeName", adoption.node.name},
                        {"clusterName", adoption.node.cluster},
                        {"clusterAddress", adoption.node.address},
                        {"unitDropIn", c.existing->unit_drop_in},
                        {"remarks", Value::list_of(adoption.remarks)}});
}

/// What it is to the others: "a replica of orders-1".
std::string standing(const agent::Adoption& adoption) {
  const MemberConfig& c = adoption.config;
  if (c.engine == Engine::galera)
    return fmt::format("node {} of {}, {}", adoption.node.name, adoption.node.cluster, adoption.node.address);
  if (c.role == agent::Role::primary) return "a primary";
  return c.upstream.empty() ? "a replica" : "a replica of " + c.upstream;
}

void show(Output& out, const agent::Adoption& adoption, bool dry) {
  const MemberConfig& c = adoption.config;
  const auto& e = *c.existing;
  out.line(fmt::format("found    process {}, {}, data in {}, port {}, socket {}", adoption.server.pid,
                       cluster::engine_name(c.engine), e.data_dir, c.port, e.socket));
  out.line(fmt::format("         {}; {}", e.unit.empty() ? "no unit" : "unit " + e.unit, standing(adoption)));
  out.line(fmt::format("{} {}/agent.json", dry ? "would write" : "wrote   ", c.dir));
  for (const std::string& file : {e.drop_in, e.unit_drop_in})
    if (!file.empty()) out.line(fmt::format("{} {}", dry ? "would write" : "wrote   ", file));
  for (const auto& remark : adoption.remarks) out.line("note     " + remark);
}

/// Its agent's word, after the fact.
Result<Value> ask_agent(const MemberConfig& c, const std::stop_token& stop) {
  const auto address = agent::Address::of_socket(c.agent_socket());
  Result<Value> told;
  const auto asked = [&] {
    auto client = agent::Client::connect(address, Deadline::in(seconds(2)), stop);
    told = client ? client->call("status", Value::object(), Deadline::in(seconds(5)), stop) : fail(client.error());
    return told && (*told)["server"]["state"].text() == "running";
  };
  (void)TRY(sys::wait_until(asked, Deadline::in(seconds(20)), stop));
  return told;
}

/// Ends the agent, not the server.
Status end_agent(const MemberConfig& c, const std::stop_token& stop) {
  const auto state = agent::unit_state(unit_name(c.member), Deadline::in(seconds(10)), stop);
  // The template fits every name: that one is there does not say that it runs this agent.
  if (state && state->is_loaded()) TRY_VOID(agent::disable_unit(unit_name(c.member), Deadline::in(seconds(60)), stop));
  const std::string lock = c.dir + "/agent.lock";
  const auto text = sys::read_file(lock);
  auto fd = sys::open_file(lock, O_RDWR);
  if (!text || !fd || sys::lock_file(fd->get())) return {};  // none runs
  const auto pid = static_cast<pid_t>(std::strtol(std::string(as_text(text->span())).c_str(), nullptr, 10));
  if (pid <= 1 || ::kill(pid, SIGTERM) != 0) return fail(sys::errno_error(errno, "end the agent"));
  if (TRY(sys::wait_until([&] { return sys::lock_file(fd->get()); }, Deadline::in(seconds(30)), stop))) return {};
  return fail(ErrorClass::conflict, "agent.locked", fmt::format("the agent of {} does not end", c.member),
              "see what it does in its log, then try again");
}

}  // namespace

Exit run_agent_adopt(Context& context) {
  TRY_VOID(need_root("agent adopt"));
  const auto request = TRY(request_of(context));
  const auto adoption = TRY(agent::plan_adoption(request, Deadline::in(seconds(20)), context.stop));
  const MemberConfig& c = adoption.config;
  Value data = adoption_value(adoption);
  const bool dry = context.options.flag("dry-run");
  if (dry) {
    show(context.out, adoption, true);
    context.out.set_data(std::move(data));
    return {};
  }
  TRY_VOID(agent::carry_out(adoption));
  show(context.out, adoption, false);
  const auto agents_unit = agent::unit_state(unit_name(c.member), Deadline::in(seconds(10)), context.stop);
  const bool by_unit = c.dir == fmt::format("{}/{}", kMembers, c.member) && agents_unit && agents_unit->is_loaded();
  data.set("agentStarted", by_unit);
  if (!by_unit) {
    context.out.line(fmt::format("start it: holdfast agent --dir {}", c.dir));
    context.out.set_data(std::move(data));
    return {};
  }
  TRY_VOID(agent::enable_unit(unit_name(c.member), Deadline::in(seconds(60)), context.stop));
  const Value told = TRY(ask_agent(c, context.stop).context("the agent of " + c.member));
  const auto pid = static_cast<pid_t>(told["server"]["pid"].integer(-1));
  context.out.set_data(std::move(data));
  if (pid != adoption.server.pid)
    return fail(ErrorClass::failed, "adopt.not_adopted",
                fmt::format("the agent runs and has not taken process {} for its server", adoption.server.pid),
                fmt::format("journalctl -u {} says why", unit_name(c.member)));
  context.out.line(fmt::format("adopted  process {}, which was not restarted; agent {}", pid, unit_name(c.member)));
  return {};
}

Exit run_agent_release(Context& context) {
  TRY_VOID(need_root("agent release"));
  const Options& options = context.options;
  std::string dir = file_of(options, "dir");
  if (dir.empty() && !options.positionals().empty()) dir = fmt::format("{}/{}", kMembers, options.positionals()[0]);
  if (dir.empty()) {
    std::vector<std::string> members;
    std::error_code error;
    for (const auto& entry : fs::directory_iterator(kMembers, error))
      if (fs::exists(entry.path() / "agent.json", error)) members.push_back(entry.path().filename().string());
    if (members.size() != 1)
      return fail(
          ErrorClass::usage, "cli.missing_argument",
          members.empty() ? "no server of this host has an agent here" : "agent release: which member?",
          members.empty() ? "--dir DIR where it is in another place" : fmt::format("{}", fmt::join(members, ", ")));
    dir = fmt::format("{}/{}", kMembers, members.front());
  }
  const MemberConfig c = TRY(agent::read_config(dir));
  if (!c.existing)
    return fail(ErrorClass::refused, "release.own_layout",
                fmt::format("{} was made by its agent: it has no configuration of its own to go back to", c.member),
                "holdfast lab down removes a lab's members");
  TRY_VOID(agent::check_releasable(c));
  if (options.flag("dry-run")) {
    std::vector<std::string> files;
    for (const std::string& file : {c.existing->drop_in, c.existing->unit_drop_in})
      if (!file.empty()) files.push_back(file);
    if (files.empty()) files.emplace_back("nothing else");
    context.out.line(fmt::format("would end {} and remove {} and what it made in {}", unit_name(c.member),
                                 fmt::join(files, ", "), c.dir));
    return {};
  }
  TRY_VOID(end_agent(c, context.stop));
  TRY_VOID(agent::release(c));
  context.out.line(fmt::format("released {}: {}", c.member,
                               c.existing->unit.empty() ? "its server runs on" : c.existing->unit + " runs on"));
  if (c.engine != Engine::postgres && c.role == agent::Role::replica)
    context.out.line(
        "note     it was started read-only by its agent's word; see that its own configuration says read_only");
  context.out.set_data(Value::object({{"member", c.member}, {"unit", c.existing->unit}}));
  return {};
}

}  // namespace holdfast::cli

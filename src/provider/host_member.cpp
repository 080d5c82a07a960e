#include "provider/host_member.h"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <map>

#include "agent/channels.h"
#include "agent/client.h"
#include "agent/config.h"
#include "agent/errant_log.h"
#include "agent/inspect.h"
#include "agent/running_server.h"
#include "agent/sql_tunnel.h"
#include "base/mutex.h"
#include "engine/errant.h"
#include "engine/observe.h"
#include "provider/agent_call.h"
#include "provider/agent_control.h"
#include "provider/external_member.h"

namespace holdfast::provider {

using cluster::DatabaseCluster;
using cluster::Errant;
using cluster::Member;
using cluster::MemberFacts;
using cluster::MemberRole;
using codec::Value;
using std::chrono::milliseconds;
using std::chrono::seconds;

namespace {

/// What the way to the agent took. A fact of the handshake: nothing is asked for it.
void take_certificates(MemberFacts& facts, const std::vector<cluster::AgentCertificate>& certificates) {
  using Of = cluster::AgentCertificate::Of;
  facts.agent.certificates = certificates;
  for (const auto& one : certificates)
    engine::note(facts,
                 one.of == Of::agent       ? "agent_certificate_not_after"
                 : one.of == Of::authority ? "agent_authority_not_after"
                                           : "own_certificate_not_after",
                 one.until, "TLS handshake");
}

/// An agent is there, and one of both sides does not take the other's certificate. With TLS 1.3 the agent's refusal
/// shows at its first answer.
bool take_refusal(MemberFacts& facts, const Error& error) {
  using Of = cluster::AgentCertificate::Of;
  if (!error.id.starts_with("net.tls_")) return false;
  const auto says = [&](std::string_view words) { return error.message.find(words) != std::string::npos; };
  facts.agent.refused = error.message;
  if (error.id == "net.tls_expired")
    facts.agent.certificate_over = says("certificate of the authority") ? Of::authority : Of::agent;
  else if (error.id == "net.tls_refused" && says("it has expired"))
    facts.agent.certificate_over = Of::caller;
  return true;
}

/// Nothing came from its host: the agent may well run. A connection that is refused is an answer: nobody listens.
void take_silence(MemberFacts& facts, const Member& member, const Error& error) {
  if (!member.agent_socket.empty() || error.error_class != ErrorClass::unavailable) return;
  if (error.message.find(std::strerror(ECONNREFUSED)) == std::string::npos) facts.agent.silent = error.message;
}

/// The agent's word; where no agent answers, its files are read from here if this process may.
void look_at(MemberFacts& facts, const DatabaseCluster& cluster, const Member& member, milliseconds limit,
             const std::stop_token& stop) {
  const Deadline deadline = Deadline::in(limit);
  auto client = connect_agent(member, deadline, stop);
  auto status = client ? client->call("status", codec::Value::object(), deadline, stop)
                       : Result<codec::Value>(fail(client.error()));
  if (client) take_certificates(facts, client->certificates());
  const bool refused = !status && take_refusal(facts, status.error());
  if (client && !refused) {
    facts.agent.answers = true;
    if (status) {
      const auto& server = (*status)["server"];
      facts.runtime.state = server["state"].text();
      facts.runtime.mode = server["mode"].text();
      facts.runtime.pid = static_cast<int>(server["pid"].integer(-1));
      facts.runtime.last_exit = server["lastExit"].text();
      facts.runtime.data = server["data"].text();
      facts.runtime.supervisor = (*status)["supervisor"].text();
      if (const auto& work = server["progress"]; work.is_object())
        facts.runtime.work = fmt::format("{} ({})", work["op"].text(), work["step"].text_or("preparing"));
      if (cluster.engine != cluster::Engine::galera)
        facts.runtime.role_wanted = (*status)["role"].text() == "replica" ? MemberRole::replica : MemberRole::primary;
      facts.runtime.upstream_wanted = (*status)["upstreamAddress"].text();
      if (!facts.runtime.upstream_wanted.empty()) facts.runtime.source_wanted = (*status)["upstream"].text();
      facts.runtime.noted = agent::noted_from((*status)["channels"]);
      facts.own.port = static_cast<int>((*status)["port"].integer());
      const auto& network = (*status)["network"];
      facts.own.network = network["id"].text();
      facts.own.hostname = network["hostname"].text();
      for (const auto& address : network["addresses"].items()) facts.own.interfaces.push_back(address.text());
      engine::note(facts, "server", facts.runtime.state, "agent");
    } else {
      engine::note_unknown(facts, "server", "agent", status.error().message);
    }
    auto arguments = codec::Value::object({{"timeoutSeconds", std::max<int64_t>(1, deadline.left().count() / 1000)}});
    if (auto inspection = client->call("inspect", std::move(arguments), deadline, stop))
      agent::take_inspection(facts, *inspection);
    else
      engine::note_unknown(facts, "data directory", "agent", inspection.error().message);
    return;
  }
  facts.agent.answers = false;
  if (!refused) take_silence(facts, member, status.error());
  engine::note_unknown(facts, "server", "agent", status.error().message);
  if (member.data_dir.empty()) return;
  auto config = agent::read_config(std::filesystem::path(member.data_dir).parent_path().string());
  if (!config) return;
  // Where servers survive their agents, the member's own one is no stranger for want of its agent.
  if (config->server_survives)
    if (const auto running = agent::find_running(*config)) facts.runtime.pid = running->pid;
  agent::inspect(facts, *config, facts.runtime.pid, deadline, stop);
  for (size_t i = 0; i < facts.runtime.volumes.size(); ++i)
    engine::note_unknown(facts, "growth of the disk of its " + facts.runtime.volumes[i].purpose, "agent",
                         "no agent remembers how it was");
}

/// The one that is in use for this agent, or a new one.
Result<std::shared_ptr<agent::SqlTunnel>> tunnel_to(const cluster::Member& member, Deadline deadline,
                                                    const std::stop_token& stop) {
  static Mutex mutex;
  static std::map<std::string, std::weak_ptr<agent::SqlTunnel>> in_use;
  const std::string key = member.agent_address + "\n" + member.agent_tls.certificate;
  {
    MutexLock lock(mutex);
    if (auto known = in_use[key].lock()) return known;
  }
  const auto address = TRY(agent::Address::of(member));
  auto tunnel = TRY(agent::SqlTunnel::connect(address, member.port, deadline, stop));
  MutexLock lock(mutex);
  in_use[key] = tunnel;
  return tunnel;
}

/// A little less than the caller waits, so that the agent can still say how far it came.
milliseconds for_the_agent(milliseconds limit) {
  return std::max(milliseconds(200), limit - std::min(limit / 5, milliseconds(500)));
}

bool answers_nobody(const Error& error) {
  return error.id == "agent.unreachable";
}

class HostMember : public MemberAccess, private MemberFiles {
 public:
  HostMember(std::shared_ptr<const DatabaseCluster> cluster, const Member& member)
      : MemberAccess(std::move(cluster), member) {}

  bool supervised() const override { return true; }
  bool controllable() const override { return cluster().provider == cluster::Provider::host; }
  bool clients_way() const override { return !by_socket() && member().agent_address.empty(); }
  void look(MemberFacts& facts, milliseconds limit, const std::stop_token& stop) override {
    look_at(facts, cluster(), member(), limit, stop);
  }
  Result<sql::Target> sql_as(const engine::Login& login, Deadline deadline, const std::stop_token& stop) override {
    auto target = engine::member_target(cluster(), member(), login);
    if (member().agent_address.empty() || !target.socket.empty()) return target;
    auto tunnel = tunnel_to(member(), deadline, stop);
    // Who may only look at agents, or finds none, asks the servers as any client does. So does who comes too late for
    // one of both certificates: of the server they say nothing.
    if (!tunnel && (tunnel.error().id == "agent.not_permitted" || tunnel.error().id == "agent.unreachable" ||
                    tunnel.error().id == "net.tls_expired" || tunnel.error().id == "net.tls_refused"))
      return target;
    if (!tunnel) return fail(std::move(tunnel).error());
    target.socket = (*tunnel)->socket();
    target.peer.reset();  // the socket is ours; who connects to the server's is its agent
    target.keep = *tunnel;
    return target;
  }
  Result<Value> request(const std::string& op, Value arguments, Deadline deadline,
                        const std::stop_token& stop) override {
    return ask_agent(member(), op, std::move(arguments), deadline, stop);
  }
  Result<std::unique_ptr<engine::MemberControl>> control(const std::stop_token& stop,
                                                         const CurrentEpoch& epoch) override {
    if (!controllable()) return fail(no_agent_runs_it(member()));
    return control_by_agent(member(), stop, epoch);
  }
  MemberFiles& files() override { return *this; }

 private:
  Errant errant(Errant wanted, milliseconds limit, const std::stop_token& stop) override {
    auto arguments = Value::object({{"transactions", wanted.transactions},
                                    {"heartbeatTables", Value::list_of(cluster::heartbeat_tables(cluster()))},
                                    {"timeoutMs", static_cast<int64_t>(for_the_agent(limit).count())}});
    auto answer = ask_agent(member(), "errant", std::move(arguments), Deadline::in(limit), stop);
    if (answer) {
      auto found = cluster::errant_from((*answer)["errant"]);
      found.against = wanted.against;
      return found;
    }
    // An agent that is there and slow has its disk for itself; one that is gone leaves it to us.
    if (answers_nobody(answer.error()) && !member().data_dir.empty())
      return errant_from_here(cluster(), member(), wanted, limit, stop);
    wanted.unseen = answers_nobody(answer.error()) ? answer.error().message : "its agent: " + answer.error().message;
    return wanted;
  }

  Result<engine::ErrantLog> errant_log(const ErrantLogRequest& request, const std::string& folder,
                                       const std::stop_token& stop) override {
    engine::ErrantLogFiles to(cluster().engine, folder, request.limits);
    auto told = errant_log_of_agent(request, to, stop);
    if (!told && answers_nobody(told.error()) && !member().data_dir.empty())
      told = errant_log_from_here(cluster(), member(), request, to, stop);
    return std::move(to).finish(TRY(std::move(told).context(member().name.str())));
  }
  Result<Value> errant_log_of_agent(const ErrantLogRequest& request, engine::ErrantLogSink& to,
                                    const std::stop_token& stop) const {
    auto client = TRY(connect_agent(member(), Deadline::in(kConnect), stop));
    TRY(client.call("ping", Value::object(), Deadline::in(kConnect), stop));  // which tells its version
    auto arguments = Value::object({{"transactions", request.transactions},
                                    {"heartbeatTables", Value::list_of(cluster::heartbeat_tables(cluster()))},
                                    {"most", request.limits.most},
                                    {"mostRecords", request.limits.most_records},
                                    {"altered", request.altered},
                                    {"timeoutSeconds", request.deadline.left().count() / 1000 + 1}});
    const auto stream = TRY(std::move(client).open("errant_log", std::move(arguments),
                                                   Deadline::in(request.deadline.left() + kMore), stop));
    return agent::receive_errant_log(*stream, to, stop);
  }

  Result<std::unique_ptr<MemberTree>> tree(const std::string& directory, std::stop_token stop) override {
    auto client = TRY(connect_agent(member(), Deadline::in(kConnect), stop).context(member().name.str()));
    auto stream = TRY(std::move(client)
                          .open("tree", Value::object({{"directory", directory}}), Deadline::in(kTreeBegins), stop)
                          .context(member().name.str()));
    return MemberTree::open(std::move(stream), std::move(stop));
  }

  static constexpr seconds kConnect{10}, kMore{5}, kTreeBegins{120};
};

}  // namespace

std::unique_ptr<MemberAccess> host_member(std::shared_ptr<const DatabaseCluster> cluster, const Member& member) {
  return std::make_unique<HostMember>(std::move(cluster), member);
}

}  // namespace holdfast::provider

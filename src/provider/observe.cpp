#include "provider/observe.h"

#include <fmt/format.h>

#include <algorithm>
#include <thread>

#include "cluster/in_flight.h"
#include "cluster/roles.h"
#include "cluster/server_log.h"
#include "cluster/server_words.h"
#include "engine/observe.h"
#include "provider/errant.h"
#include "provider/names.h"
#include "provider/provider.h"
#include "provider/silence.h"
#include "provider/skipped.h"
#include "provider/table_files.h"
#include "sql/mariadb.h"
#include "sql/postgres.h"
#include "sql/transport.h"
#include "sys/process.h"

namespace holdfast::provider {

using cluster::DatabaseCluster;
using cluster::Member;
using cluster::MemberFacts;
using cluster::MemberRole;
using std::chrono::milliseconds;

namespace {

// A primary whose replicas have more than it shows is given this long to show it.
constexpr int kLooksForCommits = 8;
constexpr milliseconds kBetweenLooks{100};

/// `way`: what leads to its server, for as long as the caller wants it to be there. `files`: of PostgreSQL, where
/// another member's are to be compared with them; listed while the agents are still being asked.
void ask_server(MemberFacts& facts, MemberAccess& member, milliseconds limit, const std::stop_token& stop,
                sql::KeptPostgres& kept, std::shared_ptr<const void>& way,
                std::shared_ptr<engine::postgres::TableFiles>& files) {
  const Deadline deadline = Deadline::in(limit);
  auto target = member.sql(deadline, stop);
  if (target) {
    way = target->keep;
    facts = engine::observe(member.cluster().engine, member.member(), *target, deadline, stop, &kept);
    const bool lists = member.cluster().engine == cluster::Engine::postgres && member.cluster().members.size() > 1;
    if (!lists || !facts.reachable()) return;
    files = std::make_shared<engine::postgres::TableFiles>(*target, &kept);
    (void)files->get(Deadline::in(limit), stop);
    return;
  }
  facts.reach = target.error().id == "agent.no_server" ? cluster::Reach::unreachable : cluster::Reach::failed;
  facts.error = target.error().to_string();
}

/// MariaDB and MySQL note each login that they refuse, and without a password they refuse all over the network.
bool may_ask_by_network(const DatabaseCluster& cluster, const Member& member) {
  const bool postgres = cluster.engine == cluster::Engine::postgres;
  return !member.host.empty() && member.port > 0 && (postgres || !cluster.credentials.by_socket());
}

/// Can a client reach it over the network? MariaDB, MySQL: signs in as a client does, since a bare connection counts as
/// an error of this host on the server, which blocks hosts after some. PostgreSQL: until it asks for a password.
Status ask_by_network(const DatabaseCluster& cluster, const Member& member, milliseconds limit,
                      const std::stop_token& stop) {
  auto target = TRY(client_target_of(cluster, member));
  target.socket.clear();
  if (cluster.engine == cluster::Engine::postgres) target.password = Secret();
  // Nobody is asked over a network that must not carry the password: what is not known is not called broken.
  if (!sql::transport_of(target)) return {};
  const Deadline deadline = Deadline::in(limit);
  auto sign_in = [&]() -> Status {
    if (cluster.engine == cluster::Engine::postgres)
      (void)TRY(sql::PostgresConnection::connect(target, deadline, stop));
    else
      (void)TRY(sql::MariadbConnection::connect(target, deadline, stop));
    return {};
  };
  auto done = sign_in();
  if (!done && (done.error().id == "sql.denied" || done.error().id == "sql.error")) return {};  // it answered
  return done;
}

/// What the agent told, into what the server told.
void merge(MemberFacts& facts, MemberFacts&& from_agent) {
  facts.agent = std::move(from_agent.agent);
  facts.runtime = std::move(from_agent.runtime);
  facts.stored = std::move(from_agent.stored);
  if (!facts.server_id) facts.server_id = from_agent.server_id;
  if (facts.own.port <= 0) facts.own.port = from_agent.own.port;
  if (facts.own.hostname.empty()) facts.own.hostname = std::move(from_agent.own.hostname);
  facts.own.network = std::move(from_agent.own.network);
  facts.own.interfaces = std::move(from_agent.own.interfaces);
  for (auto& reading : from_agent.readings) facts.readings.push_back(std::move(reading));
}

/// SIGSTOP for a PostgreSQL server reaches its postmaster only: sessions go on, and what was read of its log files
/// first may be less than what a standby had by then. Read again after all others, it is not.
void read_files_again(MemberFacts& facts, MemberAccess& member, milliseconds limit, const std::stop_token& stop) {
  MemberFacts again;
  member.look(again, limit, stop);
  if (again.runtime.process_state == facts.runtime.process_state && again.stored)
    facts.stored = std::move(again.stored);
}

/// The server refused us and the agent says that it runs: asked at two moments, with its death in between. Then the
/// agent's word is old, and what it would tell of the data directory is missing.
bool torn(const MemberFacts& server, const MemberFacts& agent) {
  return server.reach == cluster::Reach::unreachable && agent.runtime.state == "running" &&
         agent.runtime.process_state != "T" && agent.runtime.process_state != "t";
}

/// Asks the agent until it has seen the death too; one that stays with its word is believed.
void look_again_if_torn(const MemberFacts& server, MemberFacts& agent, MemberAccess& member, milliseconds limit,
                        const std::stop_token& stop) {
  if (!torn(server, agent)) return;
  (void)sys::wait_until(
      [&] {
        agent = {};
        member.look(agent, limit, stop);
        return !torn(server, agent);
      },
      Deadline::in(std::min(limit, milliseconds(500))), stop);
}

/// A server that died after it was asked first: what its agent said before is of when it ran.
void look_again(MemberFacts& facts, MemberAccess& member, milliseconds limit, const std::stop_token& stop) {
  MemberFacts again;
  member.look(again, limit, stop);
  look_again_if_torn(facts, again, member, limit, stop);
  std::erase_if(facts.readings, [&](const cluster::Reading& old) {
    return std::ranges::any_of(again.readings, [&](const cluster::Reading& now) { return now.name == old.name; });
  });
  merge(facts, std::move(again));
}

bool frozen_postmaster(const DatabaseCluster& cluster, const MemberFacts& facts) {
  return cluster.engine == cluster::Engine::postgres && !facts.reachable() && facts.agent.answers == true &&
         (facts.runtime.process_state == "T" || facts.runtime.process_state == "t");
}

/// A standby that receives nothing may have more in its pg_wal than it has replayed: one that applies later on purpose,
/// or is paused, by hours. Only its files tell.
void look_for_wal_end(MemberFacts& facts, MemberAccess& member, milliseconds limit, const std::stop_token& stop) {
  if (member.cluster().engine != cluster::Engine::postgres || !facts.reachable() || facts.agent.answers != true ||
      facts.role != MemberRole::replica || facts.following.empty() || facts.following[0].receiving == true)
    return;
  const Deadline deadline = Deadline::in(limit);
  auto arguments = codec::Value::object({{"timeoutSeconds", std::max<int64_t>(1, deadline.left().count() / 1000)}});
  auto told = member.request("wal_end", std::move(arguments), deadline, stop);
  if (!told && told.error().id == "agent.unreachable") return;
  const std::string unknown = told ? (*told)["unknown"].text() : told.error().message;
  if (!unknown.empty()) return engine::note_unknown(facts, "end of WAL", "pg_wal", unknown);
  engine::note(facts, "end of WAL", (*told)["end"].text(), "pg_wal");
  cluster::take_wal_end(facts, (*told)["end"].text(), static_cast<uint32_t>((*told)["timeline"].integer()),
                        (*told)["history"].text());
}

/// A MariaDB replica that refuses what its own log has: what that log has that it did not note.
void look_for_unnoted(MemberFacts& facts, MemberAccess& member, milliseconds limit, const std::stop_token& stop) {
  if (!cluster::refuses_what_it_logged(member.cluster().engine, facts)) return;
  const auto behind = cluster::logged_behind(facts.executed, facts.slave_pos);
  if (!behind.empty()) facts.unnoted = look_up_transactions(member, behind, limit, stop);
}

bool takes_writes(const DatabaseCluster& cluster, const MemberFacts& facts) {
  return cluster.engine != cluster::Engine::galera && facts.reachable() && facts.role == MemberRole::primary &&
         facts.read_only != true;
}

/// Of those whose files nobody has compared.
void look_for_sizes(const ClusterMembers& members, std::vector<MemberFacts>& facts, milliseconds limit,
                    const std::stop_token& stop, sql::KeptPostgres& kept) {
  const cluster::Engine engine = members.cluster().engine;
  if (engine != cluster::Engine::postgres) return;  // the others' first look has them
  std::vector<std::jthread> threads;
  for (size_t i = 0; i < facts.size(); ++i) {
    if (!facts[i].reachable() || facts[i].data_bytes) continue;
    const auto target = members[i].sql();
    if (!target) continue;
    threads.emplace_back(
        [&, i, target] { engine::observe_size(engine, facts[i], *target, Deadline::in(limit), stop, &kept); });
  }
}

}  // namespace

std::vector<MemberFacts> observe_members(const ClusterMembers& members, milliseconds per_member, std::stop_token stop) {
  const DatabaseCluster& cluster = members.cluster();
  const size_t count = members.size();
  std::vector<MemberFacts> facts(count), from_agents(count);
  std::vector<std::optional<Status>> tcp(count);
  std::vector<std::shared_ptr<const void>> ways(count);  // before `kept`, whose sessions go by them
  sql::KeptPostgres kept;
  TableFiles files(count);
  const Deadline all = Deadline::in(per_member);
  ask_for_names(cluster);
  {
    std::vector<std::jthread> threads;
    for (size_t i = 0; i < count; ++i) {
      const Member& member = cluster.members[i];
      threads.emplace_back([&, i] { ask_server(facts[i], members[i], per_member, stop, kept, ways[i], files[i]); });
      if (members[i].supervised()) threads.emplace_back([&, i] { members[i].look(from_agents[i], per_member, stop); });
      if (!members[i].clients_way() && may_ask_by_network(cluster, member))
        threads.emplace_back([&, i] { tcp[i] = ask_by_network(cluster, member, per_member, stop); });
    }
  }
  for (size_t i = 0; i < count; ++i) {
    const Member& member = cluster.members[i];
    facts[i].member = member.name;
    if (facts[i].address.empty())
      facts[i].address = member.host.empty() ? member.socket : fmt::format("{}:{}", member.host, member.port);
    if (members[i].supervised()) {
      look_again_if_torn(facts[i], from_agents[i], members[i], per_member, stop);
      merge(facts[i], std::move(from_agents[i]));
    }
    if (cluster.engine == cluster::Engine::postgres && !facts[i].following.empty() &&
        facts[i].following[0].receiving == false)
      facts[i].following[0].receive_error = cluster::receiver_trouble(facts[i].runtime.log_tail);
    look_for_unnoted(facts[i], members[i], per_member, stop);
    look_for_wal_end(facts[i], members[i], per_member, stop);
    look_for_missing_files(facts[i], members[i], per_member, stop);
    if (tcp[i]) {
      facts[i].tcp = tcp[i]->has_value();
      if (!*tcp[i]) facts[i].tcp_error = tcp[i]->error().message;
    } else if (facts[i].reachable() && members[i].clients_way()) {
      facts[i].tcp = true;
    }
  }
  for (size_t i = 0; i < count; ++i)
    if (frozen_postmaster(cluster, facts[i])) read_files_again(facts[i], members[i], per_member, stop);
  take_names(cluster, facts, all);
  cluster::settle_roles(cluster, facts);
  // After those: a frozen standby's receiver is a process of its own, and goes on.
  for (size_t i = 0; i < count; ++i) {
    // One that is read-only just now may have written a moment ago: its replicas were read later than it was.
    const bool primary =
        cluster.engine != cluster::Engine::galera && facts[i].reachable() && facts[i].role == MemberRole::primary;
    if (!primary) continue;
    auto target = members[i].sql();
    if (takes_writes(cluster, facts[i])) {
      look_for_silence(members, facts, i, std::string(facts[i].offered), per_member, stop);
      look_for_cut_files(members, facts, i, files, per_member, stop, kept);
      look_for_skipped(members, facts, i, per_member, stop);
    }
    if (target) engine::observe_position(cluster.engine, facts[i], *target, Deadline::in(per_member), stop, &kept);
    for (int looks = 0; target && looks < kLooksForCommits; ++looks) {
      if (!cluster::awaits_own_commits(cluster, facts, facts[i])) break;
      if (!sys::wait_until([] { return false; }, Deadline::in(kBetweenLooks), stop)) break;
      engine::observe_position(cluster.engine, facts[i], *target, Deadline::in(per_member), stop, &kept);
    }
    if (facts[i].reach == cluster::Reach::unreachable && members[i].supervised())
      look_again(facts[i], members[i], per_member, stop);
  }
  look_for_sizes(members, facts, per_member, stop, kept);
  const int64_t now = engine::reading_clock();
  for (auto& f : facts)
    for (auto& reading : f.readings) reading.age_ms = now - reading.age_ms;
  return facts;
}

cluster::TriageReport triage_members(const ClusterMembers& members, milliseconds per_member, std::stop_token stop,
                                     const cluster::Surroundings& around) {
  return cluster::triage(members.cluster(), observe_members(members, per_member, std::move(stop)), around);
}

std::vector<cluster::TriageReport> triage_clusters(const std::vector<DatabaseCluster>& clusters,
                                                   milliseconds per_member, std::stop_token stop,
                                                   const std::vector<cluster::Surroundings>& around) {
  std::vector<cluster::TriageReport> reports(clusters.size());
  std::vector<std::jthread> threads;
  for (size_t c = 0; c < clusters.size(); ++c)
    threads.emplace_back([&, c] {
      reports[c] = triage_members(ClusterMembers(clusters[c]), per_member, stop,
                                  c < around.size() ? around[c] : cluster::Surroundings());
    });
  threads.clear();  // waits for them
  return reports;
}

}  // namespace holdfast::provider

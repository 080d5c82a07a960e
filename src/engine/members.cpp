#include "engine/members.h"

#include <fmt/format.h>

#include <algorithm>
#include <thread>

#include "cluster/roles.h"
#include "engine/channels.h"
#include "sql/mariadb.h"
#include "sql/postgres.h"

namespace holdfast::engine {
namespace {

using cluster::DatabaseCluster;
using cluster::Engine;
using cluster::Member;

/// A look, and what tells which member a connection leads to.
struct Look {
  MemberView view;
  cluster::MemberFacts facts;
};

/// Its numbers, its addresses and its connections, as far as cluster::settle_roles() needs them.
cluster::MemberFacts facts_of(const Member& member, const sql::Rows& variables, const sql::Rows& status) {
  cluster::MemberFacts facts;
  facts.member = member.name;
  facts.reach = cluster::Reach::reachable;
  facts.role = status.empty() ? cluster::MemberRole::primary : cluster::MemberRole::replica;
  facts.read_only = variables.text("read_only") != "0";
  facts.server_id = std::strtoull(variables.text("id").c_str(), nullptr, 10);
  facts.server_uuid = variables.text("uuid");
  facts.own.hostname = variables.text("host");
  facts.own.port = std::atoi(variables.text("port").c_str());
  const bool now = status.column("Source_Host").has_value();
  for (size_t i = 0; i < status.rows.size(); ++i) {
    cluster::Following f;
    f.channel = status.text(now ? "Channel_Name" : "Connection_name", i);
    f.upstream =
        status.text(now ? "Source_Host" : "Master_Host", i) + ":" + status.text(now ? "Source_Port" : "Master_Port", i);
    f.receive_state = status.text(now ? "Replica_IO_Running" : "Slave_IO_Running", i);
    f.receiving = f.receive_state == "Yes";
    f.applying = status.text(now ? "Replica_SQL_Running" : "Slave_SQL_Running", i) == "Yes";
    auto numbers = source_numbers(status, i);
    f.source_uuid = std::move(numbers.uuid);
    f.source_server_id = numbers.server_id;
    facts.following.push_back(std::move(f));
  }
  return facts;
}

void take_as_primary(MemberView& view) {
  view.is_replica = view.filtered = false;
  view.healthy = true;
  view.lag_seconds = 0;
  view.problem.clear();
}

Status look_mysql(const DatabaseCluster& cluster, const sql::Target& target, Deadline deadline, std::stop_token stop,
                  Look& look) {
  auto& view = look.view;
  auto connection = TRY(sql::MariadbConnection::connect(target, deadline, stop));
  const bool mysql = cluster.engine == Engine::mysql;
  const auto variables = TRY(connection.query(
      fmt::format("SELECT @@GLOBAL.read_only AS read_only, @@GLOBAL.server_id AS id, @@GLOBAL.hostname AS host, "
                  "@@GLOBAL.port AS port{}",
                  mysql ? ", @@GLOBAL.server_uuid AS uuid" : ""),
      deadline, stop));
  auto status = TRY(connection.query(mysql ? "SHOW REPLICA STATUS" : "SHOW ALL SLAVES STATUS", deadline, stop));
  view.known = true;
  view.is_replica = !status.empty();
  look.facts = facts_of(*view.member, variables, status);
  view.read_only = look.facts.read_only;
  if (!view.is_replica) {
    view.healthy = true;
    return {};
  }
  for (size_t i = 0; i < status.rows.size(); ++i) {
    const std::string io = status.text(mysql ? "Replica_IO_Running" : "Slave_IO_Running", i);
    const std::string sql = status.text(mysql ? "Replica_SQL_Running" : "Slave_SQL_Running", i);
    const auto lag = status.value(mysql ? "Seconds_Behind_Source" : "Seconds_Behind_Master", i);
    if (io != "Yes" || sql != "Yes" || !lag) {
      view.problem = fmt::format("replication does not run (IO {}, SQL {}): {} {}", io, sql,
                                 status.text("Last_IO_Error", i), status.text("Last_SQL_Error", i));
      return {};
    }
    view.lag_seconds = std::max(view.lag_seconds, std::strtod(lag->c_str(), nullptr));
  }
  view.filtered = !replica_filters(status).empty();
  view.healthy = true;
  return {};
}

Status look_galera(const sql::Target& target, Deadline deadline, std::stop_token stop, MemberView& view) {
  auto connection = TRY(sql::MariadbConnection::connect(target, deadline, stop));
  auto rows = TRY(connection.query(
      "SHOW GLOBAL STATUS WHERE Variable_name IN ('wsrep_local_state_comment','wsrep_cluster_status','wsrep_ready')",
      deadline, stop));
  view.known = true;
  std::string state, component, ready;
  for (const auto& row : rows.rows) {
    const std::string name = row[0].value_or("");
    (name == "wsrep_ready" ? ready : name == "wsrep_cluster_status" ? component : state) = row[1].value_or("");
  }
  view.healthy = state == "Synced" && component == "Primary" && ready == "ON";
  if (!view.healthy)
    view.problem = fmt::format("not ready for a backup: state {}, component {}, ready {}", state, component, ready);
  return {};
}

Status look_postgres(const sql::Target& target, Deadline deadline, std::stop_token stop, MemberView& view) {
  auto connection = TRY(sql::PostgresConnection::connect(target, deadline, stop));
  auto rows = TRY(connection.query(
      "SELECT pg_is_in_recovery() AS r, (SELECT count(*) FROM pg_stat_wal_receiver WHERE status = 'streaming') AS s, "
      "CASE WHEN pg_last_wal_receive_lsn() <= pg_last_wal_replay_lsn() THEN 0 "
      "ELSE COALESCE(EXTRACT(EPOCH FROM now() - pg_last_xact_replay_timestamp()), 0) END AS l",
      deadline, stop));
  view.known = true;
  view.is_replica = rows.text("r") == "t";
  view.healthy = !view.is_replica || rows.text("s") != "0";
  view.lag_seconds = std::strtod(rows.text("l").c_str(), nullptr);
  if (!view.healthy) view.problem = "the standby does not stream from its primary";
  return {};
}

bool is_called(const Member& member, const std::string& wanted) {
  return member.name.str() == wanted || std::to_string(member.ordinal) == wanted;
}

/// The refusal, where no member may be asked: a matter of the cluster's configuration, not of its servers.
Status some_may_be_asked(const std::vector<MemberView>& views, const std::string& wanted) {
  Status last;
  for (const auto& view : views) {
    if (!wanted.empty() && !is_called(*view.member, wanted)) continue;
    if (!view.refusal) return {};
    last = fail(Error(*view.refusal).with_context(view.member->name.str()));
  }
  return last;
}

Status ask(const DatabaseCluster& cluster, const TargetOf& target_of, Deadline deadline, const std::stop_token& stop,
           Look& look) {
  auto& view = look.view;
  auto target = target_of(*view.member, deadline, stop);
  if (!target) {
    const auto error_class = target.error().error_class;
    if (error_class == ErrorClass::usage || error_class == ErrorClass::refused) view.refusal = target.error();
    return fail(std::move(target).error());
  }
  view.target = std::move(*target);
  switch (cluster.engine) {
    case Engine::mariadb:
    case Engine::mysql:
      return look_mysql(cluster, *view.target, deadline, stop, look);
    case Engine::galera:
      return look_galera(*view.target, deadline, stop, view);
    case Engine::postgres:
      return look_postgres(*view.target, deadline, stop, view);
  }
  return {};
}

Look look_at(const DatabaseCluster& cluster, const Member& member, const TargetOf& target_of, Deadline deadline,
             const std::stop_token& stop) {
  Look look;
  auto& view = look.view;
  view.member = &member;
  look.facts.member = member.name;
  auto asked = ask(cluster, target_of, deadline, stop, look);
  if (asked) return look;
  view.known = view.healthy = false;
  view.problem = asked.error().to_string();
  if (asked.error().id == "sql.plain_text") view.refusal = std::move(asked).error();
  return look;
}

}  // namespace

// Open for writes and fed from elsewhere a member is a primary: cluster/roles.h.
std::vector<MemberView> look_at_members(const DatabaseCluster& cluster, const TargetOf& target_of,
                                        std::chrono::milliseconds per_member, const std::stop_token& stop) {
  std::vector<Look> looks(cluster.members.size());
  {
    const Deadline deadline = Deadline::in(per_member);
    std::vector<std::jthread> threads;
    for (size_t i = 0; i < looks.size(); ++i) {
      threads.emplace_back([&, i] { looks[i] = look_at(cluster, cluster.members[i], target_of, deadline, stop); });
    }
  }
  std::vector<cluster::MemberFacts> facts;
  std::vector<MemberView> views;
  for (auto& look : looks) {
    facts.push_back(std::move(look.facts));
    views.push_back(std::move(look.view));
  }
  cluster::settle_roles(cluster, facts);
  for (size_t i = 0; i < views.size(); ++i)
    if (views[i].is_replica && facts[i].role == cluster::MemberRole::primary) take_as_primary(views[i]);
  return views;
}

MemberView look_at_member(const DatabaseCluster& cluster, const Member& member, const TargetOf& target_of,
                          Deadline deadline, std::stop_token stop) {
  auto look = look_at(cluster, member, target_of, deadline, stop);
  if (!look.view.is_replica || look.facts.read_only != false) return std::move(look.view);
  const std::vector<cluster::MemberFacts> facts = {std::move(look.facts)};
  const cluster::Topology topology(cluster, facts);
  const auto self = topology.find(member.name.str());
  const auto from_here = [&](const cluster::Following& stream) {
    return self && topology.source(*self, stream).member().has_value();
  };
  if (std::ranges::none_of(facts[0].following, from_here)) take_as_primary(look.view);
  return std::move(look.view);
}

std::string replica_filters(const sql::Rows& status) {
  std::string filters;
  for (const char* name : {"Replicate_Do_DB", "Replicate_Ignore_DB", "Replicate_Do_Table", "Replicate_Ignore_Table",
                           "Replicate_Wild_Do_Table", "Replicate_Wild_Ignore_Table", "Replicate_Do_Domain_Ids",
                           "Replicate_Ignore_Domain_Ids", "Replicate_Rewrite_DB"}) {
    for (size_t i = 0; i < status.rows.size(); ++i) {
      if (const auto value = status.value(name, i); value && !value->empty())
        filters += fmt::format("{}{} {}", filters.empty() ? "" : ", ", name, *value);
    }
  }
  return filters;
}

Status check_wanted(const DatabaseCluster& cluster, const std::string& wanted) {
  if (wanted.empty() || std::ranges::any_of(cluster.members, [&](const Member& m) { return is_called(m, wanted); }))
    return {};
  return fail(ErrorClass::usage, "engine.no_member", fmt::format("{} has no member {}", cluster.full_name(), wanted),
              "holdfast get status -c " + cluster.full_name());
}

Result<MemberView> choose_source(const DatabaseCluster& cluster, const std::vector<MemberView>& views,
                                 const std::string& wanted) {
  std::string problems;
  size_t primaries = 0;
  const MemberView* best = nullptr;
  for (const auto& view : views) {
    if (!view.problem.empty())
      problems += fmt::format("{}{}: {}", problems.empty() ? "" : "; ", view.member->name.str(), view.problem);
    if (!wanted.empty() && !is_called(*view.member, wanted)) continue;
    if (!view.healthy) continue;
    if (cluster.engine != Engine::galera && !view.is_replica) ++primaries;
    const bool better = !best || (cluster.engine == Engine::galera      ? view.member->ordinal > best->member->ordinal
                                  : view.filtered != best->filtered     ? best->filtered
                                  : view.is_replica != best->is_replica ? view.is_replica
                                                                        : view.lag_seconds < best->lag_seconds);
    if (better) best = &view;
  }
  if (!best) {
    TRY_VOID(some_may_be_asked(views, wanted));
    return fail(ErrorClass::unavailable, "engine.no_source",
                fmt::format("no member of {} can be backed up from: {}", cluster.full_name(), problems),
                "holdfast get status shows every member");
  }
  if (primaries > 1 && !best->is_replica) {
    return fail(
        ErrorClass::refused, "engine.two_primaries",
        fmt::format("more than one member of {} is a writer; which history should be backed up?", cluster.full_name()),
        "name the member with -i");
  }
  return *best;
}

Result<MemberView> find_primary(const std::vector<MemberView>& views) {
  const MemberView* primary = nullptr;
  for (const auto& view : views) {
    if (!view.healthy || view.is_replica) continue;
    if (primary) return fail(ErrorClass::refused, "engine.two_primaries", "more than one member is a writer");
    primary = &view;
  }
  if (!primary) return fail(ErrorClass::unavailable, "engine.no_primary", "no primary can be reached");
  return *primary;
}

}  // namespace holdfast::engine

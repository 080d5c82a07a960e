#include <fmt/format.h>

#include "lab/cluster_up.h"
#include "sql/mariadb.h"
#include "sql/postgres.h"
#include "sys/process.h"

namespace holdfast::lab {

using agent::MemberConfig;
using agent::Role;
using cluster::Engine;
using std::chrono::seconds;

namespace {

Result<sql::Target> target_of(const MemberConfig& c) {
  sql::Target target;
  target.socket = c.server_socket();
  target.user = c.admin_user;
  target.password = Secret(TRY(agent::read_password(c.admin_password_file)));
  target.app_name = "holdfast-lab";
  return target;
}

/// The words that differ between the two families.
struct Dialect {
  const char *status, *stop, *start, *io, *sql, *host, *port;
};
constexpr Dialect kMariadb{"SHOW SLAVE STATUS", "STOP SLAVE",  "START SLAVE", "Slave_IO_Running",
                           "Slave_SQL_Running", "Master_Host", "Master_Port"};
constexpr Dialect kMysql{"SHOW REPLICA STATUS", "STOP REPLICA", "START REPLICA", "Replica_IO_Running",
                         "Replica_SQL_Running", "Source_Host",  "Source_Port"};

Status follow(const UpContext& context, const MemberConfig& c) {
  const bool mysql = c.engine == Engine::mysql;
  const Dialect& words = mysql ? kMysql : kMariadb;
  const agent::Peer* upstream = c.find_peer(c.upstream);
  if (!upstream) return fail(ErrorClass::bug, "lab.upstream", c.member + " has no upstream");
  const std::string password = TRY(agent::read_password(c.replication_password_file));
  auto connection = TRY(sql::MariadbConnection::connect(TRY(target_of(c)), context.deadline, context.stop));
  auto run = [&](const std::string& statement) { return connection.query(statement, context.deadline, context.stop); };
  auto status = TRY(run(words.status));
  if (status.empty() || status.text(words.host) != upstream->host ||
      status.text(words.port) != std::to_string(upstream->port)) {
    if (!status.empty()) TRY(run(words.stop));
    if (mysql) {
      TRY(run(fmt::format(
          "CHANGE REPLICATION SOURCE TO SOURCE_HOST={}, SOURCE_PORT={}, SOURCE_USER={}, SOURCE_PASSWORD={}, "
          "SOURCE_AUTO_POSITION=1, SOURCE_CONNECT_RETRY=1, SOURCE_RETRY_COUNT=1000000, GET_SOURCE_PUBLIC_KEY=1",
          sql::quote_mysql(upstream->host), upstream->port, sql::quote_mysql(c.replication_user),
          sql::quote_mysql(password))));
    } else {
      TRY(
          run(fmt::format("CHANGE MASTER TO MASTER_HOST={}, MASTER_PORT={}, MASTER_USER={}, MASTER_PASSWORD={}, "
                          "MASTER_USE_GTID=slave_pos, MASTER_CONNECT_RETRY=1",
                          sql::quote_mysql(upstream->host), upstream->port, sql::quote_mysql(c.replication_user),
                          sql::quote_mysql(password))));
    }
  }
  TRY(run(words.start));
  bool started = TRY(sys::wait_until(
      [&] {
        auto now = run(words.status);
        if (now) status = std::move(*now);
        return status.text(words.io) == "Yes" && status.text(words.sql) == "Yes";
      },
      context.deadline, context.stop));
  if (!started)
    return fail(ErrorClass::failed, "lab.replication",
                fmt::format("{} does not follow {}: {} {}", c.member, c.upstream, status.text("Last_IO_Error"),
                            status.text("Last_SQL_Error")),
                "`holdfast get status` tells more");
  return {};
}

Status mariadb_family(const UpContext& context, const std::vector<MemberConfig>& members) {
  size_t replicas = 0;
  for (const auto& member : members) {
    if (member.role != Role::replica) continue;
    TRY_VOID(follow(context, member));
    ++replicas;
  }
  for (const auto& member : members) {
    if (member.role != Role::primary || member.replication != cluster::ReplicationMode::semi_sync) continue;
    auto connection = TRY(sql::MariadbConnection::connect(TRY(target_of(member)), context.deadline, context.stop));
    bool acked = TRY(sys::wait_until(
        [&] {
          auto rows = connection.query("SHOW GLOBAL STATUS LIKE 'Rpl_semi_sync_master_clients'", context.deadline,
                                       context.stop);
          return rows && rows->text("Value") == std::to_string(replicas);
        },
        context.deadline, context.stop));
    if (!acked)
      return fail(ErrorClass::failed, "lab.replication", "the replicas of " + member.cluster + " do not acknowledge");
  }
  return {};
}

Status postgres(const UpContext& context, const std::vector<MemberConfig>& members) {
  for (const auto& primary : members) {
    if (primary.role != Role::primary) continue;
    auto connection = TRY(sql::PostgresConnection::connect(TRY(target_of(primary)), context.deadline, context.stop));
    size_t replicas = 0;
    for (const auto& member : members) {
      if (member.upstream != primary.member) continue;
      ++replicas;
      const std::string slot = sql::quote_postgres(member.slot_name());
      TRY(connection.query(fmt::format("SELECT pg_create_physical_replication_slot({0}, true) WHERE NOT EXISTS "
                                       "(SELECT FROM pg_replication_slots WHERE slot_name = {0})",
                                       slot),
                           context.deadline, context.stop));
    }
    bool streaming = TRY(sys::wait_until(
        [&] {
          auto rows = connection.query("SELECT count(*) AS n FROM pg_stat_replication WHERE state = 'streaming'",
                                       context.deadline, context.stop);
          return rows && rows->text("n") == std::to_string(replicas);
        },
        context.deadline, context.stop));
    if (!streaming)
      return fail(ErrorClass::failed, "lab.replication",
                  "the standby of " + primary.cluster + " does not stream from its primary",
                  "`holdfast get status` tells more");
  }
  return {};
}

}  // namespace

Status connect_replication(const UpContext& context, const ClusterPlan& plan,
                           const std::vector<MemberConfig>& members) {
  switch (plan.engine) {
    case Engine::galera:
      return {};
    case Engine::postgres:
      return postgres(context, members);
    default:
      return mariadb_family(context, members);
  }
}

}  // namespace holdfast::lab

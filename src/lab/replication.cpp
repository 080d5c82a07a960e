#include <fmt/format.h>

#include "engine/replication.h"
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
  target.password = TRY(agent::read_password(c.admin_password_file));
  target.app_name = "holdfast-lab";
  return target;
}

Status follow(const UpContext& context, const MemberConfig& c) {
  const agent::Peer* upstream = c.find_peer(c.upstream);
  if (!upstream) return fail(ErrorClass::bug, "lab.upstream", c.member + " has no upstream");
  const sql::Target target = TRY(target_of(c));
  TRY_VOID(engine::follow(
      c.engine, target,
      {upstream->host, upstream->port, c.replication_user, TRY(agent::read_password(c.replication_password_file))},
      context.deadline, context.stop));
  auto follows = engine::wait_for_replication(c.engine, target, "", false, context.deadline, context.stop);
  if (follows) return {};
  return fail(ErrorClass::failed, "lab.replication",
              fmt::format("{} does not follow {}: {}", c.member, c.upstream, follows.error().message),
              "`holdfast get status` shows more");
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
                  "`holdfast get status` shows more");
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

#include "repair/accounts.h"

#include <fmt/format.h>

#include <cstdlib>

#include "cluster/server_words.h"
#include "engine/members.h"
#include "provider/member_agent.h"
#include "sql/mariadb.h"

namespace holdfast::repair {

using cluster::Engine;

namespace {

/// "" when the server would give this account its logs, or cannot say.
std::string refusal_of(const sql::Target& target, std::stop_token stop) {
  const Deadline deadline = Deadline::in(std::chrono::seconds(5));
  auto connection = sql::MariadbConnection::connect(target, deadline, stop);
  if (!connection) {
    const std::string code = sql::error_code(connection.error());
    const bool account = connection.error().id == "sql.denied" || cluster::turns_account_away(std::atoi(code.c_str()));
    return account ? connection.error().message : "";
  }
  auto grants = connection->query("SHOW GRANTS", deadline, stop);
  if (!grants) return "";
  for (const auto& row : grants->rows) {
    const std::string grant = row[0].value_or("");
    for (const char* enough : {"REPLICATION SLAVE", "REPLICATION REPLICA", "ALL PRIVILEGES"})
      if (grant.find(enough) != std::string::npos && grant.find(" ON *.* ") != std::string::npos) return "";
    if (grant.starts_with("GRANT `") || grant.starts_with("SET DEFAULT ROLE"))
      return "";  // by a role, which can hold it
  }
  return "it may not read the logs: it lacks the privilege REPLICATION SLAVE";
}

}  // namespace

Error account_refusal(const std::string& member, const std::string& source, const std::string& user,
                      const std::string& why, const std::string& retry) {
  return {
      ErrorClass::refused,
      "repair.replication_account",
      fmt::format("{} cannot follow {}: the replication account {} of its agent is turned away: {}", member, source,
                  user, why),
      fmt::format("on {0}: CREATE USER IF NOT EXISTS {1}@'%'; ALTER USER {1}@'%' IDENTIFIED BY the password its agent "
                  "has (replicationPasswordFile in its agent.json) ACCOUNT UNLOCK; GRANT REPLICATION SLAVE ON *.* TO "
                  "{1}@'%'; then {2}",
                  source, user, retry),
      {}};
}

std::map<std::string, Error> refused_accounts(const cluster::DatabaseCluster& cluster, const operation::Plan& plan,
                                              std::stop_token stop) {
  std::map<std::string, Error> refused;
  if (cluster.engine != Engine::mariadb && cluster.engine != Engine::mysql) return refused;
  auto controls = provider::control_members(cluster, stop);
  if (!controls) return refused;  // told where the plan is carried out
  for (const auto& step : plan.steps) {
    // The receiver that was stopped goes on with what it was told; the others are told what the agent has.
    if (step.kind != "follow_source" && step.kind != "prove_side") continue;
    const auto* source = cluster.find(step.arguments["source"].text());
    for (const auto& control : *controls) {
      const auto& setup = control->setup();
      if (!source || setup.name != step.member || setup.replication_user.empty() || refused.contains(step.member))
        continue;
      sql::Target target = engine::member_target(cluster, *source, setup.replication_password);
      target.socket.clear();
      target.user = setup.replication_user;
      if (const std::string why = refusal_of(target, stop); !why.empty())
        refused.emplace(step.member, account_refusal(step.member, source->name.str(), setup.replication_user, why,
                                                     fmt::format("holdfast repair -c {} -i {}", cluster.full_name(),
                                                                 cluster.find(step.member)->ordinal)));
    }
  }
  return refused;
}

}  // namespace holdfast::repair

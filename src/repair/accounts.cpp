#include "repair/accounts.h"

#include <fmt/format.h>

#include "repair/step_kinds.h"

namespace holdfast::repair {

using cluster::Engine;

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

AccountChecks check_accounts(const provider::ClusterMembers& members, const operation::Plan& plan,
                             std::stop_token stop) {
  const cluster::DatabaseCluster& cluster = members.cluster();
  AccountChecks checks;
  if (cluster.engine != Engine::mariadb && cluster.engine != Engine::mysql) return checks;
  for (const auto& step : plan.steps) {
    // The receiver that was stopped goes on with what it was told; the others are told what the agent has.
    kind::FollowSource how;
    if (is<kind::FollowSource>(step))
      how = takes<kind::FollowSource>(step);
    else if (is<kind::ProveSide>(step))
      how.source = takes<kind::ProveSide>(step).source;
    else
      continue;
    const auto* source = cluster.find(how.source);
    auto* way = members.find(step.member);
    if (!source || !way || checks.refused.contains(step.member)) continue;
    const auto asked = way->request(
        "check_account",
        codec::Value::object(
            {{"member", source->name.str()}, {"host", source->host}, {"port", source->port}, {"renew", how.renew}}),
        Deadline::in(std::chrono::seconds(15)), stop);
    const std::string why = asked ? (*asked)["why"].text() : asked.error().message;
    if (!asked || !(*asked)["checked"].boolean()) {
      checks.unchecked.push_back(fmt::format("whether {} can log in to {} for replication was not checked: {}",
                                             step.member, source->name.str(), why));
      continue;
    }
    if (const std::string refusal = (*asked)["refusal"].text(); !refusal.empty())
      checks.refused.emplace(
          step.member,
          account_refusal(step.member, source->name.str(), (*asked)["user"].text(), refusal,
                          fmt::format("holdfast repair -c {} -i {}", cluster.full_name(), way->member().ordinal)));
  }
  return checks;
}

}  // namespace holdfast::repair

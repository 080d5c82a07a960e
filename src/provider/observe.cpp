#include "provider/observe.h"

#include <thread>

#include "agent/client.h"
#include "engine/observe.h"
#include "provider/provider.h"

namespace holdfast::provider {

namespace {

cluster::MemberFacts observe_member(const cluster::DatabaseCluster& cluster, const cluster::Member& member,
                                    std::chrono::milliseconds limit, std::stop_token stop) {
  cluster::MemberFacts facts;
  facts.member = member.name;
  const Deadline deadline = Deadline::in(limit);
  auto target = target_of(cluster, member);
  if (target) {
    facts = engine::observe(cluster.engine, member, *target, deadline, stop);
  } else {
    facts.reach = cluster::Reach::failed;
    facts.error = target.error().to_string();
  }
  if (member.agent_socket.empty()) return facts;
  auto client = agent::Client::connect(member.agent_socket, deadline);
  if (!client) return facts;
  if (auto status = client->call("status", codec::Value::object(), Deadline::in(limit), stop)) {
    facts.server_state = (*status)["server"]["state"].text();
    facts.server_pid = static_cast<int>((*status)["server"]["pid"].integer(-1));
  }
  return facts;
}

}  // namespace

std::vector<cluster::ClusterVerdict> observe_clusters(const std::vector<cluster::DatabaseCluster>& clusters,
                                                      std::chrono::milliseconds per_member, std::stop_token stop) {
  std::vector<std::vector<cluster::MemberFacts>> facts(clusters.size());
  {
    std::vector<std::jthread> threads;
    for (size_t c = 0; c < clusters.size(); ++c) {
      facts[c].resize(clusters[c].members.size());
      for (size_t m = 0; m < clusters[c].members.size(); ++m)
        threads.emplace_back(
            [&, c, m] { facts[c][m] = observe_member(clusters[c], clusters[c].members[m], per_member, stop); });
    }
  }
  std::vector<cluster::ClusterVerdict> verdicts;
  for (size_t c = 0; c < clusters.size(); ++c) verdicts.push_back(cluster::assess(clusters[c], facts[c]));
  return verdicts;
}

}  // namespace holdfast::provider

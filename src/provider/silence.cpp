#include "provider/silence.h"

#include <fmt/format.h>

#include <algorithm>
#include <thread>

#include "cluster/topology.h"
#include "engine/observe.h"
#include "engine/receipt.h"

namespace holdfast::provider {

using cluster::DatabaseCluster;
using cluster::MemberFacts;
using std::chrono::milliseconds;

namespace {

constexpr milliseconds kLong(3000), kStep(150);

/// How long nothing must come: within what a member may cost.
milliseconds long_enough(milliseconds limit) {
  return std::min(kLong, limit * 3 / 4);
}

/// Whoever filters or takes another way than GTIDs may lack something for good; who says that it lags is believed.
bool claims_to_be_level(const DatabaseCluster& cluster, const MemberFacts& f) {
  if (!f.reachable() || f.following.size() != 1) return false;
  const auto& stream = f.following[0];
  return stream.receiving == true && stream.filters.empty() && stream.lag_seconds && *stream.lag_seconds < 2 &&
         (cluster.engine == cluster::Engine::postgres || stream.uses_gtid == true);
}

void look(MemberAccess& member, MemberFacts& f, const std::string& offered, milliseconds limit,
          const std::stop_token& stop) {
  const cluster::Engine engine = member.cluster().engine;
  auto target = member.sql();
  if (!target) return;
  const auto begun = std::chrono::steady_clock::now();
  const Deadline deadline = Deadline::in(limit);
  std::string mark;
  for (bool first = true; !stop.stop_requested(); first = false) {
    const auto receipt = engine::read_receipt(engine, *target, deadline, stop);
    if (!receipt || !engine::lacks_of(engine, receipt->position, offered)) return;
    if (!first && receipt->mark != mark) return;  // it comes, if slowly
    mark = receipt->mark;
    const auto waited = std::chrono::steady_clock::now() - begun;
    if (waited >= long_enough(limit)) {
      f.following[0].silent_seconds = std::chrono::duration<double>(waited).count();
      engine::note(f, "received meanwhile", fmt::format("nothing in {:.1f} s", *f.following[0].silent_seconds), "SQL");
      return;
    }
    if (deadline.left() < kStep) return;
    std::this_thread::sleep_for(kStep);
  }
}

}  // namespace

void look_for_silence(const ClusterMembers& members, std::vector<MemberFacts>& facts, size_t writer,
                      const std::string& offered, milliseconds per_member, const std::stop_token& stop) {
  const DatabaseCluster& cluster = members.cluster();
  if (cluster.engine == cluster::Engine::galera || offered.empty()) return;
  std::vector<size_t> level;
  {
    const cluster::Topology topology(cluster, facts);
    for (size_t i = 0; i < facts.size(); ++i)
      if (i != writer && claims_to_be_level(cluster, facts[i]) && topology.source(i, facts[i].following[0]).is(writer))
        level.push_back(i);
  }
  std::vector<std::jthread> threads;
  for (const size_t i : level) {
    std::string received = facts[i].received;
    if (cluster.engine == cluster::Engine::mysql && !facts[i].executed.empty())
      received += (received.empty() ? "" : ",") + facts[i].executed;
    if (!received.empty() && !engine::lacks_of(cluster.engine, received, offered)) continue;
    threads.emplace_back([&, i] { look(members[i], facts[i], offered, per_member, stop); });
  }
}

}  // namespace holdfast::provider

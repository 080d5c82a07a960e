#include "provider/cut_files.h"

#include <fmt/format.h>

#include <algorithm>
#include <thread>

#include "engine/observe.h"
#include "engine/postgres/missing_pages.h"
#include "provider/provider.h"

namespace holdfast::provider {

using cluster::DatabaseCluster;
using cluster::MemberFacts;

namespace {

void compare(const DatabaseCluster& cluster, MemberFacts& f, size_t own, size_t writer, std::chrono::milliseconds limit,
             const std::stop_token& stop) {
  const auto primary = target_of(cluster, cluster.members[writer]), standby = target_of(cluster, cluster.members[own]);
  if (!primary || !standby) return;
  auto missing = engine::postgres::missing_pages(*primary, *standby, Deadline::in(limit), stop);
  constexpr const char* kName = "missing pages";
  if (!missing) {
    engine::note_unknown(f, kName, "SQL", missing.error().message);
    return;
  }
  f.files_compared = missing->has_value();
  if (!*missing) {
    engine::note_unknown(f, kName, "SQL", "it has not replayed what its primary has");
    return;
  }
  engine::note(f, kName, fmt::format("at the end of {} files", (*missing)->size()), "SQL");
  f.cut_files = std::move(**missing);
}

}  // namespace

void look_for_cut_files(const DatabaseCluster& cluster, std::vector<MemberFacts>& facts, size_t writer,
                        std::chrono::milliseconds per_member, const std::stop_token& stop) {
  if (cluster.engine != cluster::Engine::postgres) return;
  const auto& w = cluster.members[writer];
  const std::string source = fmt::format("{}:{}", w.host, w.port);
  std::vector<std::jthread> threads;
  for (size_t i = 0; i < facts.size(); ++i) {
    const auto& f = facts[i];
    if (i == writer || !f.reachable() || f.lineage != facts[writer].lineage || f.following.size() != 1 ||
        f.following[0].upstream != source)
      continue;
    threads.emplace_back([&, i] { compare(cluster, facts[i], i, writer, per_member, stop); });
  }
}

}  // namespace holdfast::provider

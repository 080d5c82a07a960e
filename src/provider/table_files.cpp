#include "provider/table_files.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <thread>

#include "cluster/topology.h"
#include "engine/mariadb/table_files.h"
#include "engine/missing_rights.h"
#include "engine/observe.h"

namespace holdfast::provider {

using cluster::DatabaseCluster;
using cluster::MemberFacts;

namespace {

engine::postgres::Compared compared(const sql::Target& target, const MemberFacts& facts,
                                    std::shared_ptr<engine::postgres::TableFiles> files) {
  return {.target = target,
          .empty = facts.runtime.page_check ? facts.runtime.page_check->empty : std::vector<cluster::PageRun>(),
          .files = std::move(files)};
}

/// What a comparison shows of the primary.
struct OfPrimary {
  std::vector<std::string> lacks;
  std::optional<uint64_t> bytes;
};

OfPrimary compare(const engine::postgres::Compared& primary, const engine::postgres::Compared& own,
                  MemberFacts& standby, Deadline deadline, const std::stop_token& stop, sql::KeptPostgres& kept) {
  auto missing = engine::postgres::missing_pages(primary, own, deadline, stop, &kept);
  constexpr const char* kName = "missing pages";
  if (!missing) {
    engine::note_refused(cluster::Engine::postgres, standby, kName, missing.error(), own.target, deadline, stop);
    return {};
  }
  standby.data_bytes = missing->bytes_of_standby;
  standby.files_compared = missing->of_standby.has_value();
  if (missing->of_standby) {
    engine::note(standby, kName, fmt::format("in {} places", missing->of_standby->size()), "SQL");
    standby.cut_files = std::move(*missing->of_standby);
  } else {
    engine::note_unknown(standby, kName, "SQL", "it has not replayed what its primary has");
  }
  return {std::move(missing->of_primary).value_or(std::vector<std::string>()), missing->bytes_of_primary};
}

}  // namespace

void look_for_cut_files(const ClusterMembers& members, std::vector<MemberFacts>& facts, size_t writer,
                        const TableFiles& files, std::chrono::milliseconds per_member, const std::stop_token& stop,
                        sql::KeptPostgres& kept) {
  const DatabaseCluster& cluster = members.cluster();
  if (cluster.engine != cluster::Engine::postgres || !files[writer]) return;
  const auto target = members[writer].sql();
  if (!target) return;
  const auto primary = compared(*target, facts[writer], files[writer]);
  std::vector<OfPrimary> seen(facts.size());
  std::vector<bool> follows(facts.size());
  {
    const cluster::Topology topology(cluster, facts);
    for (size_t i = 0; i < facts.size(); ++i)
      follows[i] = facts[i].following.size() == 1 && topology.source(i, facts[i].following[0]).is(writer);
  }
  {
    std::vector<std::jthread> threads;
    for (size_t i = 0; i < facts.size(); ++i) {
      const auto& f = facts[i];
      const auto own = members[i].sql();
      if (i == writer || !own || !files[i] || !f.reachable() || f.lineage != facts[writer].lineage || !follows[i])
        continue;
      threads.emplace_back([&, i, own] {
        seen[i] = compare(primary, compared(*own, facts[i], files[i]), facts[i], Deadline::in(per_member), stop, kept);
      });
    }
  }
  auto& lacks = facts[writer].cut_files;
  for (auto& [found, bytes] : seen) {
    if (bytes) facts[writer].data_bytes = bytes;
    std::ranges::move(found, std::back_inserter(lacks));
  }
  std::ranges::sort(lacks);
  lacks.erase(std::ranges::unique(lacks).begin(), lacks.end());
}

void look_for_missing_files(MemberFacts& facts, MemberAccess& member, std::chrono::milliseconds limit,
                            const std::stop_token& stop) {
  const bool answers = facts.reachable() && !(facts.galera && facts.galera->ready == false);
  if (facts.runtime.tables_without_file.empty() || !answers) return;
  const auto target = member.sql();
  if (!target) return;
  auto missing =
      engine::mariadb::that_should_have_one(facts.runtime.tables_without_file, *target, Deadline::in(limit), stop);
  constexpr const char* kName = "missing files";
  if (!missing)
    return engine::note_refused(member.cluster().engine, facts, kName, missing.error(), *target, Deadline::in(limit),
                                stop);
  engine::note(facts, kName, std::to_string(missing->size()), "agent and SQL information_schema.INNODB_SYS_TABLES");
  facts.missing_files = std::move(*missing);
}

}  // namespace holdfast::provider

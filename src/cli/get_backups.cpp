// holdfast get backups: what is in the repository for clusters, of whichever kind.
#include <fmt/format.h>

#include "base/units.h"
#include "cli/cluster_options.h"
#include "cli/repository_session.h"
#include "cli/snapshot_view.h"
#include "cli/verbs.h"
#include "repo/environment.h"

namespace holdfast::cli {
namespace {

std::string age(const repo::Timestamp& time, const repo::Timestamp& now) {
  const int64_t seconds = std::max<int64_t>(0, now.seconds - time.seconds);
  if (seconds < 120) return fmt::format("{}s", seconds);
  if (seconds < 2 * 3600) return fmt::format("{}m", seconds / 60);
  if (seconds < 48 * 3600) return fmt::format("{}h", seconds / 3600);
  return fmt::format("{}d", seconds / 86400);
}

}  // namespace

Exit run_get_backups(Context& context) {
  const ClusterSelector selector = cluster_selector(context.options);
  const std::string type = context.options.text("type");
  RepositorySession session = TRY(open_repository(context, LockNeed::shared));
  const auto snapshots = TRY(session.repository->load_snapshots());
  const std::string location = session.repository->store().location();
  const bool wide = context.out.is_wide();
  Table table(
      wide ? std::vector<std::string>{"SNAPSHOT", "TIME", "TYPE", "ENGINE", "NAMESPACE", "CLUSTER", "MEMBER", "METHOD",
                                      "JOB", "SIZE", "ADDED", "AGE", "POSITION", "NOTES"}
           : std::vector<std::string>{"SNAPSHOT", "TIME", "TYPE", "ENGINE", "NAMESPACE", "CLUSTER", "SIZE", "AGE"},
      wide ? std::vector<size_t>{9, 10, 11} : std::vector<size_t>{6, 7});
  const auto now = repo::now();
  codec::Value::List backups;
  for (const auto& snapshot : snapshots) {
    const std::string cluster(snapshot.tag_value("cluster"));
    if (cluster.empty() || snapshot.tag_value("type").empty()) continue;
    if (!selector.matches(cluster, snapshot.tag_value("namespace"), snapshot.tag_value("engine"))) continue;
    if (type != "all" && snapshot.tag_value("type") != type) continue;
    auto tag = [&](std::string_view key) { return std::string(snapshot.tag_value(key)); };
    const uint64_t size = snapshot.summary ? snapshot.summary->total_bytes_processed : 0;
    const uint64_t added = snapshot.summary ? snapshot.summary->data_added_packed : 0;
    backups.push_back(codec::Value::object({{"repository", location},
                                            {"snapshotId", snapshot.id.hex()},
                                            {"time", snapshot.time.to_string()},
                                            {"type", tag("type")},
                                            {"engine", tag("engine")},
                                            {"namespace", tag("namespace")},
                                            {"cluster", cluster},
                                            {"member", tag("member")},
                                            {"method", tag("method")},
                                            {"job", tag("job")},
                                            {"instance", tag("instance")},
                                            {"position", tag("position")},
                                            {"notes", tag("notes")},
                                            {"paths", codec::Value::list_of(snapshot.paths)},
                                            {"bytes", size},
                                            {"bytesAdded", added},
                                            {"age", age(snapshot.time, now)}}));
    const std::string shown = snapshot.summary ? human_size(size) : "-";
    if (wide) {
      table.row({snapshot.id.short_hex(), local_time(snapshot.time), tag("type"), tag("engine"), tag("namespace"),
                 cluster, tag("member"), tag("method"), tag("job"), shown, snapshot.summary ? human_size(added) : "-",
                 age(snapshot.time, now), tag("position"), tag("notes")});
    } else {
      table.row({snapshot.id.short_hex(), local_time(snapshot.time), tag("type"), tag("engine"), tag("namespace"),
                 cluster, shown, age(snapshot.time, now)});
    }
  }
  context.out.set_data(codec::Value::object({{"repository", location}, {"backups", codec::Value(std::move(backups))}}));
  if (table.empty()) {
    context.out.line("no backups");
  } else {
    table.print(context.out);
  }
  return {};
}

}  // namespace holdfast::cli

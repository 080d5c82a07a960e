// holdfast get snapshots.
#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "base/units.h"
#include "cli/repository_session.h"
#include "cli/snapshot_view.h"
#include "cli/verbs.h"

namespace holdfast::cli {
namespace {

std::string joined(const std::vector<std::string>& parts, std::string_view separator) {
  std::string text;
  for (const auto& part : parts) {
    if (!text.empty()) text += separator;
    text += part;
  }
  return text;
}

// The last `count` of each host and set of paths.
void keep_latest(std::vector<repo::Snapshot>& snapshots, size_t count) {
  std::map<std::string, size_t> seen;
  std::vector<repo::Snapshot> kept;
  for (auto it = snapshots.rbegin(); it != snapshots.rend(); ++it) {
    if (seen[it->hostname + '\0' + joined(it->paths, {"\0", 1})]++ < count) kept.push_back(std::move(*it));
  }
  std::reverse(kept.begin(), kept.end());
  snapshots = std::move(kept);
}

}  // namespace

Exit run_get_snapshots(Context& context) {
  if (context.options.integer("latest") == 0)
    return fail(ErrorClass::usage, "cli.value", "--latest 0 would list nothing", "leave it out to list all");
  RepositorySession session = TRY(open_repository(context, LockNeed::shared));
  std::vector<repo::Snapshot> snapshots;
  const std::string type = context.options.text("type");
  const auto filter = [type, others = snapshot_filter(context.options)](const repo::Snapshot& snapshot) {
    return (type == "all" || snapshot.tag_value("type") == type) && others(snapshot);
  };
  if (context.options.positionals().empty()) {
    snapshots = TRY(session.repository->load_snapshots());
    std::erase_if(snapshots, [&](const repo::Snapshot& snapshot) { return !filter(snapshot); });
  } else {
    for (const auto& name : context.options.positionals()) {
      snapshots.push_back(TRY(session.repository->find_snapshot(name, filter)));
    }
  }
  if (auto latest = context.options.integer("latest")) keep_latest(snapshots, static_cast<size_t>(*latest));

  codec::Value::List values;
  Table table(context.out.is_wide()
                  ? std::vector<std::string>{"ID", "TIME", "HOST", "TAGS", "PATHS", "SIZE", "ADDED", "PARENT"}
                  : std::vector<std::string>{"ID", "TIME", "HOST", "TAGS", "PATHS", "SIZE"},
              {5, 6});
  for (const auto& snapshot : snapshots) {
    values.push_back(snapshot_value(snapshot));
    std::vector<std::string> row = {
        snapshot.id.short_hex(),     local_time(snapshot.time),
        snapshot.hostname,           joined(snapshot.tags, ","),
        joined(snapshot.paths, ","), snapshot.summary ? human_size(snapshot.summary->total_bytes_processed) : "-"};
    if (context.out.is_wide()) {
      row.push_back(snapshot.summary ? human_size(snapshot.summary->data_added_packed) : "-");
      row.push_back(snapshot.parent ? snapshot.parent->short_hex() : "-");
    }
    table.row(std::move(row));
  }
  context.out.set_data(codec::Value::object(
      {{"repository", session.repository->store().location()}, {"snapshots", codec::Value(std::move(values))}}));
  if (table.empty()) {
    context.out.line("no snapshots");
  } else {
    table.print(context.out);
    context.out.line(fmt::format("{} snapshots", snapshots.size()));
  }
  return {};
}

}  // namespace holdfast::cli

#include "cli/snapshot_view.h"

#include <fmt/format.h>

#include <algorithm>

namespace holdfast::cli {

using codec::Value;

Value snapshot_value(const repo::Snapshot& snapshot) {
  Value value = Value::object({{"time", snapshot.time.to_string()}});
  if (snapshot.parent) value.set("parent", snapshot.parent->hex());
  value.set("tree", snapshot.tree.hex());
  value.set("paths", Value::list_of(snapshot.paths));
  value.set("hostname", snapshot.hostname);
  value.set("username", snapshot.username);
  if (snapshot.uid) value.set("uid", snapshot.uid);
  if (snapshot.gid) value.set("gid", snapshot.gid);
  if (!snapshot.excludes.empty()) value.set("excludes", Value::list_of(snapshot.excludes));
  if (!snapshot.tags.empty()) value.set("tags", Value::list_of(snapshot.tags));
  if (snapshot.original) value.set("original", snapshot.original->hex());
  if (!snapshot.program_version.empty()) value.set("program_version", snapshot.program_version);
  if (snapshot.summary) {
    const auto& s = *snapshot.summary;
    value.set("summary", Value::object({{"backup_start", s.backup_start.to_string()},
                                        {"backup_end", s.backup_end.to_string()},
                                        {"files_new", s.files_new},
                                        {"files_changed", s.files_changed},
                                        {"files_unmodified", s.files_unmodified},
                                        {"dirs_new", s.dirs_new},
                                        {"dirs_changed", s.dirs_changed},
                                        {"dirs_unmodified", s.dirs_unmodified},
                                        {"data_blobs", s.data_blobs},
                                        {"tree_blobs", s.tree_blobs},
                                        {"data_added", s.data_added},
                                        {"data_added_packed", s.data_added_packed},
                                        {"total_files_processed", s.total_files_processed},
                                        {"total_bytes_processed", s.total_bytes_processed}}));
  }
  value.set("id", snapshot.id.hex());
  value.set("short_id", snapshot.id.short_hex());
  return value;
}

std::vector<std::string> split_commas(const std::vector<std::string>& values) {
  std::vector<std::string> parts;
  for (const std::string& value : values) {
    size_t at = 0;
    while (at <= value.size()) {
      const size_t comma = std::min(value.find(',', at), value.size());
      if (comma > at) parts.push_back(value.substr(at, comma - at));
      at = comma + 1;
    }
  }
  return parts;
}

std::function<bool(const repo::Snapshot&)> snapshot_filter(const Options& options) {
  auto hosts = options.list("host");
  auto paths = options.list("path");
  std::vector<std::vector<std::string>> tag_lists;  // one of them must be there in full; [""] means: no tags at all
  for (const std::string& value : options.list("tag")) tag_lists.push_back(split_commas({value}));
  for (std::string& path : paths) {
    if (!path.starts_with('/')) path.insert(0, "/");
    while (path.size() > 1 && path.ends_with('/')) path.pop_back();
  }
  return [=](const repo::Snapshot& snapshot) {
    if (!hosts.empty() && std::find(hosts.begin(), hosts.end(), snapshot.hostname) == hosts.end()) return false;
    const auto has_path = [&](const std::string& path) {
      return std::find(snapshot.paths.begin(), snapshot.paths.end(), path) != snapshot.paths.end();
    };
    if (!std::all_of(paths.begin(), paths.end(), has_path)) return false;
    const auto has_tags = [&](const std::vector<std::string>& tags) {
      if (tags.empty()) return snapshot.tags.empty();
      return std::all_of(tags.begin(), tags.end(), [&](const std::string& tag) { return snapshot.has_tag(tag); });
    };
    return tag_lists.empty() || std::any_of(tag_lists.begin(), tag_lists.end(), has_tags);
  };
}

std::string local_time(const repo::Timestamp& time) {
  const repo::CivilTime civil = repo::civil_time(time);
  return fmt::format("{:04}-{:02}-{:02} {:02}:{:02}:{:02}", civil.year, civil.month, civil.day, civil.hour,
                     civil.minute, civil.second);
}

}  // namespace holdfast::cli

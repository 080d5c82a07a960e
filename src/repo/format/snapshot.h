// Snapshot objects: one backup in the repository.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "repo/format/id.h"
#include "repo/format/timestamp.h"

namespace holdfast::repo {

/// What a backup did; restic's "summary".
struct SnapshotSummary {
  Timestamp backup_start, backup_end;
  uint64_t files_new = 0, files_changed = 0, files_unmodified = 0;
  uint64_t dirs_new = 0, dirs_changed = 0, dirs_unmodified = 0;
  uint64_t data_blobs = 0, tree_blobs = 0;
  uint64_t data_added = 0;         ///< plain bytes of new blobs
  uint64_t data_added_packed = 0;  ///< the same as stored
  uint64_t total_files_processed = 0;
  uint64_t total_bytes_processed = 0;
};

struct Snapshot {
  Id id;  ///< of the object it came from; not part of its text
  Timestamp time;
  std::optional<Id> parent;
  Id tree;
  std::vector<std::string> paths;
  std::string hostname;
  std::string username;
  uint32_t uid = 0, gid = 0;
  std::vector<std::string> excludes;
  std::vector<std::string> tags;
  std::optional<Id> original;
  std::string program_version;
  std::optional<SnapshotSummary> summary;

  bool has_tag(std::string_view tag) const;
  /// Value of the first tag "key=value"; empty if there is none.
  std::string_view tag_value(std::string_view key) const;
};

/// "repo.snapshot.format" (verification_failed) for text that is no snapshot. Unknown members are ignored.
Result<Snapshot> parse_snapshot(std::string_view json);
/// The object's text, members in restic's order.
std::string snapshot_text(const Snapshot& snapshot);

}  // namespace holdfast::repo

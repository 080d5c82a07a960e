// How snapshots are shown, and which of them the filter flags select.
#pragma once

#include <functional>

#include "cli/context.h"
#include "codec/value.h"
#include "repo/format/snapshot.h"

namespace holdfast::cli {

/// An object with restic's field names (id, short_id, time, tree, paths, hostname, ..., summary).
codec::Value snapshot_value(const repo::Snapshot& snapshot);

/// The predicate of --host, --tag and --path.
std::function<bool(const repo::Snapshot&)> snapshot_filter(const Options& options);

/// Tags of --tag flags: repeated flags and commas both separate.
std::vector<std::string> split_commas(const std::vector<std::string>& values);

/// "2026-11-21 14:28:00" in the snapshot's own zone.
std::string local_time(const repo::Timestamp& time);

}  // namespace holdfast::cli

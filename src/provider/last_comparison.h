// Where the last comparison of a cluster's contents is kept: <state-dir>/compare/<namespace>.<cluster>.json.
#pragma once

#include <optional>
#include <string>

#include "cluster/types.h"

namespace holdfast::provider {

/// nullopt: there is none, or it cannot be read (then the contents count as never compared).
std::optional<cluster::Comparison> load_comparison(const std::string& state_dir,
                                                   const cluster::DatabaseCluster& cluster);
/// Durable when it returns; the one before is replaced.
Status save_comparison(const std::string& state_dir, const cluster::DatabaseCluster& cluster,
                       const cluster::Comparison& comparison);

/// Tables an interrupted comparison has found equal, for --resume: one name a line, beside the record.
std::string comparison_progress_file(const std::string& state_dir, const cluster::DatabaseCluster& cluster);

}  // namespace holdfast::provider

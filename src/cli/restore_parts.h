// What the ways of restoring a cluster have in common: their flags, and how they say what was proved.
#pragma once

#include <atomic>
#include <memory>

#include "backup/restore_cluster.h"
#include "cli/context.h"
#include "cluster/types.h"
#include "operation/store.h"

namespace holdfast::cli {

/// --accept=NAME or --accept=NAME:ARGUMENT.
bool accepted(const Options& options, std::string_view name, const std::string& argument);

/// A restore is no operation that could be gone on with, but nothing else may be one on its cluster meanwhile.
Result<std::unique_ptr<operation::ClusterLock>> keep_others_away(Context& context,
                                                                 const cluster::DatabaseCluster& cluster,
                                                                 std::atomic<uint64_t>& epoch);

/// --skip, --continue-on, --tablespace-map, --statement-limit.
Result<backup::ReplayChoices> replay_choices(const Options& options, cluster::Engine engine);
/// --verify; refused when the backup has no checksums to compare.
Result<backup::Verify> verify_choice(const Options& options, const codec::Value& sidecar);

/// Objects that failed, as data.
codec::Value failed_value(const std::vector<backup::FailedObject>& objects);
/// What was compared and how: as data, and as a line.
codec::Value proof_value(const backup::RestoreReport& report);
std::string proved_line(const backup::RestoreReport& report);
/// Objects that were left out because they failed: all else is restored.
Exit left_out(const backup::RestoreReport& report);

}  // namespace holdfast::cli

// The kinds of source `holdfast backup` knows, one function each.
#pragma once

#include "cli/context.h"
#include "repo/blob_saver.h"
#include "repo/stream_backup.h"

namespace holdfast::cli {

Exit backup_stdin(Context& context);
Exit backup_program(Context& context);
Exit backup_trees(Context& context);
Exit backup_cluster(Context& context);

/// --compression and --pack-size.
Result<repo::SaverOptions> saver_options(const Options& options);
/// --time, --host, --tag, --parent. The parent's id still has to be looked up: `parent_name` receives it.
Result<repo::SnapshotOptions> snapshot_options(const Options& options, std::string& parent_name);

/// Prints a finished snapshot: one line for people, the snapshot with its summary as data.
void show_snapshot(Context& context, const repo::Snapshot& snapshot, std::chrono::duration<double> elapsed);

}  // namespace holdfast::cli

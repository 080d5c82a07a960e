// holdfast backup --tree: directories become a snapshot.
#include <fmt/format.h>

#include <chrono>

#include "base/units.h"
#include "cli/backup_sources.h"
#include "cli/progress.h"
#include "cli/repository_session.h"
#include "cli/snapshot_view.h"
#include "repo/tree_backup.h"

namespace holdfast::cli {

Exit backup_trees(Context& context) {
  const Options& options = context.options;
  const auto start = std::chrono::steady_clock::now();
  std::string parent_name;
  repo::SnapshotOptions snapshot = TRY(snapshot_options(options, parent_name));
  const repo::SaverOptions saver = TRY(saver_options(options));
  const repo::TreeBackupOptions tree{options.list("exclude"), options.flag("one-file-system")};
  RepositorySession session =
      TRY(open_repository(context, context.options.flag("dry-run") ? LockNeed::shared : LockNeed::publish));
  repo::Repository& repository = *session.repository;
  if (!parent_name.empty()) snapshot.parent = TRY(repository.find_snapshot(parent_name)).id;
  TRY_VOID(repository.load_index());

  const bool publish = !options.flag("dry-run");
  repo::TreeBackupProgress counted;
  Progress progress(context.out, "backing up " + options.list("tree").front());
  progress.watch_bytes(counted.bytes);
  auto stored = repo::back_up_trees(
      repository, options.list("tree"), tree, saver, std::move(snapshot), publish, counted,
      [&] { return session.confirm(); }, session.stop());
  if (!stored) return session.explain(std::unexpected(std::move(stored).error()));
  const repo::TreeBackupResult result = std::move(*stored);
  for (const auto& problem : result.problems) context.out.warning("backup.unreadable", problem);
  if (!publish) {
    const auto& summary = *result.snapshot.summary;
    context.out.line(fmt::format("would add a snapshot of {} files ({}), {} of it new", summary.total_files_processed,
                                 human_size(summary.total_bytes_processed), human_size(summary.data_added)));
    return {};
  }
  show_snapshot(context, result.snapshot, std::chrono::steady_clock::now() - start);
  if (!result.problems.empty()) {
    return fail(ErrorClass::partial, "backup.incomplete",
                fmt::format("{} files could not be read; snapshot {} lacks them", result.problems.size(),
                            result.snapshot.id.short_hex()),
                "see the warnings; run as a user that may read them, or leave them out with --exclude");
  }
  return {};
}

}  // namespace holdfast::cli

// holdfast restore: a snapshot's files, or (with -c) a cluster's data.
#include <fmt/format.h>

#include <chrono>

#include "base/units.h"
#include "cli/progress.h"
#include "cli/repository_session.h"
#include "cli/snapshot_view.h"
#include "cli/verbs.h"
#include "repo/tree_restore.h"

namespace holdfast::cli {
namespace {

repo::RestoreOptions restore_options(const Options& options) {
  repo::RestoreOptions restore;
  restore.includes = options.list("include");
  restore.excludes = options.list("exclude");
  restore.sparse = options.flag("sparse");
  restore.verify = options.given("verify");
  restore.dry_run = options.flag("dry-run");
  const std::string overwrite = options.text("overwrite");
  if (overwrite == "if-changed") restore.overwrite = repo::Overwrite::if_changed;
  if (overwrite == "if-newer") restore.overwrite = repo::Overwrite::if_newer;
  if (overwrite == "never") restore.overwrite = repo::Overwrite::never;
  return restore;
}

Exit restore_files(Context& context) {
  const Options& options = context.options;
  const std::string target = options.text("into");
  if (target.empty()) {
    return fail(ErrorClass::usage, "restore.target", "it was not said where to restore to",
                "--into DIR for files, or -c CLUSTER --accept=replace-data for a live cluster");
  }
  if (options.given("verify") && options.text("verify") != "files")
    return fail(ErrorClass::usage, "restore.verify", "rows and checksums are of clusters", "--verify=files for files");
  const auto start = std::chrono::steady_clock::now();
  RepositorySession session = TRY(open_repository(context, LockNeed::shared));
  repo::Repository& repository = *session.repository;
  const repo::Snapshot snapshot = TRY(repository.find_snapshot(options.text("snapshot"), snapshot_filter(options)));
  TRY_VOID(repository.load_index());

  repo::RestoreProgress counted;
  Progress progress(context.out, "restoring " + snapshot.id.short_hex());
  progress.watch_bytes(counted.bytes);
  progress.set_total(snapshot.summary ? snapshot.summary->total_bytes_processed : 0);
  const repo::RestoreResult result =
      TRY(repo::restore_tree(repository, snapshot, target, restore_options(options), counted, context.stop));
  const std::chrono::duration<double> elapsed = std::chrono::steady_clock::now() - start;
  for (const auto& problem : result.problems) context.out.warning("restore.problem", problem);
  if (options.given("include") && result.files + result.others + result.skipped + result.damaged.size() == 0)
    context.out.warning("restore.nothing",
                        fmt::format("no file of snapshot {} fits --include", snapshot.id.short_hex()));
  for (const auto& path : result.damaged) {
    context.out.add_error({ErrorClass::verification_failed,
                           "restore.damaged",
                           path + " is damaged in the repository",
                           "holdfast check --read-data -r " + repository.store().location(),
                           {}});
  }
  context.out.set_data(codec::Value::object({{"snapshot", snapshot.id.hex()},
                                             {"target", target},
                                             {"files", result.files},
                                             {"directories", result.directories},
                                             {"others", result.others},
                                             {"skipped", result.skipped},
                                             {"bytes", result.bytes},
                                             {"verified_files", result.verified_files},
                                             {"damaged", codec::Value::list_of(result.damaged)},
                                             {"seconds", elapsed.count()}}));
  context.out.line(fmt::format(
      "{} {} files, {} in {} ({}) to {}{}", options.flag("dry-run") ? "would restore" : "restored", result.files,
      human_size(result.bytes), human_span(elapsed), human_rate(result.bytes, elapsed), target,
      options.given("verify") ? fmt::format(", {} read back and equal", result.verified_files) : ""));
  if (!result.damaged.empty()) {
    return fail(ErrorClass::verification_failed, "restore.incomplete",
                fmt::format("{} files are damaged in the repository and were left out", result.damaged.size()),
                "restore them from another snapshot; holdfast check --read-data -r " + repository.store().location());
  }
  if (!result.problems.empty()) {
    return fail(ErrorClass::partial, "restore.problems",
                fmt::format("{} things could not be restored as they were", result.problems.size()),
                "see the warnings");
  }
  return {};
}

}  // namespace

Exit run_restore(Context& context) {
  // A repair's copies are of one member.
  const Options& options = context.options;
  const std::string type = options.given("type") ? options.text("type") : "";
  if (options.given("instance") || (options.given("cluster") && (type == "escrow" || type == "diverged")))
    return restore_member(context);
  if (context.options.given("cluster")) return restore_cluster(context);
  return restore_files(context);
}

}  // namespace holdfast::cli

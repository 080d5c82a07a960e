// holdfast restore -i MEMBER --into DIR: what a repair kept of one member, back into an empty directory.
#include <fmt/format.h>

#include <chrono>

#include "backup/kept.h"
#include "base/units.h"
#include "cli/cluster_options.h"
#include "cli/progress.h"
#include "cli/repository_session.h"
#include "cli/snapshot_view.h"
#include "cli/verbs.h"
#include "engine/stand_alone.h"

namespace holdfast::cli {

Exit restore_member(Context& context) {
  const Options& options = context.options;
  const ClusterSelector selector = cluster_selector(options);
  const std::string into = options.text("into");
  backup::KeptWanted wanted;
  wanted.cluster = selector.cluster;
  wanted.ns = selector.ns;
  wanted.engine = selector.engine;
  wanted.member = options.text("instance");
  wanted.snapshot = options.text("snapshot");
  if (options.given("type")) wanted.type = options.text("type");
  if (wanted.type == "all") wanted.type.clear();
  if (wanted.member.empty())
    return fail(ErrorClass::usage, "restore.no_member", "a repair's copies are of one member, and none is named",
                "-i MEMBER, by name or ordinal");
  if (wanted.type == "backup")
    return fail(ErrorClass::usage, "restore.member_backup",
                "a backup is of the whole cluster; what is kept of one member is of type escrow or diverged",
                "leave out -i, or say -t escrow or -t diverged");
  if (into.empty())
    return fail(ErrorClass::usage, "restore.target", "a member's copy is restored beside the cluster, never into it",
                "--into DIR");
  const auto start = std::chrono::steady_clock::now();
  RepositorySession session = TRY(open_repository(context, LockNeed::shared));
  const auto copy = TRY(backup::choose_kept(*session.repository, wanted));
  TRY_VOID(session.repository->load_index());
  const repo::Snapshot& snapshot = copy.snapshot;

  repo::RestoreOptions how;
  how.sparse = options.flag("sparse");
  how.verify = options.given("verify");
  how.dry_run = options.flag("dry-run");
  repo::RestoreProgress counted;
  Progress progress(context.out, "restoring " + snapshot.id.short_hex());
  progress.watch_bytes(counted.bytes);
  progress.set_total(snapshot.summary ? snapshot.summary->total_bytes_processed : 0);
  const auto result = TRY(backup::restore_kept(*session.repository, copy, into, how, counted, context.stop));
  const std::chrono::duration<double> elapsed = std::chrono::steady_clock::now() - start;

  const auto engine = cluster::parse_engine(snapshot.tag_value("engine"));
  const bool is_dump = !copy.dump.empty();
  const std::string start_command =
      engine && !is_dump && !how.dry_run ? engine::stand_alone_command(*engine, into) : "";
  context.out.set_data(codec::Value::object({{"snapshot", snapshot.id.hex()},
                                             {"type", copy.type},
                                             {"cluster", snapshot.tag_value("cluster")},
                                             {"namespace", snapshot.tag_value("namespace")},
                                             {"engine", snapshot.tag_value("engine")},
                                             {"member", copy.member},
                                             {"job", snapshot.tag_value("job")},
                                             {"time", snapshot.time.to_string()},
                                             {"position", snapshot.tag_value("position")},
                                             {"target", into},
                                             {"dump", is_dump ? codec::Value(into + "/" + copy.dump) : codec::Value()},
                                             {"start", start_command},
                                             {"files", result.files},
                                             {"bytes", result.bytes},
                                             {"verified_files", result.verified_files},
                                             {"damaged", codec::Value::list_of(result.damaged)},
                                             {"dryRun", how.dry_run},
                                             {"seconds", elapsed.count()}}));
  for (const auto& problem : result.problems) context.out.warning("restore.problem", problem);
  context.out.line(fmt::format("{} {} of {} as of {} (snapshot {}, job={}) in {}: {} files, {}{}",
                               how.dry_run ? "would restore" : "restored", is_dump ? "the dump" : "the data directory",
                               copy.member, local_time(snapshot.time), snapshot.id.short_hex(),
                               snapshot.tag_value("job"), into, result.files, human_size(result.bytes),
                               how.verify ? fmt::format(", {} read back and equal", result.verified_files) : ""));
  if (!start_command.empty())
    context.out.note("to look into it, start a server on it, reachable by its socket only:\n  " + start_command);
  if (is_dump && !how.dry_run)
    context.out.note(fmt::format("to look into it, load {}/{} into an empty server", into, copy.dump));
  if (!result.damaged.empty())
    return fail(ErrorClass::verification_failed, "restore.incomplete",
                fmt::format("{} files are damaged in the repository and were left out, the first: {}",
                            result.damaged.size(), result.damaged[0]),
                "holdfast check --read-data -r " + session.repository->store().location());
  if (!result.problems.empty())
    return fail(ErrorClass::partial, "restore.problems",
                fmt::format("{} things could not be restored as they were", result.problems.size()),
                "see the warnings");
  return {};
}

}  // namespace holdfast::cli

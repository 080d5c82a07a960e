// holdfast restore -c CLUSTER --over-sql: into databases of a cluster on whose hosts nothing of ours runs.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "backup/sidecar.h"
#include "backup/sql_restore.h"
#include "base/units.h"
#include "cli/cluster_options.h"
#include "cli/progress.h"
#include "cli/repository_session.h"
#include "cli/restore_parts.h"
#include "cli/snapshot_view.h"
#include "cli/verbs.h"

namespace holdfast::cli {
namespace {

using cluster::DatabaseCluster;
using cluster::Engine;

Status check_flags(const Options& options, const DatabaseCluster& cluster) {
  for (const char* other : {"into", "server-settings", "tablespace-map"})
    if (options.given(other))
      return fail(ErrorClass::usage, "cli.conflict",
                  fmt::format("--over-sql loads databases into a running server: --{} is for other restores", other),
                  "leave one of them out");
  for (const auto& member : cluster.members)
    if (member.has_agent())
      return fail(
          ErrorClass::refused, "restore.over_sql",
          fmt::format("{} has an agent, and a restore through agents brings back all of the cluster",
                      member.name.str()),
          fmt::format("leave out --over-sql: holdfast restore -c {} --accept=replace-data", cluster.name.str()));
  return {};
}

/// The names behind --accept=replace-database: one by one, so the bare word accepts none.
std::set<std::string> replaced(const Options& options) {
  constexpr std::string_view kAccept = "replace-database:";
  std::set<std::string> names;
  for (const std::string& given : options.list("accept"))
    if (given.starts_with(kAccept)) names.insert(given.substr(kAccept.size()));
  return names;
}

/// What other members have of it, and what of the snapshot is not there.
std::vector<std::string> not_done(const DatabaseCluster& cluster, const backup::SqlRestorePlan& plan) {
  std::vector<std::string> lines;
  if (cluster.members.size() > 1)
    lines.push_back(fmt::format("the other members get it by replication and were not compared: holdfast compare -c {}",
                                cluster.name.str()));
  lines.emplace_back(
      cluster.engine == Engine::postgres
          ? "roles, their passwords and settings, tablespaces and settings of the server are as they were"
          : "accounts, their rights, plug-ins and settings of the server are as they were");
  if (!plan.of_server.empty())
    lines.push_back(
        fmt::format("tables in {} are in the snapshot and were not restored: it is the server's own "
                    "(--into DIR restores it)",
                    fmt::join(plan.of_server, ", ")));
  return lines;
}

void show(Context& context, const backup::SqlRestoreRequest& request, const backup::SqlRestoreReport& report,
          const std::vector<std::string>& remarks, std::chrono::duration<double> elapsed) {
  const auto& restored = report.restored;
  const auto& snapshot = request.restore.choice.snapshot;
  context.out.set_data(codec::Value::object({{"snapshot", snapshot.id.hex()},
                                             {"path", request.restore.choice.path},
                                             {"target", request.cluster},
                                             {"members", codec::Value::list_of(restored.members)},
                                             {"created", codec::Value::list_of(report.created)},
                                             {"replaced", codec::Value::list_of(report.replaced)},
                                             {"position", restored.position},
                                             {"bytes", restored.replayed.counts.bytes},
                                             {"seconds", elapsed.count()},
                                             {"proof", proof_value(restored)},
                                             {"failed", failed_value(restored.replayed.failed)},
                                             {"skipped", codec::Value::list_of(restored.replayed.skipped)},
                                             {"notes", backup::notes_value(backup::notes_of(request.restore.sidecar))},
                                             {"notDone", codec::Value::list_of(remarks)},
                                             {"kept", codec::Value::list_of(report.kept)}}));
  std::vector<std::string> databases = report.created;
  databases.insert(databases.end(), report.replaced.begin(), report.replaced.end());
  context.out.line(fmt::format("restored {} on {} from snapshot {} in {}", fmt::join(databases, ", "), request.member,
                               snapshot.id.short_hex(), human_span(elapsed)));
  context.out.line(proved_line(restored));
  for (const auto& label : restored.replayed.skipped) context.out.note("  skipped: " + label);
  for (const auto& remark : remarks) context.out.note("  " + remark);
  for (const auto& kept : report.kept) context.out.warning("restore.kept", kept);
}

}  // namespace

Exit restore_over_sql(Context& context) {
  const Options& options = context.options;
  const auto start = std::chrono::steady_clock::now();
  const DatabaseCluster cluster = TRY(selected_cluster(context));
  TRY_VOID(check_flags(options, cluster));
  backup::SqlRestoreRequest request;
  request.cluster = cluster.full_name();
  request.databases = options.list("database");
  request.replace = replaced(options);
  request.older_server = accepted(options, "older-server", "");
  request.undo_remains = accepted(options, "undo-restore", "") && !options.flag("dry-run");
  const auto views =
      engine::look_at_members(cluster, TRY(targets_of(context, cluster)), engine::kMemberPatience, context.stop);
  const auto primary = TRY(backup::place_to_restore(cluster, views));
  request.member = primary.member->name.str();

  RepositorySession session = TRY(open_repository(context, LockNeed::shared));
  repo::Repository& repository = *session.repository;
  backup::RestoreRequest& restore = request.restore;
  const std::string type = options.text("type") == "all" ? "backup" : options.text("type");
  restore.engine = cluster.engine;
  restore.choice = TRY(backup::choose_snapshot(repository, cluster.ns, cluster.name.str(), cluster.engine,
                                               options.text("snapshot"), type));
  TRY_VOID(repository.load_index());
  restore.sidecar = TRY(backup::read_sidecar(repository, restore.choice));
  restore.choices = TRY(replay_choices(options, cluster.engine));
  restore.verify = TRY(verify_choice(options, restore.sidecar));
  restore.say = [&](const std::string& line) {
    context.out.event("step", codec::Value::object({{"message", line}}));
    context.out.note("  " + line);
  };
  for (const auto& note : backup::notes_of(restore.sidecar)) context.out.note(fmt::format("note: {}", note.text));

  std::atomic<uint64_t> epoch = 0;
  const auto lock = TRY(keep_others_away(context, cluster, epoch));
  const auto place = TRY(cluster.engine == Engine::postgres ? backup::open_postgres_place(*primary.target, context.stop)
                                                            : backup::open_mysql_place(*primary.target, context.stop));
  const auto plan = TRY(backup::plan_sql_restore(repository, request, *place, context.stop));
  const auto remarks = not_done(cluster, plan);
  const std::string what = fmt::format("snapshot {} ({}) of {}", restore.choice.snapshot.id.short_hex(),
                                       local_time(restore.choice.snapshot.time), cluster.full_name());
  if (options.flag("dry-run")) {
    context.out.set_data(codec::Value::object({{"snapshot", restore.choice.snapshot.id.hex()},
                                               {"dryRun", true},
                                               {"created", codec::Value::list_of(plan.created)},
                                               {"replaced", codec::Value::list_of(plan.replaced)}}));
    for (const auto& name : plan.created) context.out.line(fmt::format("would create {} from {}", name, what));
    for (const auto& name : plan.replaced) context.out.line(fmt::format("would replace {} from {}", name, what));
    return {};
  }
  context.out.note(fmt::format("restoring {} on {}", what, request.member));
  Progress progress(context.out, "replaying " + restore.choice.path);
  progress.set_total(restore.sidecar["bytes"].unsigned_integer());
  restore.progress = &progress.byte_counter();
  const auto report = TRY(backup::restore_over_sql(repository, request, plan, *primary.target, *place, context.stop)
                              .context("restoring " + cluster.full_name()));
  show(context, request, report, remarks, std::chrono::steady_clock::now() - start);
  return left_out(report.restored);
}

}  // namespace holdfast::cli

// holdfast backup -c CLUSTER.
#include "backup/backup_cluster.h"

#include <fmt/format.h>

#include "backup/sidecar.h"
#include "base/units.h"
#include "cli/backup_sources.h"
#include "cli/cluster_options.h"
#include "cli/progress.h"
#include "cli/repository_session.h"
#include "cli/snapshot_view.h"

namespace holdfast::cli {

namespace {

/// {tables, without[{table, why}]}; null when none were asked for or none could be taken.
codec::Value checksums_value(const engine::DumpInfo& info) {
  if (!info.checksums) return {};
  codec::Value::List without;
  for (const auto& [table, why] : info.checksums->without)
    without.push_back(codec::Value::object({{"table", table.text()}, {"why", why}}));
  return codec::Value::object(
      {{"tables", static_cast<uint64_t>(info.checksums->sums.size())}, {"without", codec::Value(std::move(without))}});
}

}  // namespace

Exit backup_cluster(Context& context) {
  const auto start = std::chrono::steady_clock::now();
  backup::BackupRequest request;
  request.cluster = TRY(selected_cluster(context));
  request.target_of = TRY(targets_of(context, request.cluster));
  request.member = context.options.text("instance");
  request.saver = TRY(saver_options(context.options));
  request.hostname = context.options.text("host");
  request.extra_tags = split_commas(context.options.list("tag"));
  request.program_version = "holdfast " HOLDFAST_VERSION;
  request.checksums = context.options.text("verify") == "checksums";
  request.dry_run = context.options.flag("dry-run");

  RepositorySession session =
      TRY(open_repository(context, context.options.flag("dry-run") ? LockNeed::shared : LockNeed::publish));
  TRY_VOID(session.repository->load_index());
  Progress progress(context.out, "backing up " + request.cluster.full_name());
  const auto may_commit = [&]() -> Status {
    if (context.stop.stop_requested())
      return fail(ErrorClass::interrupted, "interrupted", "stopped; no snapshot was made");
    return session.confirm();
  };
  auto made =
      backup::back_up_cluster(*session.repository, request, &progress.byte_counter(), may_commit, session.stop());
  if (!made) return session.explain(std::unexpected(std::move(made).error()));
  const backup::BackupReport report = std::move(*made);
  if (request.dry_run) {
    context.out.line(fmt::format("would back up {} from {} ({})", request.cluster.full_name(), report.member,
                                 report.from_replica ? "a replica" : "the primary"));
    context.out.set_data(codec::Value::object({{"member", report.member}, {"dryRun", true}}));
    return {};
  }
  const auto elapsed = std::chrono::duration<double>(std::chrono::steady_clock::now() - start);
  const auto& counts = report.info.counts;
  for (const auto& remark : report.info.remarks) context.out.warning("backup.remark", remark);
  context.out.set_data(codec::Value::object({{"snapshot", snapshot_value(report.snapshot)},
                                             {"cluster", request.cluster.name.str()},
                                             {"namespace", request.cluster.ns},
                                             {"engine", cluster::engine_name(request.cluster.engine)},
                                             {"member", report.member},
                                             {"position", report.info.position},
                                             {"positionExact", report.info.position_exact},
                                             {"lineage", report.info.lineage},
                                             {"serverVersion", report.info.server_version},
                                             {"rows", counts.rows},
                                             {"objects", counts.objects()},
                                             {"notes", backup::notes_value(report.info.notes)},
                                             {"checksums", checksums_value(report.info)},
                                             {"bytes", counts.bytes},
                                             {"seconds", elapsed.count()}}));
  const auto& summary = *report.snapshot.summary;
  context.out.line(fmt::format("snapshot {} of {} from {} ({})", report.snapshot.id.short_hex(),
                               request.cluster.full_name(), report.member,
                               report.from_replica ? "replica" : "primary"));
  context.out.note(fmt::format("  {} in {} ({}); {} new, {} stored", human_size(counts.bytes), human_span(elapsed),
                               human_rate(counts.bytes, elapsed), human_size(summary.data_added),
                               human_size(summary.data_added_packed)));
  const std::string position =
      report.info.position.empty() ? "no position, for there is no binary log" : "position " + report.info.position;
  context.out.note(fmt::format("  {}{}; {} tables, {} rows; end marker seen", position,
                               report.info.position_exact || report.info.position.empty() ? "" : " (at least)",
                               counts.tables, counts.rows));
  if (const auto& sums = report.info.checksums) {
    context.out.note(fmt::format("  checksums of {} tables; without: {}", sums->sums.size(), sums->without.size()));
    for (const auto& [table, why] : sums->without)
      context.out.note(fmt::format("  no checksum of {}: {}", table.text(), why));
  }
  for (const auto& note : report.info.notes) context.out.note("  note: " + note.text);
  return {};
}

}  // namespace holdfast::cli

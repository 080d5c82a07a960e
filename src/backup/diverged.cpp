#include "backup/diverged.h"

#include <fmt/format.h>

#include "backup/escrow.h"

namespace holdfast::backup {

std::string diverged_path(const cluster::DatabaseCluster& cluster, const cluster::Member& member) {
  return fmt::format("{}/{}-{}", snapshot_folder(cluster), member.ordinal, engine::dump_file_name(cluster.engine));
}

namespace {

constexpr std::chrono::seconds kPatience{30};

/// What this job has stored before it was cut off.
Result<std::optional<repo::Snapshot>> stored_before(repo::Repository& repository, const DivergedRequest& request) {
  for (auto& snapshot : TRY(repository.load_snapshots()))
    if (snapshot.tag_value("type") == "diverged" && snapshot.tag_value("job") == request.job &&
        snapshot.tag_value("member") == request.member)
      return std::optional(std::move(snapshot));
  return std::optional<repo::Snapshot>();
}

}  // namespace

Result<DivergedReport> dump_diverged(repo::Repository& repository, const DivergedRequest& request,
                                     const std::function<Status()>& may_commit, std::stop_token stop) {
  DivergedReport report;
  const auto* member = request.cluster.find(request.member);
  if (!member)
    return fail(ErrorClass::refused, "repair.no_member", "the cluster has no member " + request.member + " any more",
                fmt::format("holdfast triage -c {}", request.cluster.full_name()));
  report.path = diverged_path(request.cluster, *member);
  auto snapshot = TRY(stored_before(repository, request));
  if (!snapshot) {
    BackupRequest backup;
    backup.cluster = request.cluster;
    backup.program_version = request.program_version;
    backup.extra_tags = {"job=" + request.job, fmt::format("instance={}", member->ordinal)};
    BackupReport made;
    made.member = request.member;
    const auto view =
        engine::look_at_member(request.cluster, *member, request.target_of, Deadline::in(kPatience), stop);
    if (!view.target) {
      if (stop.stop_requested()) return fail(ErrorClass::interrupted, "interrupted", "stopped; no dump was made");
      report.undumpable = view.problem;
      return report;
    }
    made.from_replica = view.is_replica;
    DumpServers servers{*view.target, {}, {}, true};
    if (request.cluster.engine == cluster::Engine::galera)
      take_other_nodes(servers, engine::look_at_members(request.cluster, request.target_of, kPatience, stop),
                       request.member);
    const DumpPlace place{report.path, "diverged", time_of_job(request.job), std::chrono::seconds(120)};
    bool undumpable = false;
    auto stored = store_dump(repository, backup, servers, place, made, {}, nullptr, may_commit, stop, &undumpable);
    if (!stored) {
      if (!undumpable || stop.stop_requested()) return fail(std::move(stored).error());
      report.undumpable = stored.error().message;
      return report;
    }
    report.rows = made.info.counts.rows;
    snapshot = std::move(made.snapshot);
  }
  report.position = snapshot->tag_value("position");
  const auto read = TRY(read_back(repository, *snapshot, std::move(stop)));
  report.snapshot = read.snapshot;
  report.bytes = read.bytes;
  return report;
}

}  // namespace holdfast::backup

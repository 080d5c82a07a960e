#include "backup/backup_cluster.h"

#include <fmt/format.h>

#include "backup/sidecar.h"
#include "engine/catch_up.h"
#include "repo/environment.h"

namespace holdfast::backup {
namespace {

class DumpSource : public repo::ByteSource {
 public:
  explicit DumpSource(engine::DumpStream& dump) : dump_(dump) {}
  Result<size_t> read(MutableByteSpan into) override {
    auto got = dump_.read(into);
    failed_ = failed_ || !got;
    return got;
  }
  bool failed() const { return failed_; }

 private:
  engine::DumpStream& dump_;
  bool failed_ = false;
};

// A tag may not hold a comma when it is to be found by --tag, where a comma means "and"; GTID sets are full of them.
std::string tag_text(std::string text) {
  for (char& c : text) {
    if (c == ',') c = ';';
  }
  return text;
}

// A table of which the dump has another number of rows than the sum was taken of was not read at one point; its sum
// would refuse a good restore.
// Nor does one compare equal whose values the dump does not hold exactly, as a note says.
void keep_fitting_checksums(engine::DumpInfo& info) {
  if (!info.checksums) return;
  for (const auto& note : info.notes) {
    if (note.id != "values.rounded" && note.id != "json.types") continue;
    std::erase_if(info.checksums->sums, [&](const auto& table) {
      if (table.first.text() != note.object) return false;
      info.checksums->without[table.first] = "its values are not dumped exactly";
      return true;
    });
  }
  for (auto at = info.checksums->sums.begin(); at != info.checksums->sums.end();) {
    const auto rows = info.counts.table_rows.find(at->first);
    const bool known = rows != info.counts.table_rows.end();
    // Large objects are no rows of the dump.
    const bool fits = known ? rows->second == at->second.rows : at->first.schema == "pg_catalog";
    if (known && !fits) {
      info.remarks.push_back(
          fmt::format("{}: the dump has {} rows and its checksum is of {}: it was changed by a "
                      "statement that no snapshot holds back, and has no checksum",
                      at->first.text(), rows->second, at->second.rows));
      info.checksums->without[at->first] = "its rows in the dump and its checksum are not of one point";
    }
    at = fits ? std::next(at) : info.checksums->sums.erase(at);
  }
}

}  // namespace

std::string snapshot_folder(const cluster::DatabaseCluster& cluster) {
  return cluster.ns + "/" + cluster.name.str();
}

std::string settings_path(const std::string& dump_path) {
  return dump_path.substr(0, dump_path.rfind('.')) + ".settings.sql";
}

void take_other_nodes(DumpServers& servers, const std::vector<engine::MemberView>& views, std::string_view source) {
  for (const auto& view : views) {
    if (view.member->name.str() == source) continue;
    if (view.known)
      servers.nodes.push_back(*view.target);
    else
      servers.all_nodes = false;
  }
}

Status store_dump(repo::Repository& repository, const BackupRequest& request, const DumpServers& servers,
                  const DumpPlace& place, BackupReport& report, const std::vector<std::string>& remarks,
                  std::atomic<uint64_t>* progress, const std::function<Status()>& may_commit, std::stop_token stop,
                  bool* source_failed) {
  engine::DumpRequest dump_request;
  dump_request.engine = request.cluster.engine;
  dump_request.member = report.member;
  dump_request.is_replica = report.from_replica;
  dump_request.target = servers.source;
  dump_request.primary = servers.primary;
  dump_request.nodes = servers.nodes;
  dump_request.all_nodes = servers.all_nodes;
  dump_request.stall_limit = place.stall;
  dump_request.checksums = request.checksums;

  repo::SnapshotOptions snapshot;
  snapshot.time = place.started;
  snapshot.hostname = request.hostname;
  snapshot.program_version = request.program_version;
  // Of the source's failures; the repository's have hints of their own.
  const auto explained = [&](Error error, bool source) {
    if (source && error.hint.empty())
      error.hint = fmt::format("no snapshot was made; holdfast triage -c {} shows which members answer",
                               request.cluster.full_name());
    return fail(std::move(error).with_context("backing up " + request.cluster.full_name() + " from " + report.member));
  };
  auto dump = engine::open_dump(dump_request, stop);
  if (!dump) {
    if (source_failed) *source_failed = true;
    return explained(std::move(dump).error(), true);
  }
  repo::StreamBackup backup(repository, request.saver, snapshot, stop);
  DumpSource bytes(**dump);
  auto stored = backup.add(place.path, bytes, progress);
  if (source_failed) *source_failed = bytes.failed();
  if (!stored) return explained(std::move(stored).error(), bytes.failed());
  report.info = (*dump)->info();
  report.info.remarks.insert(report.info.remarks.end(), remarks.begin(), remarks.end());
  dump->reset();
  keep_fitting_checksums(report.info);
  if (const std::string& settings = report.info.settings; !settings.empty()) {
    report.info.notes.push_back({"server.settings", "",
                                 fmt::format("the server's own settings are in {} beside the dump, "
                                             "and applied only by restore --server-settings",
                                             settings_path(place.path))});
    auto file = repo::read_memory(as_bytes(settings));
    TRY(backup.add(settings_path(place.path), *file));
  }

  const std::string text =
      codec::to_json(sidecar(request, report, place.started.to_string(), repo::now().to_string()), 2) + "\n";
  auto document = repo::read_memory(as_bytes(text));
  TRY(backup.add(place.path + ".json", *document));
  std::vector<std::string> tags = {
      fmt::format("engine={}", cluster::engine_name(request.cluster.engine)),
      "cluster=" + request.cluster.name.str(),
      "namespace=" + request.cluster.ns,
      "type=" + place.type,
      "method=dump",
      "member=" + report.member,
      "position=" + tag_text(report.info.position),
  };
  if (const std::string kinds = note_kinds(report.info.notes); !kinds.empty()) tags.push_back("notes=" + kinds);
  tags.insert(tags.end(), request.extra_tags.begin(), request.extra_tags.end());
  backup.set_tags(std::move(tags));
  report.snapshot = TRY(backup.commit(may_commit));
  return {};
}

Result<BackupReport> back_up_cluster(repo::Repository& repository, const BackupRequest& request,
                                     std::atomic<uint64_t>* progress, const std::function<Status()>& may_commit,
                                     std::stop_token stop) {
  const repo::Timestamp started = repo::now();
  BackupReport report;
  TRY_VOID(engine::check_wanted(request.cluster, request.member));
  const auto views = engine::look_at_members(request.cluster, request.target_of, engine::kMemberPatience, stop);
  auto source = TRY(engine::choose_source(request.cluster, views, request.member));
  report.member = source.member->name.str();
  report.from_replica = source.is_replica;

  // What was committed before this backup began must be in it. A replica that will be level soon is waited for; one
  // that was asked for by name gets a minute, since no other may take its place.
  std::vector<std::string> remarks;
  const bool named = !request.member.empty();
  const auto patience = std::chrono::seconds(named ? 60 : 30);
  const engine::LagLimits limits = named ? engine::LagLimits{patience, patience} : engine::LagLimits{};
  auto caught_up = TRY(engine::catch_up(request.cluster.engine, source, views, limits, Deadline::in(patience), stop));
  const bool replica = source.is_replica;
  if (!caught_up.level && replica && !named && caught_up.primary) {
    remarks.push_back(fmt::format("{} {}, so the primary was the source", report.member, caught_up.why));
    source = std::move(*caught_up.primary);
    report.member = source.member->name.str();
    report.from_replica = false;
  } else if (!caught_up.level && (replica || request.cluster.engine == cluster::Engine::galera)) {
    remarks.push_back(fmt::format("{} {}: what was committed last may be missing", report.member, caught_up.why));
  }

  DumpServers servers{*source.target, {}, {}, true};
  if (report.from_replica && caught_up.primary) {
    report.primary = caught_up.primary->member->name.str();
    servers.primary = caught_up.primary->target;
  }
  if (request.cluster.engine == cluster::Engine::galera) take_other_nodes(servers, views, report.member);

  if (request.dry_run) return report;
  const DumpPlace place{snapshot_folder(request.cluster) + "/" + engine::dump_file_name(request.cluster.engine),
                        "backup", started, engine::DumpRequest{}.stall_limit};
  TRY_VOID(store_dump(repository, request, servers, place, report, remarks, progress, may_commit, stop));
  return report;
}

}  // namespace holdfast::backup

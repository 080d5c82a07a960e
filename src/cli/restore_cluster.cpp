// holdfast restore -c CLUSTER: into the live cluster (--accept=replace-data) or as a stand-alone server (--into DIR).
#include <fmt/format.h>

#include <algorithm>

#include "backup/restore_cluster.h"
#include "backup/sidecar.h"
#include "base/units.h"
#include "cli/cluster_options.h"
#include "cli/progress.h"
#include "cli/repository_options.h"
#include "cli/repository_session.h"
#include "cli/snapshot_view.h"
#include "cli/verbs.h"
#include "cluster/roles.h"
#include "provider/epoch.h"
#include "provider/member_agent.h"
#include "provider/observe.h"
#include "steward/operations.h"

namespace holdfast::cli {
namespace {

bool accepted(const Options& options, std::string_view name, const std::string& argument) {
  return std::ranges::any_of(options.list("accept"), [&](const std::string& given) {
    return given == name || given == fmt::format("{}:{}", name, argument);
  });
}

/// A restore is no operation that could be gone on with, but nothing else may be one on its cluster meanwhile.
Result<std::unique_ptr<operation::ClusterLock>> keep_others_away(Context& context,
                                                                 const cluster::DatabaseCluster& cluster,
                                                                 std::atomic<uint64_t>& epoch) {
  constexpr std::chrono::seconds kPatience{5};
  operation::LockRequest request{.cluster = steward::key_of(cluster), .operation = "", .verb = "restore"};
  request.min_epoch = provider::highest_epoch(cluster, kPatience, context.stop);
  auto lock = TRY(operation_store(context)->acquire(request));
  TRY_VOID(provider::fence_members(cluster, lock->epoch(), kPatience, context.stop));
  epoch = lock->epoch();
  return lock;
}

/// What a restore does to the replication connections that the members' agents have noted.
struct Connections {
  /// From servers that are not members, or may not be: the restored data has no position of theirs, and what they
  /// brought since the backup is not in it.
  std::vector<std::string> lost;
  std::map<std::string, std::string> own;  ///< backup::RestoreRequest::own_channels
};

Result<Connections> look_at_connections(const cluster::DatabaseCluster& cluster,
                                        const std::vector<std::unique_ptr<engine::MemberControl>>& members,
                                        const std::stop_token& stop) {
  Connections found;
  if (cluster.engine == cluster::Engine::postgres) return found;
  const auto facts = provider::observe_members(cluster, std::chrono::seconds(5), stop);
  const cluster::Topology topology(cluster, facts);
  for (const auto& member : members) {
    const auto& setup = member->setup();
    const auto self = topology.find(setup.name), wanted = topology.find(setup.upstream);
    if (!self) continue;
    std::vector<cluster::Following> streams;
    for (const auto& channel : TRY(member->noted_channels())) streams.push_back(engine::following_of(channel));
    for (const auto& stream : streams) {
      const auto source = topology.source(*self, stream);
      if (source.member()) continue;
      const std::string which = stream.channel.empty() ? "" : fmt::format(" (connection '{}')", stream.channel);
      found.lost.push_back(fmt::format("{} replicates{} from {}, which is {}", setup.name, which, stream.upstream,
                                       source.outside() ? "not a member" : "not known to be a member"));
    }
    const auto own = cluster::own_stream(topology, *self, streams, wanted);
    if (own && wanted && topology.source(*self, streams[*own]).is(*wanted))
      found.own[setup.name] = streams[*own].channel;
  }
  return found;
}

codec::Value failed_value(const std::vector<backup::FailedObject>& objects) {
  codec::Value::List list;
  for (const auto& object : objects)
    list.push_back(codec::Value::object({{"object", object.label}, {"error", object.error}}));
  return codec::Value(std::move(list));
}

/// --skip, --continue-on, --tablespace-map, --statement-limit.
Result<backup::ReplayChoices> replay_choices(const Options& options, cluster::Engine engine) {
  backup::ReplayChoices choices;
  choices.skip = options.list("skip");
  choices.keep_going = options.text("continue-on") == "object-errors";
  if (options.given("statement-limit"))
    choices.statement_limit = TRY(parse_span(options.text("statement-limit"), "--statement-limit"));
  for (const auto& pair : options.list("tablespace-map")) {
    const auto equals = pair.find('=');
    if (equals == std::string::npos || equals == 0 || pair[0] != '/' || pair.substr(equals + 1, 1) != "/")
      return fail(ErrorClass::usage, "restore.tablespace_map", pair + " is not OLD=NEW, two absolute paths",
                  "--tablespace-map /srv/fast=/srv/new");
    choices.tablespaces[pair.substr(0, equals)] = pair.substr(equals + 1);
  }
  if (engine != cluster::Engine::postgres && !choices.tablespaces.empty())
    return fail(ErrorClass::usage, "restore.postgres_only", "--tablespace-map is for PostgreSQL", "leave it out");
  return choices;
}

/// --verify; refused when the backup has no checksums to compare.
Result<backup::Verify> verify_choice(const Options& options, const codec::Value& sidecar) {
  if (!options.given("verify")) return backup::Verify::as_kept;
  const std::string what = options.text("verify");
  if (what == "rows") return backup::Verify::rows;
  if (what == "files")
    return fail(ErrorClass::usage, "restore.verify", "a cluster is verified by rows or by checksums",
                "--verify=rows or --verify=checksums");
  if (backup::checksums_of(sidecar)) return backup::Verify::checksums;
  return fail(ErrorClass::refused, "restore.no_checksums", "the backup has no checksums of its tables",
              "--verify=rows compares the number of rows; holdfast backup --verify=checksums keeps checksums");
}

codec::Value reasons_value(const std::map<engine::TableName, std::string>& tables) {
  codec::Value::List list;
  for (const auto& [table, why] : tables) list.push_back(codec::Value::object({{"table", table.text()}, {"why", why}}));
  return codec::Value(std::move(list));
}

/// What was compared and how.
codec::Value proof_value(const backup::RestoreReport& report) {
  const auto& counts = report.replayed.counts;
  std::vector<std::string> not_counted;
  for (const auto& [table, why] : report.proof.skipped) not_counted.push_back(table.text());
  return codec::Value::object({{"endMarker", true},
                               {"objects", counts.objects()},
                               {"tables", counts.tables},
                               {"rowsReplayed", counts.rows},
                               {"verified", report.proof.by_checksum ? "checksums" : "rows"},
                               {"tablesCounted", report.proof.tables},
                               {"rowsCounted", report.proof.rows},
                               {"tablesByChecksum", report.proof.equal},
                               {"onlyCounted", reasons_value(report.proof.only_counted)},
                               {"notCounted", codec::Value::list_of(not_counted)},
                               {"notCompared", reasons_value(report.proof.skipped)}});
}

/// Objects that were left out because they failed: all else is restored.
Exit left_out(const backup::RestoreReport& report) {
  const auto& failed = report.replayed.failed;
  if (failed.empty()) return {};
  return fail(ErrorClass::partial, "restore.objects_left_out",
              fmt::format("{} objects failed and were left out, the first: {}: {}", failed.size(), failed[0].label,
                          failed[0].error),
              "restore them by hand: holdfast export writes the dump as a file");
}

void show(Context& context, const backup::RestoreRequest& request, const backup::RestoreReport& report,
          const std::string& target, const std::vector<std::string>& lost_feeds,
          std::chrono::duration<double> elapsed) {
  const auto& counts = report.replayed.counts;
  const auto notes = backup::notes_of(request.sidecar);
  context.out.set_data(codec::Value::object({
      {"snapshot", request.choice.snapshot.id.hex()},
      {"path", request.choice.path},
      {"target", target},
      {"members", codec::Value::list_of(report.members)},
      {"position", report.position},
      {"bytes", counts.bytes},
      {"seconds", elapsed.count()},
      {"setAside", codec::Value::list_of(report.set_aside)},
      {"proof", proof_value(report)},
      {"failed", failed_value(report.replayed.failed)},
      {"skipped", codec::Value::list_of(report.replayed.skipped)},
      {"notes", backup::notes_value(notes)},
      {"replicationNotRestored", codec::Value::list_of(lost_feeds)},
  }));
  context.out.line(fmt::format("restored {} from snapshot {} in {} ({})", target,
                               request.choice.snapshot.id.short_hex(), human_span(elapsed),
                               human_rate(counts.bytes, elapsed)));
  context.out.line(fmt::format(
      "  proved: end marker seen, {} tables and {} other objects, {} rows replayed, {} counted in the server{}{}{}",
      counts.tables, counts.objects() - counts.tables, counts.rows, report.proof.rows,
      report.proof.by_checksum ? fmt::format(", {} tables equal by checksum, {} by their number of rows only",
                                             report.proof.equal, report.proof.only_counted.size())
                               : "",
      report.proof.skipped.empty() ? "" : fmt::format(" ({} tables not compared)", report.proof.skipped.size()),
      report.position.empty() ? "" : ", position " + report.position));
  for (const auto& label : report.replayed.skipped) context.out.note("  skipped: " + label);
  for (const auto& path : report.set_aside) context.out.note("  old data: " + path);
}

}  // namespace

Exit restore_cluster(Context& context) {
  const Options& options = context.options;
  const auto start = std::chrono::steady_clock::now();
  const ClusterSelector selector = cluster_selector(options);
  const std::string into = options.text("into");
  std::optional<cluster::DatabaseCluster> cluster;
  backup::RestoreRequest request;
  std::vector<std::unique_ptr<engine::MemberControl>> members;
  const auto epoch = std::make_shared<std::atomic<uint64_t>>(0);
  std::string ns = selector.ns;
  if (into.empty()) {
    cluster = TRY(selected_cluster(context));
    ns = cluster->ns;
    members = TRY(provider::control_members(*cluster, context.stop, epoch));
  }

  RepositorySession session = TRY(open_repository(context, LockNeed::shared));
  repo::Repository& repository = *session.repository;
  std::optional<cluster::Engine> engine =
      cluster ? std::optional(cluster->engine) : cluster::parse_engine(selector.engine);
  const std::string type = options.text("type") == "all" ? "backup" : options.text("type");
  request.choice =
      TRY(backup::choose_snapshot(repository, ns, selector.cluster, engine, options.text("snapshot"), type));
  TRY_VOID(repository.load_index());
  request.sidecar = TRY(backup::read_sidecar(repository, request.choice));
  if (!engine) engine = cluster::parse_engine(request.choice.snapshot.tag_value("engine"));
  if (!engine)
    return fail(ErrorClass::refused, "restore.wrong_snapshot", "the snapshot does not say of which engine it is",
                "name it with -e");
  request.engine = *engine;
  request.choices = TRY(replay_choices(options, *engine));
  request.verify = TRY(verify_choice(options, request.sidecar));
  request.server_settings = options.flag("server-settings");

  const std::string what = fmt::format("snapshot {} ({}) of {}", request.choice.snapshot.id.short_hex(),
                                       local_time(request.choice.snapshot.time),
                                       request.choice.path.substr(1, request.choice.path.rfind('/') - 1));
  for (const auto& note : backup::notes_of(request.sidecar)) context.out.note(fmt::format("note: {}", note.text));
  const auto connections = cluster ? TRY(look_at_connections(*cluster, members, context.stop)) : Connections();
  const auto& lost_feeds = connections.lost;
  request.own_channels = connections.own;
  for (const auto& feed : lost_feeds)
    context.out.note(fmt::format("note: {}; a restore removes this connection and does not restore it", feed));
  if (cluster && !accepted(options, "replace-data", cluster->name.str())) {
    return fail(
        ErrorClass::refused, "restore.replace_data",
        fmt::format("this would replace the data of all {} members of {} by {}; what was written since is not in it",
                    cluster->members.size(), cluster->full_name(), what),
        fmt::format("add --accept=replace-data (the old data directories are moved aside), or restore beside it with "
                    "--into DIR"));
  }
  if (options.flag("dry-run")) {
    context.out.line(fmt::format("would restore {} {}", what,
                                 cluster ? "into " + cluster->full_name() : "as a stand-alone server in " + into));
    context.out.set_data(codec::Value::object({{"snapshot", request.choice.snapshot.id.hex()},
                                               {"dryRun", true},
                                               {"replicationNotRestored", codec::Value::list_of(lost_feeds)}}));
    return {};
  }
  std::unique_ptr<operation::ClusterLock> lock;
  if (cluster) lock = TRY(keep_others_away(context, *cluster, *epoch));
  context.out.note("restoring " + what);
  Progress progress(context.out, "replaying " + request.choice.path);
  progress.set_total(request.sidecar["bytes"].unsigned_integer());
  request.progress = &progress.byte_counter();
  request.say = [&](const std::string& line) {
    context.out.event("step", codec::Value::object({{"message", line}}));
    context.out.note("  " + line);
  };
  if (cluster) {
    auto report = TRY(backup::restore_cluster(repository, request, members, context.stop)
                          .context("restoring " + cluster->full_name()));
    show(context, request, report, cluster->full_name(), lost_feeds, std::chrono::steady_clock::now() - start);
    return left_out(report);
  }
  auto server = TRY(provider::control_folder(into, request.engine, selector.cluster, context.stop));
  auto report = TRY(backup::restore_into(repository, request, *server, context.stop).context("restoring into " + into));
  show(context, request, report, into, lost_feeds, std::chrono::steady_clock::now() - start);
  context.out.note(fmt::format("  data directory {}, administrator {} with the password in {}/admin.password",
                               server->setup().data_dir, server->setup().socket.user, into));
  return left_out(report);
}

}  // namespace holdfast::cli

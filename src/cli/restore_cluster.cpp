// holdfast restore -c CLUSTER: into the live cluster (--accept=replace-data) or as a stand-alone server (--into DIR).
#include <fmt/format.h>

#include "backup/restore_cluster.h"
#include "backup/sidecar.h"
#include "base/units.h"
#include "cli/cluster_options.h"
#include "cli/progress.h"
#include "cli/repository_session.h"
#include "cli/restore_parts.h"
#include "cli/snapshot_view.h"
#include "cli/verbs.h"
#include "cluster/roles.h"
#include "engine/programs.h"
#include "provider/folder_server.h"
#include "provider/member_access.h"
#include "provider/observe.h"

namespace holdfast::cli {
namespace {

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
  const auto facts = provider::observe_members(provider::ClusterMembers(cluster), std::chrono::seconds(5), stop);
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
  context.out.line(proved_line(report));
  for (const auto& label : report.replayed.skipped) context.out.note("  skipped: " + label);
  for (const auto& path : report.set_aside) context.out.note("  old data: " + path);
}

}  // namespace

Exit restore_cluster(Context& context) {
  const Options& options = context.options;
  if (options.flag("over-sql")) return restore_over_sql(context);
  if (options.given("database"))
    return fail(ErrorClass::usage, "cli.conflict", "--database chooses what a restore over SQL brings back",
                "add --over-sql, or leave it out");
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
    members = TRY(provider::ClusterMembers(*cluster).control(context.stop, epoch));
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
  const int major = engine::postgres_major(request.sidecar["serverVersion"].text());
  auto server = TRY(provider::control_folder(into, request.engine, selector.cluster, context.stop, major));
  auto report = TRY(backup::restore_into(repository, request, *server, context.stop).context("restoring into " + into));
  show(context, request, report, into, lost_feeds, std::chrono::steady_clock::now() - start);
  context.out.note(fmt::format("  data directory {}, administrator {} with the password in {}/admin.password",
                               server->setup().data_dir, server->setup().socket.user, into));
  return left_out(report);
}

}  // namespace holdfast::cli

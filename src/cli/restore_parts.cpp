#include "cli/restore_parts.h"

#include <fmt/format.h>

#include <algorithm>

#include "backup/sidecar.h"
#include "base/units.h"
#include "cli/cluster_options.h"
#include "cli/repository_options.h"
#include "provider/epoch.h"
#include "provider/member_access.h"
#include "steward/operations.h"

namespace holdfast::cli {
namespace {

codec::Value reasons_value(const std::map<engine::TableName, std::string>& tables) {
  codec::Value::List list;
  for (const auto& [table, why] : tables) list.push_back(codec::Value::object({{"table", table.text()}, {"why", why}}));
  return codec::Value(std::move(list));
}

}  // namespace

bool accepted(const Options& options, std::string_view name, const std::string& argument) {
  return std::ranges::any_of(options.list("accept"), [&](const std::string& given) {
    return given == name || given == fmt::format("{}:{}", name, argument);
  });
}

Result<std::unique_ptr<operation::ClusterLock>> keep_others_away(Context& context,
                                                                 const cluster::DatabaseCluster& cluster,
                                                                 std::atomic<uint64_t>& epoch) {
  constexpr std::chrono::seconds kPatience{5};
  operation::LockRequest request{.cluster = steward::key_of(cluster), .operation = "", .verb = "restore"};
  const provider::ClusterMembers members(cluster);
  request.min_epoch = provider::highest_epoch(members, kPatience, context.stop);
  auto lock = TRY(operation_store(context)->acquire(request));
  TRY_VOID(provider::fence_members(members, lock->epoch(), kPatience, context.stop));
  epoch = lock->epoch();
  return lock;
}

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

codec::Value failed_value(const std::vector<backup::FailedObject>& objects) {
  codec::Value::List list;
  for (const auto& object : objects)
    list.push_back(codec::Value::object({{"object", object.label}, {"error", object.error}}));
  return codec::Value(std::move(list));
}

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

std::string proved_line(const backup::RestoreReport& report) {
  const auto& counts = report.replayed.counts;
  return fmt::format(
      "  proved: end marker seen, {} tables and {} other objects, {} rows replayed, {} counted in the server{}{}{}",
      counts.tables, counts.objects() - counts.tables, counts.rows, report.proof.rows,
      report.proof.by_checksum ? fmt::format(", {} tables equal by checksum, {} by their number of rows only",
                                             report.proof.equal, report.proof.only_counted.size())
                               : "",
      report.proof.skipped.empty() ? "" : fmt::format(" ({} tables not compared)", report.proof.skipped.size()),
      report.position.empty() ? "" : ", position " + report.position);
}

Exit left_out(const backup::RestoreReport& report) {
  const auto& failed = report.replayed.failed;
  if (failed.empty()) return {};
  return fail(ErrorClass::partial, "restore.objects_left_out",
              fmt::format("{} objects failed and were left out, the first: {}: {}", failed.size(), failed[0].label,
                          failed[0].error),
              "restore them by hand: holdfast export writes the dump as a file");
}

}  // namespace holdfast::cli

#include "backup/replay_proof.h"

#include <fmt/format.h>

#include <algorithm>

#include "backup/sidecar.h"

namespace holdfast::backup {
namespace {

void say(const RestoreRequest& request, const std::string& line) {
  if (request.say) request.say(line);
}

}  // namespace

Status accept_failures(const RestoreRequest& request, const ReplayReport& replayed, const std::string& instead) {
  if (replayed.failed.empty()) return {};
  for (const auto& object : replayed.failed) say(request, fmt::format("failed: {}: {}", object.label, object.error));
  if (request.choices.keep_going) return {};
  std::string list;
  for (size_t i = 0; i < std::min<size_t>(replayed.failed.size(), 20); ++i)
    list += fmt::format("{}{} ({})", i == 0 ? "" : "; ", replayed.failed[i].label, replayed.failed[i].error);
  return fail(ErrorClass::failed, "restore.objects_failed",
              fmt::format("{} objects could not be restored: {}", replayed.failed.size(), list),
              fmt::format("--skip '{}' leaves one out, --continue-on=object-errors all that fail; {}",
                          replayed.failed.front().label, instead));
}

Proof proof_of(const RestoreRequest& request, const ReplayReport& replayed, sql::Target server, std::string name) {
  Proof proof{std::move(server), std::move(name), replayed.counts, uncounted_of(request.sidecar), std::nullopt};
  proof.uncounted.insert(replayed.no_rows.begin(), replayed.no_rows.end());
  if (request.verify != Verify::rows) proof.checksums = checksums_of(request.sidecar);
  return proof;
}

Result<RowProof> prove(const RestoreRequest& request, const Proof& proof, std::stop_token stop) {
  const RowProof found =
      TRY(proof.checksums ? verify_checksums(request.engine, proof.server, proof.counts, proof.uncounted,
                                             *proof.checksums, std::move(stop))
                          : verify_rows(request.engine, proof.server, proof.counts, proof.uncounted, std::move(stop)));
  say(request,
      fmt::format("{}: counted {} rows of {} tables, as many as the dump has{}", proof.name, found.rows, found.tables,
                  found.by_checksum ? fmt::format("; {} tables have the checksum of the source", found.equal) : ""));
  for (const auto& [table, why] : found.only_counted)
    say(request, fmt::format("{}: only counted {}: {}", proof.name, table.text(), why));
  for (const auto& [table, why] : found.skipped)
    say(request, fmt::format("{}: did not count {}: {}", proof.name, table.text(), why));
  return found;
}

}  // namespace holdfast::backup

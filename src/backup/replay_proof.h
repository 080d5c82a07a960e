// What a replay is accepted by, the same for every way of restoring: objects that failed, and the rows or checksums of
// every table beside those of the source.
#pragma once

#include "backup/restore_cluster.h"

namespace holdfast::backup {

/// Says each object that failed. "restore.objects_failed" (failed) unless the request goes on without them; `instead`:
/// another way to try it, for the hint.
Status accept_failures(const RestoreRequest& request, const ReplayReport& replayed, const std::string& instead);

/// What is to be compared.
struct Proof {
  sql::Target server;
  std::string name;  ///< of the server, for what is said
  engine::DumpCounts counts;
  std::map<engine::TableName, std::string> uncounted;
  std::optional<engine::ChecksumResults> checksums;  ///< of the source; nothing = rows alone
};
/// Of the whole dump.
Proof proof_of(const RestoreRequest& request, const ReplayReport& replayed, sql::Target server, std::string name);
/// Compares, and says what was compared. Errors: row_proof.h.
Result<RowProof> prove(const RestoreRequest& request, const Proof& proof, std::stop_token stop);

}  // namespace holdfast::backup

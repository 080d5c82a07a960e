// What a member wrote after the point where its history left the others': commits, and the relations they changed.
#pragma once

#include "engine/errant.h"
#include "engine/postgres/wal_record.h"

namespace holdfast::engine::postgres {

/// Commits in `spans` (in the order of the log); fills result.errant and result.list.
void find_errant_in_wal(ErrantList& result, const ErrantSearch& search, const std::vector<cluster::WalSpan>& spans);

/// The member's pg_control and how to walk its log.
struct WalAccess {
  ControlData control;
  WalOptions options;
};
Result<WalAccess> open_wal(const std::string& data_dir, Deadline deadline, std::stop_token stop);

}  // namespace holdfast::engine::postgres

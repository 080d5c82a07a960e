// Errant transactions with their bytes, from the logs of the member that has them.
#pragma once

#include <stop_token>
#include <string>

#include "cluster/types.h"
#include "engine/adoptable.h"

namespace holdfast::provider {

class MemberAccess;

struct ErrantLogRequest {
  std::string transactions;  ///< Errant::transactions
  bool altered = false;      ///< see engine::ErrantLogOptions
  engine::ErrantLogFiles::Limits limits;
  Deadline deadline = Deadline::never();  ///< for the search; what then comes may take its time
};

/// Transactions of a member, as engine::read_adoptable() reads them. Errors: MemberFiles::errant_log().
Result<engine::Adoptable> fetch_adoptable(MemberAccess& member, const std::string& transactions, Deadline deadline,
                                          std::stop_token stop = {});

}  // namespace holdfast::provider

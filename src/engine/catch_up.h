// Whether a replica is worth waiting for: not by a fixed time, but by how fast it catches up.
//
// A replica that applies more slowly than its primary commits falls behind without end, and a dump that waits for it
// waits in vain; one that is behind by a moment is level before the dump program has started.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <span>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "engine/members.h"

namespace holdfast::engine {

/// One look at a replica: how much it lacks of a point of the primary that was chosen once. Transactions, or bytes of
/// write-ahead log.
struct LagSample {
  std::chrono::milliseconds at;  ///< of the watch
  uint64_t missing = 0;
};

struct LagLimits {
  std::chrono::milliseconds watch{3000};   ///< the rate is that of this much time; no verdict before
  std::chrono::milliseconds bound{10000};  ///< a replica that needs no longer than this is waited for
};

struct LagVerdict {
  enum class Kind { level, wait, give_up } kind = Kind::wait;
  std::optional<std::chrono::milliseconds> needed;  ///< by the rate of late; nullopt: no rate yet, or no progress
};

/// What to do after the last of `samples` (oldest first, at least one).
LagVerdict judge_lag(std::span<const LagSample> samples, const LagLimits& limits);

/// How many transactions a MySQL GTID set names: "uuid:1-5:7,uuid:tag:1-3" -> 9.
uint64_t count_mysql_gtids(std::string_view set);
/// How many transactions lie between two MariaDB GTID positions ("0-1-100,5-2-7"), by domain; what only `have` holds
/// does not count.
uint64_t count_mariadb_gtids_between(std::string_view have, std::string_view wanted);

struct CatchUp {
  bool level = false;
  std::string why;  ///< why not, after "<member> ": "lacks 4074 transactions of its primary and would need about 38.0s
                    ///< to catch up"
  std::optional<MemberView> primary;  ///< as it was asked; none on Galera, or where none, or more than one, answered
};

/// Waits until `source`, which has answered, holds everything the cluster had committed when this was called, so that a
/// backup never lacks what was acknowledged before it began; gives up as `limits` say, at the latest with the deadline.
/// `views`: all members as they were seen, `source` among them.
Result<CatchUp> catch_up(cluster::Engine engine, const MemberView& source, const std::vector<MemberView>& views,
                         const LagLimits& limits, Deadline deadline, std::stop_token stop);

}  // namespace holdfast::engine

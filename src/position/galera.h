// Galera positions: which history (UUID) and how far (sequence number), and where that was read.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"
#include "position/order.h"
#include "position/uuid.h"

namespace holdfast::position {

enum class GaleraSource {
  live,       ///< wsrep_last_committed with wsrep_cluster_state_uuid of a running node: proof
  grastate,   ///< grastate.dat with a number, written by a clean stop: proof
  recovered,  ///< `mariadbd --wsrep-recover`, from the storage engine: proof
  gcache,     ///< the range found in galera.cache: a hint, since what was received need not be committed
  log,        ///< a line of an error log: a hint, since nobody knows what came after
};
std::string_view galera_source_name(GaleraSource source);

struct GaleraPosition {
  Uuid uuid;
  int64_t seqno = -1;
  GaleraSource source = GaleraSource::log;

  /// "uuid:seqno"; spaces around it are allowed, the number is -1 (undefined) or more. Errors: position.invalid.
  static Result<GaleraPosition> parse(std::string_view text, GaleraSource source);
  std::string to_string() const;

  /// Names a point of a history: UUID not zero, number not -1. A running node writes -1 to grastate.dat; a zero UUID is
  /// a node that never joined, or whose state transfer was cut short.
  bool defined() const { return !uuid.is_zero() && seqno >= 0; }
  /// Defined, and from a source that counts as proof of what the node has committed.
  bool proves() const;
  bool operator==(const GaleraPosition&) const = default;
};

/// By number within one UUID, never diverged; another UUID or anything undefined is incomparable. A source that is a
/// hint compares as well: ask proves() before relying on it. The same number in the same UUID is the same transaction
/// unless somebody bootstrapped by force from an older node, which the position does not show.
Order compare(const GaleraPosition& a, const GaleraPosition& b);

}  // namespace holdfast::position

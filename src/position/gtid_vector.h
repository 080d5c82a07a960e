// MariaDB GTIDs: "domain-server-sequence".
//
// A vector (gtid_slave_pos, gtid_current_pos, gtid_binlog_pos) names the last transaction of each replication domain. A
// state (gtid_binlog_state) names the last transaction of each server in each domain. Neither is a list of what a
// server holds, so what they prove is limited, and compare() claims no more than that:
//
//   V1  Vectors, one domain, same server: by sequence number.
//   V2  Vectors, one domain, same number from two servers: diverged.
//   V3  Vectors, one domain, different servers and numbers: incomparable. The lower one may be in the other's history
//   or
//       on a branch of its own; only a state tells.
//   V4  A domain only one of them has: that one has more. Domains are independent: before in one and after in another
//   is
//       diverged; incomparable in one and not diverged in any is incomparable.
//   S1  States: an entry (domain, server) -> n of A is in B only if B has (domain, server) -> m with m >= n. A higher
//       number of another server proves nothing. So the same number from two servers is diverged, too.
//   S2  States hold domains for themselves, as V4; they are never incomparable.
//   S3  A vector is in a state if each of its transactions is by S1.
//
// Limits of S1, seen from a state alone: a server that wrote transactions nobody received, and later wrote again as
// primary, hides them behind its higher number; so does a server that reuses numbers (restored in place, RESET MASTER,
// a new server with an old server_id). See docs/decisions/0006-authority.md.
#pragma once

#include <compare>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "position/order.h"

namespace holdfast::position {

/// One transaction of a MariaDB server. Sequence numbers begin with 1.
struct MariaGtid {
  uint32_t domain = 0, server = 0;
  uint64_t seq = 0;

  /// "0-1-100". Errors: position.invalid.
  static Result<MariaGtid> parse(std::string_view text);
  std::string to_string() const;
  auto operator<=>(const MariaGtid&) const = default;
};

/// At most one transaction per domain.
class GtidVector {
 public:
  /// "0-1-100,5-2-7", spaces around commas allowed. A sequence number 0 says "nothing yet" and is dropped. Errors
  /// (position.invalid): anything else, and a domain that comes twice.
  static Result<GtidVector> parse(std::string_view text);
  /// Sorted by domain, separated by ",".
  std::string to_string() const;

  bool empty() const { return domains_.empty(); }
  std::vector<MariaGtid> entries() const;
  /// Sequence number 0 when the domain is not there.
  MariaGtid of_domain(uint32_t domain) const;
  /// Replaces what the domain had; a sequence number 0 removes it.
  void set(const MariaGtid& gtid);
  bool operator==(const GtidVector&) const = default;

 private:
  std::map<uint32_t, MariaGtid> domains_;
};

/// Rules V1 to V4.
Order compare(const GtidVector& a, const GtidVector& b);

/// Transactions of one server in one domain: those after `after_seq` (0 = none known before) up to `up_to_seq`.
struct MissingRange {
  uint32_t domain = 0, server = 0;
  uint64_t after_seq = 0, up_to_seq = 0;

  /// "0-1-101..0-1-105", or "0-1-101" for one alone. Not every number in between needs to exist.
  std::string to_string() const;
  bool operator==(const MissingRange&) const = default;
};

/// gtid_binlog_state: the last number of each (domain, server), and which server wrote last in each domain.
class GtidState {
 public:
  /// As a vector, but a domain may come several times; the last of each is the one printed last. Errors: also a
  /// (domain, server) that comes twice.
  static Result<GtidState> parse(std::string_view text);
  /// What a vector proves, for servers that show no state (no binary log).
  static GtidState from(const GtidVector& vector);
  /// Sorted by domain, then server, the last of each domain at its end, as MariaDB prints and reads it.
  std::string to_string() const;

  bool empty() const { return domains_.empty(); }
  /// In the order of to_string().
  std::vector<MariaGtid> entries() const;
  /// The last of each domain: gtid_binlog_pos.
  GtidVector last() const;
  /// 0 = none.
  uint64_t seq_of(uint32_t domain, uint32_t server) const;
  /// Rules S1 and S3.
  bool contains(const MariaGtid& gtid) const;
  bool contains(const GtidVector& vector) const;
  bool contains(const GtidState& other) const { return other.missing_from(*this).empty(); }
  /// What this has and `other` is not known to have, by domain and server.
  std::vector<MissingRange> missing_from(const GtidState& other) const;

  /// As a server does that writes `gtid` to its binary log: the number of its (domain, server) becomes this one, even
  /// if it was higher, and it is the last of its domain.
  void record(const MariaGtid& gtid);
  /// The higher number of each (domain, server): for a server that logs only part of what it applies (binlog state and
  /// gtid_slave_pos). Where the two disagree about the last of a domain it is the one with the highest number.
  GtidState merge(const GtidState& other) const;
  bool operator==(const GtidState&) const = default;

 private:
  struct Domain {
    std::map<uint32_t, uint64_t> servers;
    uint32_t last = 0;  ///< a key of `servers`
    bool operator==(const Domain&) const = default;
  };
  std::map<uint32_t, Domain> domains_;
};

/// Rules S1 and S2. The last of a domain does not matter.
Order compare(const GtidState& a, const GtidState& b);

}  // namespace holdfast::position

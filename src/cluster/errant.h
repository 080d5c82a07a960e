// Transactions a member has and the member it is compared with lacks: which they are, what they did. Pure values:
// triage() names them from the positions alone, engine/errant looks them up in the member's own logs.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "cluster/types.h"
#include "codec/value.h"
#include "position/gtid_set.h"
#include "position/gtid_vector.h"
#include "position/wal.h"

namespace holdfast::cluster {

/// What a transaction means to whoever must decide about it, from grave to harmless.
enum class ErrantClass {
  user_data,  ///< rows of a table that is no heartbeat's
  unknown,    ///< an event nobody could look into: to be treated as user data
  ddl,
  account,    ///< users, roles, grants, passwords
  heartbeat,  ///< rows of heartbeat tables and nothing else
  empty,      ///< nothing but its frame, or only the planner's statistics
};
inline constexpr std::array kErrantClasses = {ErrantClass::user_data, ErrantClass::unknown,   ErrantClass::ddl,
                                              ErrantClass::account,   ErrantClass::heartbeat, ErrantClass::empty};
std::string_view errant_class_name(ErrantClass kind);

struct ErrantGroup {
  uint64_t count = 0;
  std::set<std::string> tables;  ///< "db.table"; PostgreSQL "tablespace/database/relation" numbers; some of very many
  std::set<std::string> verbs;
};

struct Errant {
  /// Their names. Exact: those that exist. Otherwise what they can be at most: MySQL a GTID set, MariaDB
  /// "0-2-101..0-2-105", PostgreSQL "timeline 1 from 0/5000000 to 0/5000ABC", Galera "uuid:5-7".
  std::string transactions;
  uint64_t count = 0;  ///< exact: how many; otherwise at most that many, 0 = not countable from what was read
  /// Names and count are what is. GTID sets and Galera tell that by themselves; of MariaDB and PostgreSQL it takes a
  /// look at the member's logs.
  bool exact = false;
  bool looked_at = false;  ///< somebody searched the logs; exact too: the classes add up to `count`
  std::string unseen;      ///< why not all of them could be seen in the logs; "" = all were, or nobody looked
  std::string against;     ///< name of the member that lacks them
  std::map<ErrantClass, ErrantGroup> classes;  ///< those that occur
  // PostgreSQL
  uint64_t wal_bytes = 0;
  std::map<std::string, uint64_t> wal_records;  ///< "Heap INSERT" -> how many

  bool any() const { return !transactions.empty(); }
  /// Every one of them was seen, and is of this class.
  bool is_only(ErrantClass kind) const {
    return any() && exact && looked_at && unseen.empty() && classes.size() == 1 && classes.contains(kind);
  }
  std::set<std::string> tables() const;
};

/// A piece of write-ahead log.
struct WalSpan {
  uint32_t timeline = 0;
  position::Lsn from, to;
};

/// Errant::transactions as values; what the engine does not use stays empty. "errant.text" (usage) when it is neither.
struct ErrantNames {
  position::GtidSet set;                       ///< MySQL
  std::vector<position::MissingRange> ranges;  ///< MariaDB
  std::vector<WalSpan> wal;                    ///< PostgreSQL, oldest first
};
Result<ErrantNames> parse_errant(Engine engine, std::string_view text);

/// Tables whose rows are a heartbeat, "db.table" or "*.table": the usual ones, and those of the cluster's annotation
/// holdfast.dev/heartbeat-tables (separated by commas or spaces).
std::set<std::string> heartbeat_tables(const DatabaseCluster& cluster);
constexpr std::string_view kHeartbeatAnnotation = "holdfast.dev/heartbeat-tables";

/// "errant" of `triage -o json`, and back: how an agent answers.
codec::Value errant_value(const Errant& errant);
Errant errant_from(const codec::Value& value);

}  // namespace holdfast::cluster

// Errant transactions looked up in a member's own logs: which really exist, what they did, where they are.
// Strictly reading; safe while the server runs. MariaDB and MySQL: binary logs, then relay logs for what was received
// and not applied. PostgreSQL: write-ahead log. Galera has no log to look into.
#pragma once

#include <set>
#include <stop_token>
#include <string>
#include <vector>

#include "base/deadline.h"
#include "cluster/errant.h"

namespace holdfast::engine {

struct ErrantTransaction {
  std::string id;   ///< GTID; PostgreSQL: "xid 745"
  double time = 0;  ///< seconds since 1970, by the clock of the server it was committed on
  cluster::ErrantClass kind = cluster::ErrantClass::unknown;
  std::vector<std::string> tables;  ///< see ErrantGroup
  std::vector<std::string> verbs;   ///< first words of statements: never more, they may hold passwords
  uint64_t size = 0;                ///< bytes in the log; PostgreSQL: of its records
  std::string file;                 ///< path of the log file; PostgreSQL: of the segment with its commit
  uint64_t offset = 0, end = 0;     ///< in that file; PostgreSQL: LSN of the commit record, and behind it
};

struct ErrantSearch {
  cluster::Engine engine = cluster::Engine::mariadb;
  std::string data_dir;
  std::string log_base, relay_base;  ///< MariaDB, MySQL: of logs that are elsewhere; as StoredOptions
  std::string transactions;          ///< Errant::transactions of the verdict
  std::set<std::string> heartbeat_tables;
  size_t most = 10'000;  ///< of `list`; what goes beyond is counted, as unknown
  Deadline deadline = Deadline::never();
  std::stop_token stop;
};

struct ErrantList {
  cluster::Errant errant;  ///< `against` is left empty
  std::vector<ErrantTransaction> list;
  bool cut_short = false;
};

/// Never fails: errant.unseen says what could not be looked at.
ErrantList find_errant(const ErrantSearch& search);

/// "0-2-101..0-2-105,0-2-107": consecutive numbers of one server joined.
std::string join_mariadb_gtids(std::vector<std::string> gtids);

}  // namespace holdfast::engine

// How far a stopped, crashed or hung MariaDB or MySQL server had come, read from its binary log files alone.
//
// The last file says it all: it begins with the list of everything logged before, and its whole transactions follow.
// Cost: one sequential pass over the last file (page cache: about 0.3 s per GB of ordinary transactions, much less with
// large ones; cold: the disk's speed) and the first 64 KiB of the oldest one.
//
// What this cannot see, and never claims to: GTIDs that are only in a table (MySQL: gtid_purged set by hand or by a
// restore, log_replica_updates=OFF; MariaDB: gtid_slave_pos without log_slave_updates). The true position contains what
// is reported here.
#pragma once

#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "base/deadline.h"
#include "engine/binlog/files.h"
#include "engine/binlog/gtids.h"
#include "engine/binlog/scan.h"
#include "engine/stored/known.h"

namespace holdfast::engine::binlog {

struct BinlogPosition {
  Flavour flavour = Flavour::mysql;
  std::string server_version;
  Gtids gtids;
  std::string text;        ///< as @@gtid_binlog_state or @@gtid_executed print it
  std::string position;    ///< MariaDB: as @@gtid_binlog_pos; MySQL: the same as text
  bool anonymous = false;  ///< the file has transactions without a GTID: text does not tell the whole position

  std::string file;       ///< path of the last log file
  uint64_t offset = 0;    ///< behind its last whole transaction or event
  uint64_t size = 0;      ///< of that file
  bool in_use = false;    ///< not closed: the server runs, hangs or was killed
  bool clean = false;     ///< closed by a shutdown
  std::string tail;       ///< what was cut off behind `offset`, and why; "" = nothing
  std::string partial;    ///< GTID of a transaction at the end that is not whole (MariaDB counts it after a crash)
  std::string last_gtid;  ///< of the last whole transaction in the last file; "" = none there
  uint32_t last_timestamp = 0;  ///< of it, seconds since 1970
  std::string source;           ///< "binary log", or the state file for an encrypted log that was closed
};

struct PurgedLog {
  std::string first_file;
  Gtids before;      ///< logged before the oldest file that is still there
  std::string text;  ///< of it
};

struct BinlogReading {
  LogFiles files;
  /// What is proven. Empty when anything spoke against it; then `unknown` says why.
  std::optional<BinlogPosition> position;
  std::string unknown;
  /// When `position` is empty: what was read before the trouble. The truth contains it; it is never the position.
  std::optional<BinlogPosition> at_least;
  std::optional<PurgedLog> purged;
  std::string purged_unknown;
};

struct ReadOptions {
  std::string base;    ///< log_bin_basename, if known; see find_log_files
  bool moved = false;  ///< the directory is a copy, or was moved from where its server had it
  Deadline deadline = Deadline::never();
  std::stop_token stop;
};

/// Never fails, never writes. Files that rotate or vanish while it reads are followed (a few attempts).
BinlogReading read_binlog_position(const std::string& data_dir, const ReadOptions& options = {});

/// What a replica has received into its relay logs: whole transactions only.
struct Received {
  Flavour flavour = Flavour::mysql;
  /// MySQL: as Retrieved_Gtid_Set after a restart. MariaDB: the newest of each domain and server in the relay logs that
  /// are still there; a domain that is not named may have been received and applied before.
  Gtids gtids;
  std::string text;  ///< of it; MariaDB: the last of each server in each domain
  std::string tail;  ///< what was cut off; "" = nothing
};
/// Reads every relay log file there is, of every connection. Nothing received where there are no relay logs, proven;
/// unknown where one of them cannot be read.
stored::Known<Received> read_received(const std::string& data_dir, const ReadOptions& options = {});

}  // namespace holdfast::engine::binlog

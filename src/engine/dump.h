// Logical dumps: one stream per cluster, taken from one member at one point of its history.
//
// Fail closed: the stream ends (read() gives 0) only after the dump program ended with status 0 and its end marker has
// passed by. Anything else is an error, so whoever stores the stream has nothing to commit.
#pragma once

#include <chrono>
#include <map>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"
#include "cluster/types.h"
#include "engine/checksum_results.h"
#include "engine/dump_scan.h"
#include "sql/rows.h"

namespace holdfast::engine {

struct DumpRequest {
  cluster::Engine engine = cluster::Engine::mariadb;
  std::string member;  ///< name, for messages and the report
  bool is_replica = false;
  sql::Target target;
  /// The primary of a replica: it says what is not replicated. Empty when the target is it, or when it is not known.
  std::optional<sql::Target> primary;
  std::vector<sql::Target> nodes;         ///< Galera: the other members that answer
  bool all_nodes = true;                  ///< Galera: no other member is missing there
  std::chrono::seconds stall_limit{600};  ///< the program may be silent this long
  bool checksums = false;                 ///< of the tables, in the very snapshot of the dump
};

/// Something the dump does not carry, or not exactly: reported by the backup, in its sidecar and before a restore.
struct DumpNote {
  std::string id;      ///< stable, dotted: "unlogged.empty"
  std::string object;  ///< what it is about, for people; "" = the whole server
  std::string text;    ///< one sentence, names the object
};

/// What is known about a dump: the sidecar file says it.
struct DumpInfo {
  std::string server_version;
  std::string tool_version;
  std::string lineage;          ///< server uuid, system identifier/timeline, Galera uuid
  std::string position;         ///< GTID set, LSN, uuid:seqno: what the dump holds, no more and no less
  bool position_exact = false;  ///< false: it lies between position_from and position_to
  std::string position_from, position_to;
  std::string log_file;  ///< binary log coordinates of the dump; empty without a binary log
  uint64_t log_offset = 0;
  std::vector<std::string> remarks;  ///< "table a.b is MyISAM: not part of the consistent point"
  std::vector<DumpNote> notes;
  std::string settings;  ///< statements that set what the server's own settings say; a file beside the dump
  /// Tables whose rows no proof may count (foreign, filled by an extension, MERGE), and why.
  std::map<TableName, std::string> uncounted;
  DumpCounts counts;
  std::optional<ChecksumResults> checksums;  ///< when they were asked for and could be taken
};

/// Of every "engine.dump_incomplete".
inline constexpr const char* kDumpIncompleteHint =
    "no snapshot was made; look at the source server's log, then run it again";

class DumpStream {
 public:
  virtual ~DumpStream() = default;
  virtual Result<size_t> read(MutableByteSpan into) = 0;
  /// Complete once read() has given 0.
  virtual const DumpInfo& info() const = 0;
};

/// Connects, prepares, starts the dump program. `stop` ends it.
Result<std::unique_ptr<DumpStream>> open_dump(const DumpRequest& request, std::stop_token stop);

/// Where a dump stands in a snapshot: "mysqldump.sql" or "pgdumpall.sql".
std::string dump_file_name(cluster::Engine engine);
DumpFlavour dump_flavour(cluster::Engine engine);

// One per engine; open_dump() chooses.
Result<std::unique_ptr<DumpStream>> open_mariadb_dump(const DumpRequest& request, std::stop_token stop);
Result<std::unique_ptr<DumpStream>> open_mysql_dump(const DumpRequest& request, std::stop_token stop);
Result<std::unique_ptr<DumpStream>> open_postgres_dump(const DumpRequest& request, std::stop_token stop);

}  // namespace holdfast::engine

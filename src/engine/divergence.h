// What one member alone has, as files a person can read and replay:
//
//   <member>.json      the transactions: id, time, class, tables, verbs, size, file, offset
//   <member>.sql       MariaDB, MySQL: these transactions and no others as the server's own mariadb-binlog or
//   mysqlbinlog
//                      tells them: rows as base64, decoded in comments. MySQL's keep their GTIDs: replayed on the
//                      leader they are no longer errant, and a second replay does nothing. MariaDB's get new ones where
//                      they are replayed: their own would be out of order there.
//   <member>.wal.json  PostgreSQL: the records of the log after the fork, and the commits with their time
//   <member>.wal/      PostgreSQL: copies of the segments they are in, and the history files
//
// Files 0600, folders 0700: they hold data.
#pragma once

#include <string>

#include "engine/errant.h"

namespace holdfast::engine {

struct DivergenceOptions {
  std::string member, cluster;
  std::string against;
  size_t most = 1'000'000;          ///< transactions listed
  size_t most_records = 1'000'000;  ///< PostgreSQL: records listed
};

struct DivergenceFiles {
  cluster::Errant errant;
  std::vector<std::string> files;  ///< names in `folder`
  std::string not_written;         ///< why there is no SQL, or not of all; "" = there is
};

/// Writes them into `folder`, which exists. `search.deadline` bounds the whole. Reads the member's directory only.
Result<DivergenceFiles> write_divergence(const ErrantSearch& search, const DivergenceOptions& options,
                                         const std::string& folder);

namespace detail {
/// "2026-11-21T14:56:21.000123Z"
std::string time_text(double seconds);
Status write_wal_divergence(const ErrantSearch& search, const ErrantList& list, const DivergenceOptions& options,
                            const std::string& folder, DivergenceFiles& written);
}  // namespace detail

}  // namespace holdfast::engine

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

#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "base/deadline.h"
#include "engine/errant_log.h"
#include "sys/user.h"

namespace holdfast::engine {

struct DivergenceOptions {
  cluster::Engine engine = cluster::Engine::mariadb;
  std::string member, cluster;
  int postgres_major = 0;  ///< of its server, for pg_waldump; 0 = not known
  Deadline deadline = Deadline::never();
  std::stop_token stop;
};

struct DivergenceFiles {
  cluster::Errant errant;
  std::vector<std::string> files;  ///< names in `folder`
  std::string not_written;         ///< why there is no SQL, or not of all; "" = there is
};

/// Name of the folder in `folder` where what was read of the member's log (ErrantLogFiles) is to be put.
std::string divergence_log(const DivergenceOptions& options);

/// Writes them into `folder`, which exists, from what is in divergence_log() there.
Result<DivergenceFiles> write_divergence(const ErrantLog& log, const DivergenceOptions& options,
                                         const std::string& folder);

namespace detail {
/// "2026-11-21T14:56:21.000123Z"
std::string time_text(double seconds);
/// The programs of the servers that read a log: it may be made to break them, so as root they run as a user that owns
/// nothing. nullopt for who is not root.
std::optional<sys::Identity> log_reader();
Status write_wal_divergence(const ErrantLog& log, const DivergenceOptions& options, const std::string& folder,
                            DivergenceFiles& written);
}  // namespace detail

}  // namespace holdfast::engine

// Pages that a member of a PostgreSQL cluster must have and has not: its file ends before them or is gone, or they are
// nothing but zeros. Such a page has no checksum that could be wrong, and a scan of the table passes over it; but what
// another member has, both must have.
#pragma once

#include <memory>
#include <mutex>
#include <optional>
#include <stop_token>
#include <string>
#include <utility>
#include <vector>

#include "base/deadline.h"
#include "base/result.h"
#include "cluster/facts.h"
#include "sql/kept_postgres.h"

namespace holdfast::engine::postgres {

/// "page 50 of base/5/16384": of each file that ends too early, or run of empty pages, the first one that is missing.
/// Nullopt where there may be some, and the standby does not get level with the primary for as long as is needed to
/// tell.
struct MissingPages {
  std::optional<std::vector<std::string>> of_primary, of_standby;
  uint64_t bytes_of_primary = 0, bytes_of_standby = 0;  ///< of all files of tables and indexes, seen on the way
};

/// Of every file that is called after a number: all forks of tables and indexes, and what others put among them.
struct FileSizes {
  std::vector<std::pair<std::string, uint64_t>> bytes;  ///< by "base/5/16384"
  uint64_t block = 8192;                                ///< of the server, in bytes
};

/// The sizes of a server's table files, asked for once by whoever needs them first. Thread-safe.
class TableFiles {
 public:
  TableFiles(sql::Target target, sql::KeptPostgres* kept) : target_(std::move(target)), kept_(kept) {}
  Result<FileSizes> get(Deadline deadline, const std::stop_token& stop);

 private:
  const sql::Target target_;
  sql::KeptPostgres* const kept_;
  std::once_flag once_;
  Result<FileSizes> files_;
};

/// A server, and the empty pages that its agent has seen.
struct Compared {
  sql::Target target;
  std::vector<cluster::PageRun> empty;
  std::shared_ptr<TableFiles> files;  ///< never null
};

/// Asks both servers for the sizes of all table files, some microseconds each; reads only. A file that is gone
/// from the primary as a whole is reported where its catalogue has a relation for it. Errors: "sql.error" where the
/// account may not look at files (pg_ls_dir, pg_stat_file, pg_read_binary_file).
///
/// For certain: the page of the other member is written, of a table that is logged, and was changed last at a place in
/// the log that both have passed; of empty pages, one that was on the disk by then (a checkpoint lies between, since
/// new pages are empty until their server writes them). And so again half a second later, for a file that is being cut
/// now.
Result<MissingPages> missing_pages(const Compared& primary, const Compared& standby, Deadline deadline,
                                   std::stop_token stop = {}, sql::KeptPostgres* kept = nullptr);

namespace detail {
/// Of the first 16 bytes of a page in hex: its LSN; 0 where it was never written, or is of no table that is logged.
uint64_t lsn_of_page(const std::string& hex);
/// "base/5/16384", "16384_fsm", "16384.1"; what others put there under a name that begins with a number is none.
bool is_table_file(std::string_view file);
}  // namespace detail

}  // namespace holdfast::engine::postgres

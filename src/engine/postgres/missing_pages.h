// Table files of a standby that end too early. A page that is not there has no checksum that could be wrong, and a scan
// of the table ends where its file ends; but what the primary has, and the standby has replayed, must be there.
#pragma once

#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "base/deadline.h"
#include "base/result.h"
#include "sql/rows.h"

namespace holdfast::engine::postgres {

/// "page 50 of base/5/16384": the first page of each file that is missing. Nullopt where files differ and the standby
/// does not get level with what the primary had when it was asked. Files that are missing as a whole are not told. Asks
/// both servers for the sizes of all table files, some microseconds each; reads only. Errors: "sql.error" where the
/// account may not look at files (pg_ls_dir, pg_stat_file, pg_read_binary_file).
///
/// For certain: the primary's page is written, of a table that is logged, and its LSN is not above what the standby had
/// replayed before its file was measured; and so again half a second later, for a file that is being cut right now.
Result<std::optional<std::vector<std::string>>> missing_pages(const sql::Target& primary, const sql::Target& standby,
                                                              Deadline deadline, std::stop_token stop = {});

namespace detail {
/// Of the first 16 bytes of a page in hex: its LSN; 0 where it was never written, or is of no table that is logged.
uint64_t lsn_of_page(const std::string& hex);
}  // namespace detail

}  // namespace holdfast::engine::postgres

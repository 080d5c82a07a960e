// Every page of a data directory against its own checksum, while the server runs on it or not. Nothing is written, no
// server is asked. What the page cache holds is taken as the file's content, as the server itself would.
//
// A page counts as bad only when there is no other explanation: a running server may be in the middle of writing it, so
// that a mismatch is read again from the disk, for most of a second, and must stay wrong and the same all the time. The
// scan goes on meanwhile. What cannot be judged is no damage: files that cannot be opened, vanish or shrink; encrypted
// or compressed pages; formats that are not known; pages that were allocated and never written.
//
// What a crash of the machine tore and recovery would mend (full-page images, doublewrite buffer) shows as bad until
// the server has started once.
#pragma once

#include <cstdint>
#include <stop_token>
#include <string>
#include <vector>

#include "base/deadline.h"
#include "base/result.h"
#include "cluster/types.h"

namespace holdfast::engine {

constexpr size_t kMaxBadPages = 64;

struct BadPage {
  std::string file;   ///< relative to the data directory
  uint64_t page = 0;  ///< index in that file; of a file that was cut, the first page that is missing
};

struct PageCheck {
  uint64_t files = 0, pages = 0;     ///< what was read and could be verified
  uint64_t bytes = 0, of_bytes = 0;  ///< read so far / to be read, of files that can be verified
  bool complete = false;             ///< false: the deadline, the stop or the kMaxBadPages-th bad page came first
  std::vector<BadPage> bad;          ///< at most kMaxBadPages
};

/// The pages of all table files under data_dir; files changed last come first. Reads only. PostgreSQL without data
/// checksums: complete, nothing checked; an unreadable pg_control is an error. Cost: reads all table files through the
/// page cache, one thread, about as fast as they come; with bad pages, up to a second more.
Result<PageCheck> check_pages(cluster::Engine engine, const std::string& data_dir, Deadline deadline,
                              std::stop_token stop = {});

/// Those of `pages` that are still bad (file there, page there or still missing, checksum wrong). Up to a second.
std::vector<BadPage> still_bad(cluster::Engine engine, const std::string& data_dir, const std::vector<BadPage>& pages);

}  // namespace holdfast::engine

// Every page of a data directory against its own checksum, while the server runs on it or not. Nothing is written, no
// server is asked. What the page cache holds is taken as the file's content, as the server itself would.
//
// A page counts as bad only when there is no other explanation: a running server may be in the middle of writing it, so
// that a mismatch is read again from the disk, for most of a second, and must stay wrong and the same all the time. The
// scan goes on meanwhile. What cannot be judged is no damage: files that cannot be opened, vanish or shrink; encrypted
// or compressed pages; formats that are not known; pages that were allocated and never written. InnoDB's files tell
// which pages of zeros those are, once a checkpoint has passed. Of PostgreSQL's tables they are listed: where a file
// was cut and has grown again since, what was lost looks like them, and only another member can tell them apart.
//
// What a crash of the machine tore and recovery would mend (full-page images, doublewrite buffer) shows as bad until
// the server has started once.
#pragma once

#include <cstdint>
#include <map>
#include <stop_token>
#include <string>
#include <vector>

#include "base/deadline.h"
#include "base/result.h"
#include "cluster/facts.h"

namespace holdfast::engine {

constexpr size_t kMaxBadPages = 64, kMaxEmptyRuns = 64;

struct BadPage {
  std::string file;   ///< relative to the data directory
  uint64_t page = 0;  ///< index in that file; of a file that was cut, the first page that is missing
};

struct PageCheck {
  uint64_t files = 0, pages = 0;     ///< what was read and could be verified
  uint64_t bytes = 0, of_bytes = 0;  ///< read so far / to be read, of files that can be verified
  bool complete = false;             ///< false: the deadline, the stop or the kMaxBadPages-th bad page came first
  std::vector<BadPage> bad;          ///< at most kMaxBadPages
  /// PostgreSQL: pages of nothing but zeros, the longest runs.
  std::vector<cluster::PageRun> empty;
  std::map<std::string, uint64_t> ends;  ///< PostgreSQL: bytes that each file of a table had when it was read
};

/// The pages of all table files under data_dir; files changed last come first. Reads only. Of PostgreSQL without data
/// checksums only empty pages are told; an unreadable pg_control is an error. Cost: reads all table files through the
/// page cache, one thread, about as fast as they come; with bad pages, up to a second more.
Result<PageCheck> check_pages(cluster::Engine engine, const std::string& data_dir, Deadline deadline,
                              std::stop_token stop = {});

/// Those of `pages` that are still bad (file there, page there or still missing, checksum wrong). Up to a second.
std::vector<BadPage> still_bad(cluster::Engine engine, const std::string& data_dir, const std::vector<BadPage>& pages);

/// The runs of `check` that begin or end with an empty page now, and the empty pages with which files have grown since:
/// at most 2 x kMaxEmptyRuns, the longest. Reads some pages of each file that has grown.
std::vector<cluster::PageRun> empty_now(cluster::Engine engine, const std::string& data_dir, const PageCheck& check);

}  // namespace holdfast::engine

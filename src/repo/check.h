// Looking for damage: everything a repository is made of, and how the parts refer to each other.
#pragma once

#include <functional>
#include <stop_token>
#include <string>
#include <string_view>

#include "repo/repository.h"

namespace holdfast::repo {

/// Which packs are read.
struct ReadSelection {
  enum class Kind { none, all, bucket, percent, size };
  Kind kind = Kind::none;
  unsigned bucket = 0,
           buckets = 0;  ///< part `bucket` (from 1) of `buckets`: by the first byte of the pack's id, as restic
  double percent = 0;    ///< of the packs, chosen at random
  uint64_t size = 0;     ///< bytes of packs, chosen at random
};
/// "2/5", "10%", "500M". "cli.value" (usage) for anything else.
Result<ReadSelection> parse_read_selection(std::string_view text);

struct CheckOptions {
  ReadSelection read;
  std::function<void(const Error&)> on_error;  ///< once per damage; one call at a time
  std::function<void(const std::string& id, const std::string& message)> on_hint;  ///< odd, but no damage; likewise
  std::function<void(const char* phase, uint64_t bytes)>
      on_phase;                                  ///< what comes next, and how many bytes it reads (0: unknown)
  std::function<void(uint64_t bytes)> on_bytes;  ///< bytes of packs read since the last call; from several threads
};

struct CheckReport {
  uint64_t errors = 0;
  uint64_t hints = 0;
  uint64_t snapshots = 0, indexes = 0, keys = 0, packs = 0, blobs = 0, trees = 0;
  uint64_t packs_read = 0, bytes_read = 0;
  uint64_t orphans = 0, orphan_bytes = 0;  ///< packs in no index: a prune removes them
};

/// Checks keys, locks, snapshots, index, packs against index and all trees; `read` adds the packs' content. The
/// repository must be opened and its index not loaded. Damage is reported through the options, not as a failure; fails
/// only when the store cannot be reached or `stop` was requested.
///
/// A shared lock is enough: nothing that a check looks at changes but by those who delete (they need an exclusive lock)
/// and by those who add. What is added is consistent at every moment as seen in the order used here: snapshots are
/// listed before the index is loaded, the index before packs are listed, and writers work the other way round.
Result<CheckReport> check_repository(Repository& repository, const CheckOptions& options, std::stop_token stop);

}  // namespace holdfast::repo

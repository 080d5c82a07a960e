// Walking everything that snapshots refer to.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <span>
#include <stop_token>

#include "repo/format/tree.h"
#include "repo/repository.h"

namespace holdfast::repo {

/// One bit for each entry of the loaded index; set from any thread.
class EntrySet {
 public:
  explicit EntrySet(size_t entries) : words_(new std::atomic<uint64_t>[entries / 64 + 1]()), size_(entries) {}
  /// True if the bit was not set before.
  bool insert(size_t entry) {
    const uint64_t bit = uint64_t{1} << entry % 64;
    return (words_[entry / 64].fetch_or(bit, std::memory_order_relaxed) & bit) == 0;
  }
  bool contains(size_t entry) const { return words_[entry / 64].load(std::memory_order_relaxed) >> entry % 64 & 1; }
  size_t size() const { return size_; }

 private:
  std::unique_ptr<std::atomic<uint64_t>[]> words_;
  size_t size_;
};

/// Loads each distinct tree at or below `roots` once and hands it, or the reason why it cannot be had, to `visit`,
/// which runs on several threads and may end the walk with an error. A tree that is in no index comes as
/// "repo.object.damaged". The index must be loaded. Memory: a bit per index entry and 4 bytes per tree waiting.
Status walk_trees(Repository& repository, std::span<const Id> roots,
                  const std::function<Status(const Id& id, const Result<Tree>& tree)>& visit,
                  const std::stop_token& stop);

}  // namespace holdfast::repo

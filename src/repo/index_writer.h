// Collects the packs a run wrote and turns them into index objects.
#pragma once

#include <chrono>
#include <span>
#include <string>
#include <vector>

#include "base/mutex.h"
#include "repo/repository.h"

namespace holdfast::repo {

/// Thread-safe. A pack is handed in only after it is durable in the store, so that no index ever names a pack that a
/// crash could take away.
class IndexWriter {
 public:
  explicit IndexWriter(Repository& repository) : repository_(repository) {}

  /// Records a pack; writes an index object when 50,000 blobs or ten minutes have gathered.
  Status add(const Id& pack, std::span<const PackedBlob> blobs);
  /// Marks of packs (packs_to_delete) that the next flush writes along.
  void add_marks(std::vector<MarkedPack> marks);
  /// Writes what is left.
  Status flush();
  /// Index objects written so far.
  std::vector<Id> written() const;

 private:
  static constexpr size_t kMaxBlobs = 50'000;
  static constexpr std::chrono::minutes kMaxAge{10};

  Status write(std::string packs, const std::vector<MarkedPack>& marks);

  Repository& repository_;
  mutable Mutex mutex_;
  std::string packs_ GUARDED_BY(mutex_);
  size_t blobs_ GUARDED_BY(mutex_) = 0;
  std::vector<MarkedPack> marks_ GUARDED_BY(mutex_);
  std::chrono::steady_clock::time_point first_ GUARDED_BY(mutex_);  // when packs_ got its first entry
  std::vector<Id> written_ GUARDED_BY(mutex_);
};

}  // namespace holdfast::repo

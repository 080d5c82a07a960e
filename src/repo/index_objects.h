// The index object by object, for those who check, rewrite or repair it.
#pragma once

#include <optional>
#include <span>
#include <vector>

#include "repo/format/index_file.h"
#include "repo/repository.h"

namespace holdfast::repo {

struct IndexObject {
  Id id;
  size_t blobs = 0;
  std::vector<uint32_t> packs;     ///< numbers in BlobIndex::packs()
  std::vector<MarkedPack> marked;  ///< its packs_to_delete
  std::optional<Error> error;      ///< it could not be read; whatever it named before the damage is loaded
};

/// Loads the repository's index (instead of Repository::load_index) and tells which object named which pack. Damaged
/// objects are reported by value; only a store that cannot be listed or reached is an error.
Result<std::vector<IndexObject>> load_index_objects(Repository& repository);

/// The blobs of each loaded pack, in the order they lie in it: 4 bytes per blob beside the index.
class PackTable {
 public:
  explicit PackTable(const BlobIndex& index);
  /// Positions in BlobIndex::entries() of the pack's blobs, by offset.
  std::span<const uint32_t> positions(uint32_t pack) const {
    return {order_.data() + first_[pack], first_[pack + 1] - first_[pack]};
  }
  std::vector<PackedBlob> blobs(uint32_t pack) const;
  size_t packs() const { return first_.size() - 1; }

 private:
  const BlobIndex& index_;
  std::vector<uint32_t> order_;
  std::vector<size_t> first_;  // by pack number, one more at the end
};

}  // namespace holdfast::repo

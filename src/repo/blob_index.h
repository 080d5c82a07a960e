// Which blobs a repository holds and where: 48 bytes a blob, sorted by id, plus 32 bytes a pack.
#pragma once

#include <functional>
#include <optional>
#include <span>
#include <unordered_map>
#include <vector>

#include "base/mutex.h"
#include "repo/format/index_file.h"

namespace holdfast::repo {

/// Where a known blob lies.
struct BlobLocation {
  Id pack;
  PackedBlob blob;
};

/// Filled once by load, then read by any number of threads; blobs that this process adds later go to a small hash table
/// beside it.
class BlobIndex {
 public:
  struct Entry {
    Id id;
    uint32_t pack_and_type;  ///< pack number << 1 | type
    uint32_t offset;
    uint32_t length;
    uint32_t raw_length;

    BlobType type() const { return static_cast<BlobType>(pack_and_type & 1); }
    uint32_t pack() const { return pack_and_type >> 1; }
  };
  static_assert(sizeof(Entry) == 48);

  BlobIndex() = default;
  BlobIndex(const BlobIndex&) = delete;
  BlobIndex& operator=(const BlobIndex&) = delete;

  /// Adds the blobs of one pack; thread-safe, before finish_loading(). Returns the pack's number, an index into
  /// packs(), which stays the same when several index objects name the pack.
  uint32_t load_pack(const Id& pack, std::span<const PackedBlob> blobs);
  /// Sorts; from here on the loaded part is read-only.
  void finish_loading();

  /// Any copy of the blob, whether loaded or added since. Thread-safe after finish_loading().
  std::optional<BlobLocation> find(BlobType type, const Id& id) const;
  /// All copies: what find() gives first, then those in other packs.
  std::vector<BlobLocation> copies(BlobType type, const Id& id) const;
  bool contains(BlobType type, const Id& id) const;

  /// Claims a blob for storing: true for the first caller if the blob is not known yet. The claim counts as known for
  /// contains(), so that two workers do not store the same bytes twice.
  bool claim(BlobType type, const Id& id);
  /// Records where a pack that this process wrote keeps its blobs.
  void add_pack(const Id& pack, std::span<const PackedBlob> blobs);

  /// The loaded blobs in id order; copies of one blob stand side by side.
  std::span<const Entry> entries() const {
    return {reinterpret_cast<const Entry*>(entries_.data()), entries_.size() / sizeof(Entry)};
  }
  const std::vector<Id>& packs() const { return packs_; }
  /// Index of the first entry of that id and type in entries(), or nothing.
  std::optional<size_t> position(BlobType type, const Id& id) const;

  /// Bytes held for the loaded part.
  size_t memory() const { return entries_.capacity() + packs_.capacity() * sizeof(Id) + buckets_.capacity() * 4; }

 private:
  struct Key {
    Id id;
    BlobType type;
    bool operator==(const Key&) const = default;
  };
  struct KeyHash {
    size_t operator()(const Key& key) const { return key.id.prefix() ^ static_cast<size_t>(key.type); }
  };

  Mutex load_mutex_;
  Buffer entries_;  // of Entry; grows by realloc, which moves pages instead of holding two copies
  std::vector<Id> packs_;
  std::unordered_map<Id, uint32_t> pack_numbers_;  // while loading
  bool repeated_packs_ = false;
  std::vector<uint32_t> buckets_;  // first entry whose id starts with these bits
  unsigned bucket_bits_ = 0;

  mutable Mutex added_mutex_;
  std::unordered_map<Key, std::optional<BlobLocation>, KeyHash> added_
      GUARDED_BY(added_mutex_);  // nullopt: claimed, not yet in a finished pack
};

}  // namespace holdfast::repo

// New packs out of blobs that are sealed already: what repacking needs, with no compression and no encryption done
// anew.
#pragma once

#include <span>

#include "repo/blob_proof.h"
#include "repo/index_writer.h"
#include "repo/pack_builder.h"
#include "repo/repository.h"

namespace holdfast::repo {

/// One per thread. A pack goes to the store when it is full, then into the index writer.
class PackWriter {
 public:
  PackWriter(Repository& repository, IndexWriter& index, size_t pack_size);

  /// Takes over the stored bytes of a blob as they are; the caller has proved them.
  Status add_sealed(const PackedBlob& blob, ByteSpan sealed);
  /// Compresses (by the repository's version) and seals.
  Status add_plain(BlobType type, const Id& id, ByteSpan plain);
  /// Takes over what another writer has not stored yet.
  Status adopt(PackWriter& other);
  /// Stores what is left.
  Status finish();

  uint64_t bytes_stored() const { return bytes_stored_; }
  uint64_t packs_stored() const { return packs_stored_; }

 private:
  Status store_if_full(OpenPack& pack);
  Status store(OpenPack& pack);

  Repository& repository_;
  IndexWriter& index_;
  const size_t pack_size_;
  crypto::Sealer sealer_;
  BlobProof proof_;
  codec::ZstdCompressor data_, tree_;
  OpenPack open_[2];  // by BlobType
  uint64_t bytes_stored_ = 0, packs_stored_ = 0;
};

}  // namespace holdfast::repo

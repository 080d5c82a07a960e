// Reading a blob back before anybody relies on it: what was compressed and sealed is opened, decoded and compared with
// the plain bytes it was made from, while both are still in the processor's cache.
#pragma once

#include "repo/format/blob.h"
#include "repo/repository.h"

namespace holdfast::repo {

/// One per thread.
class BlobProof {
 public:
  explicit BlobProof(const crypto::SealKey& key) : codec_(key) {}

  /// "repo.blob.unreadable" (bug) if `sealed`, which is what `blob` says, does not open to `plain`.
  Status check(const PackedBlob& blob, ByteSpan sealed, ByteSpan plain);

 private:
  Codec codec_;
  Buffer opened_;
};

}  // namespace holdfast::repo

// Gathers sealed blobs in one block of memory until they make a pack.
#pragma once

#include <functional>
#include <vector>

#include "codec/zstd.h"
#include "repo/format/pack_header.h"

namespace holdfast::repo {

enum class Compression { automatic, off, max };

/// The parts of one pack in the making: sealed blobs one after the other, no header yet.
struct OpenPack {
  Buffer bytes;
  std::vector<PackedBlob> blobs;

  bool empty() const { return blobs.empty(); }
};

class BlobProof;

/// How a blob gets into a pack.
struct Encoder {
  codec::ZstdCompressor* compressor = nullptr;  ///< none: it is stored as it is
  crypto::Sealer& sealer;
  BlobProof* proof = nullptr;  ///< reads it back; none: what was written is trusted
  /// For tests: what a broken encoder would leave.
  const std::function<void(const PackedBlob&, MutableByteSpan sealed)>* tamper = nullptr;
};

/// Compresses (where that saves bytes) and seals `plain` at the end of the pack. One that cannot be read back is
/// written again without compression; if that cannot be read either, the pack is as before and the error
/// "repo.blob.unreadable".
Status append_blob(OpenPack& pack, BlobType type, const Id& id, ByteSpan plain, const Encoder& encoder);

/// Moves all blobs of `from` behind those of `to`; they stay sealed as they are.
void append_pack(OpenPack& to, const OpenPack& from);

/// Adds the header: the pack is complete, its name is the SHA-256 of `pack.bytes`.
void close_pack(OpenPack& pack, crypto::Sealer& sealer);

}  // namespace holdfast::repo

// Gathers sealed blobs in one block of memory until they make a pack.
#pragma once

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

/// Compresses (where that saves bytes) and seals `plain` at the end of the pack. `compressor` null stores it as it is.
Status append_blob(OpenPack& pack, BlobType type, const Id& id, ByteSpan plain, codec::ZstdCompressor* compressor,
                   crypto::Sealer& sealer);

/// Moves all blobs of `from` behind those of `to`; they stay sealed as they are.
void append_pack(OpenPack& to, const OpenPack& from);

/// Adds the header: the pack is complete, its name is the SHA-256 of `pack.bytes`.
void close_pack(OpenPack& pack, crypto::Sealer& sealer);

}  // namespace holdfast::repo

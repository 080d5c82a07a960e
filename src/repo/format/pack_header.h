// The header at the end of a pack: which blobs it holds, in order, and how long each is.
#pragma once

#include <span>
#include <vector>

#include "base/result.h"
#include "repo/format/blob.h"

namespace holdfast::repo {

/// Plaintext of the header for blobs that lie one after the other from offset 0.
Buffer encode_pack_header(std::span<const PackedBlob> blobs);

/// Blobs named by a header's plaintext, with offsets summed up. Unknown types, cut-off entries and sizes beyond a pack
/// are "repo.pack.header" (verification_failed).
Result<std::vector<PackedBlob>> decode_pack_header(ByteSpan header);

/// Bytes of the whole pack with these blobs: blobs, sealed header, length field.
uint64_t pack_size(std::span<const PackedBlob> blobs);

/// Stored length of the sealed header, from the last 4 bytes of a pack; fails if it cannot be right for `size` bytes.
Result<uint32_t> pack_header_length(ByteSpan last_four, uint64_t size);

}  // namespace holdfast::repo

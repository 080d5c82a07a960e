#include "repo/pack_builder.h"

#include <cstring>

namespace holdfast::repo {

Status append_blob(OpenPack& pack, BlobType type, const Id& id, ByteSpan plain, codec::ZstdCompressor* compressor,
                   crypto::Sealer& sealer) {
  const size_t offset = pack.bytes.size();
  const size_t room =
      compressor && !plain.empty() ? std::max(plain.size(), codec::ZstdCompressor::bound(plain.size())) : plain.size();
  pack.bytes.resize(offset + room + crypto::kSealOverhead);
  uint8_t* text = pack.bytes.data() + offset + crypto::kNonceSize;
  size_t stored = plain.size();
  bool compressed = false;
  if (compressor && !plain.empty()) {
    const size_t size = TRY(compressor->compress(plain, {text, room}));
    compressed = size < plain.size();
    if (compressed) stored = size;
  }
  if (!compressed && !plain.empty()) std::memcpy(text, plain.data(), plain.size());
  pack.bytes.resize(offset + stored + crypto::kSealOverhead);
  sealer.seal_in_place({pack.bytes.data() + offset, stored + crypto::kSealOverhead});
  pack.blobs.push_back({id, type, static_cast<uint32_t>(offset), static_cast<uint32_t>(stored + crypto::kSealOverhead),
                        compressed ? static_cast<uint32_t>(plain.size()) : 0});
  return {};
}

void append_pack(OpenPack& to, const OpenPack& from) {
  const auto base = static_cast<uint32_t>(to.bytes.size());
  to.bytes.append(from.bytes.span());
  for (PackedBlob blob : from.blobs) {
    blob.offset += base;
    to.blobs.push_back(blob);
  }
}

void close_pack(OpenPack& pack, crypto::Sealer& sealer) {
  const Buffer header = sealer.seal(encode_pack_header(pack.blobs));
  pack.bytes.append(header.span());
  const auto length = static_cast<uint32_t>(header.size());
  uint8_t field[4];
  std::memcpy(field, &length, 4);
  pack.bytes.append(ByteSpan(field, 4));
}

}  // namespace holdfast::repo

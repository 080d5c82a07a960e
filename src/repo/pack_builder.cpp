#include "repo/pack_builder.h"

#include <cstring>

#include "base/log.h"
#include "repo/blob_proof.h"

namespace holdfast::repo {

namespace {

Status append_once(OpenPack& pack, BlobType type, const Id& id, ByteSpan plain, codec::ZstdCompressor* compressor,
                   const Encoder& encoder) {
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
  const MutableByteSpan sealed{pack.bytes.data() + offset, stored + crypto::kSealOverhead};
  encoder.sealer.seal_in_place(sealed);
  const PackedBlob blob{id, type, static_cast<uint32_t>(offset), static_cast<uint32_t>(sealed.size()),
                        compressed ? static_cast<uint32_t>(plain.size()) : 0};
  if (encoder.tamper && *encoder.tamper) (*encoder.tamper)(blob, sealed);
  if (encoder.proof) {
    if (auto proved = encoder.proof->check(blob, sealed, plain); !proved) {
      pack.bytes.resize(offset);
      return proved;
    }
  }
  pack.blobs.push_back(blob);
  return {};
}

}  // namespace

Status append_blob(OpenPack& pack, BlobType type, const Id& id, ByteSpan plain, const Encoder& encoder) {
  Status done = append_once(pack, type, id, plain, encoder.compressor, encoder);
  if (done || !encoder.compressor || done.error().id != "repo.blob.unreadable") return done;
  log(LogLevel::warn, "{}; it is stored without compression", done.error().message);
  return append_once(pack, type, id, plain, nullptr, encoder);
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

#include "repo/format/pack_header.h"

#include <fmt/format.h>

#include <cstring>

namespace holdfast::repo {
namespace {

constexpr size_t kPlainEntry = 1 + 4 + 32;
constexpr size_t kCompressedEntry = 1 + 4 + 4 + 32;
constexpr uint32_t kMaxHeader = 16 * 1024 * 1024;

// Types as stored: the blob's type, plus 2 when it is compressed.
constexpr uint8_t kCompressedBit = 2;

void put_le32(uint8_t* to, uint32_t value) {
  std::memcpy(to, &value, 4);
}
uint32_t get_le32(const uint8_t* from) {
  uint32_t value;
  std::memcpy(&value, from, 4);
  return value;
}
static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__);

std::unexpected<Error> bad(std::string what) {
  return fail(ErrorClass::verification_failed, "repo.pack.header", "pack header: " + what,
              "holdfast check --read-data -r REPO");
}

}  // namespace

Buffer encode_pack_header(std::span<const PackedBlob> blobs) {
  Buffer header;
  header.reserve(blobs.size() * kCompressedEntry);
  for (const auto& blob : blobs) {
    uint8_t entry[kCompressedEntry];
    size_t at = 1;
    entry[0] = static_cast<uint8_t>(blob.type);
    put_le32(entry + at, blob.length);
    at += 4;
    if (blob.compressed()) {
      entry[0] |= kCompressedBit;
      put_le32(entry + at, blob.raw_length);
      at += 4;
    }
    std::memcpy(entry + at, blob.id.bytes.data(), 32);
    header.append(ByteSpan(entry, at + 32));
  }
  return header;
}

Result<std::vector<PackedBlob>> decode_pack_header(ByteSpan header) {
  std::vector<PackedBlob> blobs;
  blobs.reserve(header.size() / kPlainEntry);
  uint64_t offset = 0;
  while (!header.empty()) {
    const uint8_t kind = header[0];
    if (kind > 3) return bad(fmt::format("unknown blob type {}", kind));
    const bool compressed = kind & kCompressedBit;
    const size_t size = compressed ? kCompressedEntry : kPlainEntry;
    if (header.size() < size) return bad("an entry is cut off");
    PackedBlob blob;
    blob.type = static_cast<BlobType>(kind & 1);
    blob.offset = static_cast<uint32_t>(offset);
    blob.length = get_le32(header.data() + 1);
    if (compressed) {
      blob.raw_length = get_le32(header.data() + 5);
      if (blob.raw_length == 0) return bad("a compressed blob of no bytes");
    }
    if (blob.length < crypto::kSealOverhead) return bad("a blob shorter than its seal");
    std::memcpy(blob.id.bytes.data(), header.data() + size - 32, 32);
    offset += blob.length;
    if (offset > UINT32_MAX) return bad("blobs beyond 4 GiB");
    blobs.push_back(blob);
    header = header.subspan(size);
  }
  return blobs;
}

uint64_t pack_size(std::span<const PackedBlob> blobs) {
  uint64_t size = 4 + crypto::kSealOverhead;
  for (const auto& blob : blobs) size += blob.length + (blob.compressed() ? kCompressedEntry : kPlainEntry);
  return size;
}

Result<uint32_t> pack_header_length(ByteSpan last_four, uint64_t size) {
  if (last_four.size() != 4) return bad("no length field");
  const uint32_t length = get_le32(last_four.data());
  if (length < crypto::kSealOverhead || length > kMaxHeader + crypto::kSealOverhead || uint64_t{length} + 4 > size) {
    return bad(fmt::format("length {} cannot be right for a pack of {} bytes", length, size));
  }
  return length;
}

}  // namespace holdfast::repo

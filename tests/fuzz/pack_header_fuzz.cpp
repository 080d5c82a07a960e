#include <cstdlib>
#include <cstring>

#include "repo/format/pack_header.h"

// A header that is taken must come out byte for byte when written again, and never name bytes outside a pack.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace holdfast;
  const auto blobs = repo::decode_pack_header(ByteSpan(data, size));
  if (!blobs) return 0;
  const Buffer again = repo::encode_pack_header(*blobs);
  if (again.size() != size || (size > 0 && std::memcmp(again.data(), data, size) != 0)) std::abort();
  uint64_t end = 0;
  for (const auto& blob : *blobs) {
    if (blob.offset != end) std::abort();
    end += blob.length;
  }
  return 0;
}

#include <cstdlib>

#include "codec/zstd.h"

// A frame never yields more than the limit, whatever its header claims.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace holdfast;
  constexpr size_t kLimit = 1 << 20;
  static codec::ZstdDecompressor decompressor;
  const auto plain = decompressor.decompress(ByteSpan(data, size), kLimit);
  if (plain && plain->size() > kLimit) std::abort();
  return 0;
}

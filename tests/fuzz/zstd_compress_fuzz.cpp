#include <zstd.h>

#include <cstdlib>
#include <cstring>
#include <vector>

#include "codec/zstd.h"

// What the compressor writes, libzstd itself reads back. Short inputs never reach our own match search, so the input is
// also a recipe for a long blob: three bytes each say how many bytes to copy from where, or which bytes follow.
namespace {

using namespace holdfast;

std::vector<uint8_t> cook(ByteSpan recipe) {
  constexpr size_t kMost = 1 << 20;
  std::vector<uint8_t> out(recipe.begin(), recipe.end());
  for (size_t round = 0; out.size() < kMost && round < 4096 && !recipe.empty(); ++round) {
    const auto at = [&](size_t i) { return size_t{recipe[(round * 3 + i) % recipe.size()]}; };
    const size_t length = at(0) % 4 == 3 ? at(0) * 64 : at(0);
    const size_t distance = 1 + (at(1) * 256 + at(2)) * (1 + round % 7) % out.size();
    for (size_t i = 0; i < length; ++i) out.push_back(out[out.size() - distance]);
    out.push_back(static_cast<uint8_t>(at(1) + round));
  }
  return out;
}

void round_trip(ByteSpan plain) {
  static codec::ZstdCompressor compressor(codec::ZstdProfile::stream);
  std::vector<uint8_t> frame(codec::ZstdCompressor::bound(plain.size())), back(plain.size());
  const auto size = compressor.compress(plain, frame);
  if (!size) std::abort();
  if (ZSTD_decompress(back.data(), back.size(), frame.data(), *size) != plain.size()) std::abort();
  if (!plain.empty() && std::memcmp(back.data(), plain.data(), plain.size()) != 0) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  round_trip({data, size});
  const std::vector<uint8_t> cooked = cook({data, size});
  // An exact allocation, so that a sanitizer sees every read beyond the end.
  std::vector<uint8_t> exact;
  exact.reserve(cooked.size());
  exact = cooked;
  round_trip(exact);
  return 0;
}

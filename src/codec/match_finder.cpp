#include "codec/match_finder.h"

#include <algorithm>

#include "codec/match_kernel.h"

namespace holdfast::codec {

struct MatchFinder::Tables : kernel::Scratch {};

MatchFinder::MatchFinder() : tables_(std::make_unique_for_overwrite<Tables>()) {}
MatchFinder::~MatchFinder() = default;

#if defined(__x86_64__)

bool MatchFinder::supported() {
  static const bool answer = __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                             __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512vbmi2") &&
                             __builtin_cpu_supports("bmi") && __builtin_cpu_supports("bmi2") &&
                             __builtin_cpu_supports("popcnt");  // lzcnt came with bmi
  return answer;
}

std::span<const Sequence> MatchFinder::find(ByteSpan input) {
  const size_t blocks = (input.size() + kBlock - 1) / kBlock;
  const size_t most = input.size() / kMinLength + 2 * blocks;
  if (capacity_ < most) {
    capacity_ = std::max(most, capacity_ * 2);
    sequences_ = std::make_unique_for_overwrite<Sequence[]>(capacity_);
  }
  const auto size = static_cast<uint32_t>(input.size());
  kernel::begin(*tables_, input.data(), size);
  size_t count = 0;
  for (uint32_t at = 0; at < size; at += kBlock) {
    count += kernel::find_block(*tables_, at, std::min<uint32_t>(size, at + kBlock), sequences_.get() + count);
  }
  return {sequences_.get(), count};
}

bool MatchFinder::restores(ByteSpan input, std::span<const Sequence> sequences) {
  return kernel::restores(input.data(), static_cast<uint32_t>(input.size()), sequences.data(), sequences.size());
}

#else

bool MatchFinder::supported() {
  return false;
}

std::span<const Sequence> MatchFinder::find(ByteSpan) {
  return {};
}

bool MatchFinder::restores(ByteSpan, std::span<const Sequence>) {
  return false;
}

#endif

}  // namespace holdfast::codec

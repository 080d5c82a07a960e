// Deterministic randomness for generated data: the same seed gives the same bytes on every machine.
#pragma once

#include <cstdint>
#include <string_view>

namespace holdfast::bench {

/// Mixes 64 bits well (the finisher of splitmix64).
inline uint64_t mix(uint64_t x) {
  x += 0x9e3779b97f4a7c15ull;
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ull;
  x = (x ^ (x >> 27)) * 0x94d049bb133111ebull;
  return x ^ (x >> 31);
}

/// A stream of random numbers that is cheap to start anywhere: Random(mix(seed, row)) for each row.
class Random {
 public:
  explicit Random(uint64_t seed) : state_(seed) {}
  Random(uint64_t a, uint64_t b) : state_(mix(a) ^ mix(b * 0xd6e8feb86659fd93ull + 1)) {}

  uint64_t next() { return mix(state_ += 0xa0761d6478bd642full); }
  /// Uniform in [0, bound), bound > 0.
  uint64_t below(uint64_t bound) {
    return static_cast<uint64_t>((static_cast<unsigned __int128>(next()) * bound) >> 64);
  }
  /// Uniform in [low, high].
  uint64_t between(uint64_t low, uint64_t high) { return low + below(high - low + 1); }
  /// Uniform in [0, 1).
  double unit() { return static_cast<double>(next() >> 11) * 0x1.0p-53; }
  bool chance(double probability) { return unit() < probability; }

 private:
  uint64_t state_;
};

}  // namespace holdfast::bench

#include "repo/format/chunker_lanes.h"

#include <utility>

#if defined(__x86_64__)
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wuninitialized"  // g++ 12 complains about its own header
#include <immintrin.h>
#pragma GCC diagnostic pop
#endif

namespace holdfast::repo {
namespace {

constexpr int kScale = 3;  // g = h * x^3

// The matrix that takes a byte to byte `plane` of linear(byte), in the layout of vgf2p8affineqb: the row for bit 0 of
// the result is the highest byte of the matrix.
template <typename Linear>
uint64_t matrix(Linear linear, size_t plane) {
  uint64_t rows = 0;
  for (unsigned from = 0; from < 8; ++from) {
    const auto image = static_cast<uint8_t>(linear(1u << from) >> 8 * plane);
    for (unsigned to = 0; to < 8; ++to) rows |= static_cast<uint64_t>(image >> to & 1) << (8 * (7 - to) + from);
  }
  return rows;
}

}  // namespace

ChunkerLanes::ChunkerLanes(const std::array<uint64_t, 256>& mod, const std::array<uint64_t, 256>& out) {
  // Shifted by kScale, what `mod` has above degree 53 falls into a plane 7 that nobody keeps.
  for (size_t j = 0; j < 7; ++j) {
    reduce_[j] = matrix([&](unsigned byte) { return mod[byte] << kScale; }, j);
    leave_[j] = matrix([&](unsigned byte) { return out[byte] << kScale; }, j);
  }
  for (size_t j = 0; j < 2; ++j) enter_[j] = matrix([](unsigned byte) { return uint64_t{byte} << kScale; }, j);
}

#if defined(__x86_64__)
namespace {

#define HOLDFAST_LANES __attribute__((target("avx512f,avx512bw,gfni")))
#define HOLDFAST_LANES_INLINE __attribute__((target("avx512f,avx512bw,gfni"), always_inline)) inline

// 64 columns of 64 bytes; column i holds byte i of each lane, lane 0 first.
struct alignas(64) Columns {
  __m512i at[64];
};

// Transposes 64 rows of 64 bytes; row k starts at rows + k * lane.
HOLDFAST_LANES void transpose(const uint8_t* rows, size_t lane, Columns& columns) {
  // First eight rows at a time: the bytes that they have in one column become neighbours. The 128-bit part q of
  // groups[m][g] holds columns 16q + 2m and 16q + 2m + 1 of rows 8g to 8g + 7.
  alignas(64) __m512i groups[8][8];
  for (size_t g = 0; g < 8; ++g) {
    __m512i bytes[8], words[8];
#pragma GCC unroll 4
    for (size_t k = 0; k < 8; k += 2) {
      const __m512i even = _mm512_loadu_si512(rows + (8 * g + k) * lane);
      const __m512i odd = _mm512_loadu_si512(rows + (8 * g + k + 1) * lane);
      bytes[k] = _mm512_unpacklo_epi8(even, odd);
      bytes[k + 1] = _mm512_unpackhi_epi8(even, odd);
    }
#pragma GCC unroll 2
    for (size_t k = 0; k < 8; k += 4) {
      words[k] = _mm512_unpacklo_epi16(bytes[k], bytes[k + 2]);
      words[k + 1] = _mm512_unpackhi_epi16(bytes[k], bytes[k + 2]);
      words[k + 2] = _mm512_unpacklo_epi16(bytes[k + 1], bytes[k + 3]);
      words[k + 3] = _mm512_unpackhi_epi16(bytes[k + 1], bytes[k + 3]);
    }
#pragma GCC unroll 4
    for (size_t k = 0; k < 4; ++k) {
      groups[2 * k][g] = _mm512_unpacklo_epi32(words[k], words[k + 4]);
      groups[2 * k + 1][g] = _mm512_unpackhi_epi32(words[k], words[k + 4]);
    }
  }
  // Then the eight groups of rows that belong to a column are put behind each other.
  for (size_t m = 0; m < 8; ++m) {
    const __m512i* group = groups[m];
#pragma GCC unroll 2
    for (size_t odd = 0; odd < 2; ++odd) {
      __m512i pairs[4];
#pragma GCC unroll 4
      for (size_t k = 0; k < 4; ++k) {
        pairs[k] = odd ? _mm512_unpackhi_epi64(group[2 * k], group[2 * k + 1])
                       : _mm512_unpacklo_epi64(group[2 * k], group[2 * k + 1]);
      }
      const __m512i low0 = _mm512_shuffle_i64x2(pairs[0], pairs[1], 0x44);
      const __m512i high0 = _mm512_shuffle_i64x2(pairs[0], pairs[1], 0xee);
      const __m512i low1 = _mm512_shuffle_i64x2(pairs[2], pairs[3], 0x44);
      const __m512i high1 = _mm512_shuffle_i64x2(pairs[2], pairs[3], 0xee);
      __m512i* to = columns.at + 2 * m + odd;
      to[0] = _mm512_shuffle_i64x2(low0, low1, 0x88);
      to[16] = _mm512_shuffle_i64x2(low0, low1, 0xdd);
      to[32] = _mm512_shuffle_i64x2(high0, high1, 0x88);
      to[48] = _mm512_shuffle_i64x2(high0, high1, 0xdd);
    }
  }
}

HOLDFAST_LANES_INLINE __m512i times(uint64_t matrix, __m512i bytes) {
  return _mm512_gf2p8affine_epi64_epi8(bytes, _mm512_set1_epi64(static_cast<long long>(matrix)), 0);
}

HOLDFAST_LANES_INLINE __m512i sum(__m512i a, __m512i b, __m512i c) {
  return _mm512_ternarylogic_epi64(a, b, c, 0x96);
}

}  // namespace

bool ChunkerLanes::supported() {
  static const bool supported = [] {
    __builtin_cpu_init();
    // The test for AVX-512 includes that the system saves its registers.
    return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("gfni");
  }();
  return supported;
}

HOLDFAST_LANES size_t ChunkerLanes::scan(const uint8_t* data, size_t from, size_t lane) const {
  // Local copies: a store through a pointer cannot change them, so they stay in registers.
  const std::array<uint64_t, 7> reduce = reduce_, leave = leave_;
  const std::array<uint64_t, 2> enter = enter_;
  // Length n is tested after byte n - 1, and the window before that byte is needed first.
  const uint8_t* rows = data + from - 1 - kUnit;
  Columns columns[2];
  Columns* old = &columns[0];
  Columns* fresh = &columns[1];
  __m512i p0{}, p1{}, p2{}, p3{}, p4{}, p5{}, p6{};

  transpose(rows, lane, *fresh);
  rows += kUnit;
  for (size_t i = 0; i < kUnit; ++i) {  // the window fills, nothing leaves it
    _mm_prefetch(rows + i * lane + kUnit - 1, _MM_HINT_T0);
    const __m512i in = fresh->at[i], top = p6;
    p6 = _mm512_xor_si512(p5, times(reduce[6], top));
    p5 = _mm512_xor_si512(p4, times(reduce[5], top));
    p4 = _mm512_xor_si512(p3, times(reduce[4], top));
    p3 = _mm512_xor_si512(p2, times(reduce[3], top));
    p2 = _mm512_xor_si512(p1, times(reduce[2], top));
    p1 = sum(p0, times(reduce[1], top), times(enter[1], in));
    p0 = _mm512_xor_si512(times(reduce[0], top), times(enter[0], in));
  }

  size_t first = SIZE_MAX;
  uint64_t wanted = ~uint64_t{0};  // lanes that can hold a cut before the first one known
  for (size_t done = 0; done < lane; done += kUnit, rows += kUnit) {
    std::swap(old, fresh);
    transpose(rows, lane, *fresh);
    // Next come the rows to the right or, for the caller's next call, the 64 lanes behind these.
    const uint8_t* next = (done + kUnit < lane ? rows + kUnit : rows - done + (kLanes * lane - kUnit)) + kUnit - 1;
#pragma GCC unroll 4
    for (size_t i = 0; i < kUnit; ++i) {
      _mm_prefetch(next + i * lane, _MM_HINT_T0);
      const __m512i in = fresh->at[i], out = old->at[i], top = p6;
      p6 = sum(p5, times(reduce[6], top), times(leave[6], out));
      p5 = sum(p4, times(reduce[5], top), times(leave[5], out));
      p4 = sum(p3, times(reduce[4], top), times(leave[4], out));
      p3 = sum(p2, times(reduce[3], top), times(leave[3], out));
      p2 = sum(p1, times(reduce[2], top), times(leave[2], out));
      p1 = _mm512_xor_si512(sum(p0, times(reduce[1], top), times(leave[1], out)), times(enter[1], in));
      p0 = sum(times(reduce[0], top), times(leave[0], out), times(enter[0], in));
      // The 20 low bits of h are bits 3 to 22 of g; below them g has zeros. Adding plane 2 to itself drops its bit 7.
      const __m512i low = _mm512_ternarylogic_epi64(p0, p1, _mm512_add_epi8(p2, p2), 0xfe);
      if (const uint64_t hits = _mm512_testn_epi8_mask(low, low) & wanted; hits != 0) [[unlikely]] {
        const auto hit = static_cast<size_t>(__builtin_ctzll(hits));
        first = from + hit * lane + done + i;
        wanted = (uint64_t{1} << hit) - 1;
        if (wanted == 0) return first;
      }
    }
  }
  return first;
}

#else

bool ChunkerLanes::supported() {
  return false;
}
size_t ChunkerLanes::scan(const uint8_t*, size_t, size_t) const {
  __builtin_unreachable();
}

#endif

}  // namespace holdfast::repo

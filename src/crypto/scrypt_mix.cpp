// Every step of a lane's mixing needs the one before it, so a processor that works on one lane mostly waits: for the
// result of the last addition, or for memory. Up to three lanes per thread therefore go step by step together; on
// Zen 4, three take 1.7 times as long as one, and a fourth no longer fits into the registers.
//
// The kernel is plain vector C++ compiled twice. SSE2 is what every x86-64 has. With AVX-512 the compiler makes one
// instruction (vpternlogd) of the two xors after a shifted addition, which shortens the chain of waiting by a quarter.
// The obvious rotation (vprold) would have fewer instructions and a longer wait on Zen 4. Two or four lanes side by
// side in 256- or 512-bit registers were tried and are no faster: the second half, which reads at random, waits for
// memory.
#include "crypto/scrypt_mix.h"

#include <openssl/crypto.h>
#include <sys/mman.h>

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <cstring>
#include <thread>
#include <utility>
#include <vector>

namespace holdfast::crypto {

#if defined(__x86_64__)
namespace {

// Inlined into the functions at the end of the kernel, which say for which processor it is compiled.
#define HOLDFAST_KERNEL __attribute__((always_inline)) inline

constexpr uint64_t kMostLanes = 3;
// Lanes beyond one per thread are worth their memory up to here, in all threads together.
constexpr uint64_t kInterleaveMemory = 256 << 20;

using Words = uint32_t __attribute__((vector_size(16)));

// A 64-byte Salsa20 block as four vectors that hold its diagonals: {0,5,10,15} {4,9,14,3} {8,13,2,7} {12,1,6,11}. In
// this order a column round works on whole vectors, and turning three of them turns columns into rows.
struct Diagonals {
  Words v[4];
};
constexpr int kDiagonal[16] = {0, 5, 10, 15, 4, 9, 14, 3, 8, 13, 2, 7, 12, 1, 6, 11};

// The same diagonal of L lanes.
template <int L>
struct Row {
  Words lane[L];
};

template <int L>
HOLDFAST_KERNEL void rotate_add(Row<L>& target, const Row<L>& a, const Row<L>& b, int bits) {
#pragma GCC unroll 3
  for (int l = 0; l < L; ++l) {
    const Words sum = a.lane[l] + b.lane[l];
    target.lane[l] = (target.lane[l] ^ (sum << bits)) ^ (sum >> (32 - bits));
  }
}

// Word i of each lane comes from word (i + By) % 4.
template <int By, int L>
HOLDFAST_KERNEL void turn(Row<L>& row) {
#pragma GCC unroll 3
  for (int l = 0; l < L; ++l) {
    row.lane[l] = __builtin_shufflevector(row.lane[l], row.lane[l], By, (By + 1) % 4, (By + 2) % 4, (By + 3) % 4);
  }
}

template <int L>
HOLDFAST_KERNEL void salsa20_8(Row<L>* block) {
  Row<L> a = block[0], b = block[1], c = block[2], d = block[3];
#pragma GCC unroll 1
  for (int i = 0; i < 4; ++i) {
    rotate_add(b, a, d, 7);
    rotate_add(c, b, a, 9);
    rotate_add(d, c, b, 13);
    rotate_add(a, d, c, 18);
    turn<3>(b);
    turn<2>(c);
    turn<1>(d);
    rotate_add(d, a, b, 7);
    rotate_add(c, d, a, 9);
    rotate_add(b, c, d, 13);
    rotate_add(a, b, c, 18);
    turn<1>(b);
    turn<2>(c);
    turn<3>(d);
  }
#pragma GCC unroll 3
  for (int l = 0; l < L; ++l) {
    block[0].lane[l] += a.lane[l];
    block[1].lane[l] += b.lane[l];
    block[2].lane[l] += c.lane[l];
    block[3].lane[l] += d.lane[l];
  }
}

// scryptBlockMix of (in xor with) for each lane, RFC 7914 section 4: even blocks to the first half of `out`, odd ones
// to the second.
template <int L, bool With>
HOLDFAST_KERNEL void block_mix(Diagonals* const* in, const Diagonals* const* with, Diagonals* const* out, size_t r) {
  const size_t count = 2 * r;
  Row<L> x[4] = {};
  const auto xor_block = [&](size_t i) __attribute__((always_inline)) {
#pragma GCC unroll 3
    for (int l = 0; l < L; ++l) {
#pragma GCC unroll 4
      for (int k = 0; k < 4; ++k) {
        Words next = in[l][i].v[k];
        if constexpr (With) next ^= with[l][i].v[k];
        x[k].lane[l] ^= next;
      }
    }
  };
  xor_block(count - 1);
  for (size_t i = 0; i < count; ++i) {
    xor_block(i);
    salsa20_8<L>(x);
#pragma GCC unroll 3
    for (int l = 0; l < L; ++l) {
      Diagonals& to = out[l][i / 2 + (i & 1) * r];
#pragma GCC unroll 4
      for (int k = 0; k < 4; ++k) to.v[k] = x[k].lane[l];
    }
  }
}

// scryptROMix of L lanes. Each has n + 1 blocks of 2 * r Diagonals in `memory`, one lane after the other, and comes in
// the first block; the result goes to the last one. `spare` holds one block per lane.
template <int L>
HOLDFAST_KERNEL void ro_mix(Diagonals* memory, Diagonals* spare, uint64_t n, size_t r) {
  const size_t count = 2 * r;
  const size_t lane_count = (n + 1) * count;
  Diagonals *x[L], *y[L];
  const Diagonals* other[L] = {};
  for (int l = 0; l < L; ++l) x[l] = memory + l * lane_count;
  for (uint64_t i = 0; i < n; ++i) {
    for (int l = 0; l < L; ++l) y[l] = x[l] + count;
    block_mix<L, false>(x, other, y, r);
    for (int l = 0; l < L; ++l) x[l] = y[l];
  }
  for (int l = 0; l < L; ++l) y[l] = spare + l * count;
  for (uint64_t i = 0; i < n; ++i) {  // n is even: the last round writes where x is now
    for (int l = 0; l < L; ++l) {
      // Integerify: the first word of the last block; n is at most 2^26.
      const uint64_t j = x[l][count - 1].v[0][0] & (n - 1);
      other[l] = memory + l * lane_count + j * count;
      for (size_t b = 0; b < count; ++b) __builtin_prefetch(&other[l][b]);
    }
    block_mix<L, true>(x, other, y, r);
    for (int l = 0; l < L; ++l) std::swap(x[l], y[l]);
  }
}

using Kernel = void (*)(Diagonals* memory, Diagonals* spare, uint64_t n, size_t r);

template <int L>
void ro_mix_sse2(Diagonals* memory, Diagonals* spare, uint64_t n, size_t r) {
  ro_mix<L>(memory, spare, n, r);
}
template <int L>
__attribute__((target("avx512f,avx512vl"))) void ro_mix_avx512(Diagonals* memory, Diagonals* spare, uint64_t n,
                                                               size_t r) {
  ro_mix<L>(memory, spare, n, r);
}
constexpr Kernel kSse2[kMostLanes] = {ro_mix_sse2<1>, ro_mix_sse2<2>, ro_mix_sse2<3>};
constexpr Kernel kAvx512[kMostLanes] = {ro_mix_avx512<1>, ro_mix_avx512<2>, ro_mix_avx512<3>};

void to_diagonals(const uint8_t* lane, Diagonals* blocks, size_t count) {
  for (size_t i = 0; i < count; ++i) {
    uint32_t words[16], turned[16];
    std::memcpy(words, lane + 64 * i, 64);
    for (int k = 0; k < 16; ++k) turned[k] = words[kDiagonal[k]];
    std::memcpy(&blocks[i], turned, 64);
  }
}

void from_diagonals(const Diagonals* blocks, uint8_t* lane, size_t count) {
  for (size_t i = 0; i < count; ++i) {
    uint32_t words[16], turned[16];
    std::memcpy(turned, &blocks[i], 64);
    for (int k = 0; k < 16; ++k) words[kDiagonal[k]] = turned[k];
    std::memcpy(lane + 64 * i, words, 64);
  }
}

// One thread's share: `lanes` in rounds of at most `width` at a time, as even as can be.
bool mix_share(std::span<uint8_t> lanes, uint64_t width, const ScryptCost& cost, const Kernel* kernels) {
  const size_t count = 2 * cost.r;
  const size_t lane_size = count * sizeof(Diagonals);
  const size_t lane_memory = (cost.n + 1) * lane_size;
  const uint64_t all = lanes.size() / lane_size;
  const uint64_t rounds = (all + width - 1) / width;
  // Large pages, where the system gives them: the second half of the work jumps about in this memory.
  constexpr size_t kLargePage = 2 << 20;
  const size_t size = ((all + rounds - 1) / rounds * lane_memory + kLargePage - 1) / kLargePage * kLargePage;
  auto* memory = static_cast<Diagonals*>(std::aligned_alloc(kLargePage, size));
  if (!memory) return false;
  ::madvise(memory, size, MADV_HUGEPAGE);
  std::vector<Diagonals> spare(count * width);
  // Clears the upper halves of the vector registers, which OpenSSL leaves in use: SSE code would be slowed by them.
  if (__builtin_cpu_supports("avx")) __asm__ volatile("vzeroupper" ::: "memory");
  for (uint64_t round = 0; round < rounds; ++round) {
    const uint64_t first = all * round / rounds;
    const uint64_t some = all * (round + 1) / rounds - first;
    uint8_t* at = lanes.data() + first * lane_size;
    for (uint64_t l = 0; l < some; ++l) to_diagonals(at + l * lane_size, memory + l * (cost.n + 1) * count, count);
    kernels[some - 1](memory, spare.data(), cost.n, cost.r);
    for (uint64_t l = 0; l < some; ++l) {
      from_diagonals(memory + (l * (cost.n + 1) + cost.n) * count, at + l * lane_size, count);
    }
  }
  OPENSSL_cleanse(spare.data(), spare.size() * sizeof(Diagonals));
  std::free(memory);
  return true;
}

}  // namespace

bool scrypt_path_works(ScryptPath path) {
  __builtin_cpu_init();
  return path != ScryptPath::avx512 || (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512vl"));
}

bool scrypt_mix(std::span<uint8_t> lanes, const ScryptCost& cost, ScryptPath path) {
  const size_t lane_size = 128 * cost.r;
  const uint64_t lane_memory = (cost.n + 1) * lane_size;
  const uint64_t fit = std::max<uint64_t>(1, kScryptMemoryLimit / lane_memory);
  const uint64_t processors = std::max(1u, std::thread::hardware_concurrency());
  const uint64_t threads = std::min({cost.p, fit, processors});
  const uint64_t width = std::clamp<uint64_t>(kInterleaveMemory / (threads * lane_memory), 1, kMostLanes);
  std::atomic<bool> ok{true};
  const auto work = [&](uint64_t thread) {
    const uint64_t first = cost.p * thread / threads, last = cost.p * (thread + 1) / threads;
    const auto share = lanes.subspan(first * lane_size, (last - first) * lane_size);
    if (!mix_share(share, width, cost, path == ScryptPath::avx512 ? kAvx512 : kSse2)) ok = false;
  };
  {
    std::vector<std::jthread> pool;
    for (uint64_t i = 1; i < threads; ++i) pool.emplace_back(work, i);
    work(0);
  }
  return ok;
}

#else

bool scrypt_path_works(ScryptPath path) {
  return path == ScryptPath::openssl;
}
bool scrypt_mix(std::span<uint8_t>, const ScryptCost&, ScryptPath) {
  return false;
}

#endif

}  // namespace holdfast::crypto

// scrypt by RFC 7914. OpenSSL computes it one lane after the other in plain C, which every run of a command that opens
// a repository would wait for; here the lanes run side by side and the mixing uses vector registers. Elsewhere than on
// x86-64, OpenSSL does it.
#include "crypto/scrypt.h"

#include <fmt/format.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <sys/mman.h>

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <cstring>
#include <thread>
#include <vector>

#if defined(__x86_64__)
#include <emmintrin.h>
#endif

namespace holdfast::crypto {
namespace {

constexpr uint64_t kMemoryLimit = 4ull << 30;

std::unexpected<Error> refused(const ScryptCost& cost) {
  return fail(ErrorClass::verification_failed, "crypto.scrypt",
              fmt::format("scrypt refuses the costs N={} r={} p={}", cost.n, cost.r, cost.p));
}

#if defined(__x86_64__)

// A 64-byte Salsa20 block as four vectors that hold its diagonals: {0,5,10,15} {4,9,14,3} {8,13,2,7} {12,1,6,11}. In
// this order a column round works on whole vectors, and turning three of them turns columns into rows.
struct Diagonals {
  __m128i v[4];
};
constexpr int kDiagonal[16] = {0, 5, 10, 15, 4, 9, 14, 3, 8, 13, 2, 7, 12, 1, 6, 11};

inline __m128i rotate_add(__m128i target, __m128i a, __m128i b, int bits) {
  const __m128i sum = _mm_add_epi32(a, b);
  return _mm_xor_si128(target, _mm_xor_si128(_mm_slli_epi32(sum, bits), _mm_srli_epi32(sum, 32 - bits)));
}

inline void salsa20_8(Diagonals& block) {
  __m128i a = block.v[0], b = block.v[1], c = block.v[2], d = block.v[3];
  for (int i = 0; i < 4; ++i) {
    b = rotate_add(b, a, d, 7);
    c = rotate_add(c, b, a, 9);
    d = rotate_add(d, c, b, 13);
    a = rotate_add(a, d, c, 18);
    b = _mm_shuffle_epi32(b, 0x93);
    c = _mm_shuffle_epi32(c, 0x4e);
    d = _mm_shuffle_epi32(d, 0x39);
    d = rotate_add(d, a, b, 7);
    c = rotate_add(c, d, a, 9);
    b = rotate_add(b, c, d, 13);
    a = rotate_add(a, b, c, 18);
    b = _mm_shuffle_epi32(b, 0x39);
    c = _mm_shuffle_epi32(c, 0x4e);
    d = _mm_shuffle_epi32(d, 0x93);
  }
  block.v[0] = _mm_add_epi32(block.v[0], a);
  block.v[1] = _mm_add_epi32(block.v[1], b);
  block.v[2] = _mm_add_epi32(block.v[2], c);
  block.v[3] = _mm_add_epi32(block.v[3], d);
}

// scryptBlockMix of (in xor with), RFC 7914 section 4: even blocks to the first half of `out`, odd ones to the second.
inline void block_mix(const Diagonals* in, const Diagonals* with, Diagonals* out, size_t r) {
  const size_t count = 2 * r;
  const auto mixed = [&](size_t i) {
    Diagonals block = in[i];
    if (with) {
      for (int k = 0; k < 4; ++k) block.v[k] = _mm_xor_si128(block.v[k], with[i].v[k]);
    }
    return block;
  };
  Diagonals x = mixed(count - 1);
  for (size_t i = 0; i < count; ++i) {
    const Diagonals next = mixed(i);
    for (int k = 0; k < 4; ++k) x.v[k] = _mm_xor_si128(x.v[k], next.v[k]);
    salsa20_8(x);
    out[i / 2 + (i & 1) * r] = x;
  }
}

// scryptROMix over one lane of 128 * r bytes. `memory` holds n + 1 such lanes.
void ro_mix(uint8_t* lane, uint64_t n, size_t r, Diagonals* memory) {
  const size_t count = 2 * r;
  for (size_t i = 0; i < count; ++i) {
    uint32_t words[16], turned[16];
    std::memcpy(words, lane + 64 * i, 64);
    for (int k = 0; k < 16; ++k) turned[k] = words[kDiagonal[k]];
    std::memcpy(&memory[i], turned, 64);
  }
  for (uint64_t i = 0; i < n; ++i) block_mix(memory + i * count, nullptr, memory + (i + 1) * count, r);
  Diagonals* x = memory + n * count;
  std::vector<Diagonals> other(count);
  Diagonals* y = other.data();
  for (uint64_t i = 0; i < n; ++i) {
    // Integerify: the first word of the last block; n is at most 2^26.
    const auto j = static_cast<uint32_t>(_mm_cvtsi128_si32(x[count - 1].v[0])) & (n - 1);
    block_mix(x, memory + j * count, y, r);
    std::swap(x, y);
  }
  for (size_t i = 0; i < count; ++i) {
    uint32_t words[16], turned[16];
    std::memcpy(turned, &x[i], 64);
    for (int k = 0; k < 16; ++k) words[kDiagonal[k]] = turned[k];
    std::memcpy(lane + 64 * i, words, 64);
  }
  OPENSSL_cleanse(other.data(), count * sizeof(Diagonals));
}

bool mix_lanes(std::vector<uint8_t>& lanes, const ScryptCost& cost) {
  const size_t lane_size = 128 * cost.r;
  const size_t memory_size = (cost.n + 1) * lane_size;
  std::atomic<uint64_t> next{0};
  std::atomic<bool> ok{true};
  const auto work = [&] {
    // Large pages, where the system gives them: the second half of the work jumps about in this memory.
    constexpr size_t kLargePage = 2 << 20;
    void* memory = std::aligned_alloc(kLargePage, (memory_size + kLargePage - 1) / kLargePage * kLargePage);
    if (!memory) {
      ok = false;
      return;
    }
    ::madvise(memory, memory_size, MADV_HUGEPAGE);
    for (uint64_t i = next++; i < cost.p; i = next++) {
      ro_mix(lanes.data() + i * lane_size, cost.n, cost.r, static_cast<Diagonals*>(memory));
    }
    std::free(memory);
  };
  const uint64_t fit = std::max<uint64_t>(1, kMemoryLimit / memory_size);
  const uint64_t processors = std::max(1u, std::thread::hardware_concurrency());
  const uint64_t threads = std::min({cost.p, fit, processors});
  {
    std::vector<std::jthread> pool;
    for (uint64_t i = 1; i < threads; ++i) pool.emplace_back(work);
    work();
  }
  return ok;
}

#endif

}  // namespace

Result<std::array<uint8_t, 64>> scrypt(const Secret& password, ByteSpan salt, const ScryptCost& cost) {
  std::array<uint8_t, 64> key{};
  const bool sane = cost.n >= 2 && (cost.n & (cost.n - 1)) == 0 && cost.n <= (1u << 26) && cost.r >= 1 &&
                    cost.r <= 1024 && cost.p >= 1 && cost.p <= 1024 && 128 * cost.r * (cost.n + 1) <= kMemoryLimit;
  if (!sane) return refused(cost);
  const auto text = password.reveal();
  // An empty password is no key anywhere, but its address must not be null.
  const char* bytes = text.empty() ? "" : text.data();
#if defined(__x86_64__)
  const auto length = static_cast<int>(text.size());
  static const EVP_MD* sha256 = EVP_MD_fetch(nullptr, "SHA256", nullptr);
  std::vector<uint8_t> lanes(128 * cost.r * cost.p);
  const bool done = PKCS5_PBKDF2_HMAC(bytes, length, salt.data(), static_cast<int>(salt.size()), 1, sha256,
                                      static_cast<int>(lanes.size()), lanes.data()) == 1 &&
                    mix_lanes(lanes, cost) &&
                    PKCS5_PBKDF2_HMAC(bytes, length, lanes.data(), static_cast<int>(lanes.size()), 1, sha256,
                                      static_cast<int>(key.size()), key.data()) == 1;
  OPENSSL_cleanse(lanes.data(), lanes.size());
#else
  const bool done = EVP_PBE_scrypt(bytes, text.size(), salt.data(), salt.size(), cost.n, cost.r, cost.p, kMemoryLimit,
                                   key.data(), key.size()) == 1;
#endif
  if (!done) return refused(cost);
  return key;
}

}  // namespace holdfast::crypto

#include "repo/format/chunker.h"

#include <algorithm>

namespace holdfast::repo {
namespace {

constexpr int kDegree = 53;
constexpr size_t kWindow = 64;
constexpr uint64_t kMask = (1u << 20) - 1;
constexpr size_t kLane = 16 * 1024;
// Lengths that ChunkerLanes tests in one lane, in its units. Short lanes spend more of their time on filling the
// window, long ones test more lengths behind a cut in vain. A lane of an even number of units would put the rows of all
// lanes into a few sets of the first cache.
constexpr size_t kWideUnits = 17;
constexpr size_t kNone = SIZE_MAX;

bool is_cut(uint64_t hash) {
  return __builtin_expect((hash & kMask) == 0, 0);
}

int degree(uint64_t p) {
  return p == 0 ? -1 : 63 - __builtin_clzll(p);
}

uint64_t poly_mod(uint64_t value, uint64_t polynomial) {
  const int top = degree(polynomial);
  for (int d = degree(value); d >= top; d = degree(value)) value ^= polynomial << (d - top);
  return value;
}

// a * b mod p for operands below degree 53.
uint64_t poly_multiply(uint64_t a, uint64_t b, uint64_t p) {
  uint64_t product = 0;
  for (; b != 0; b >>= 1) {
    if (b & 1) product ^= a;
    a <<= 1;
    if (a >> kDegree & 1) a ^= p;
  }
  return product;
}

uint64_t poly_gcd(uint64_t a, uint64_t b) {
  while (b != 0) {
    a = poly_mod(a, b);
    std::swap(a, b);
  }
  return a;
}

// Appends one byte to a fingerprint without removing one.
uint64_t append_byte(uint64_t hash, uint8_t byte, uint64_t polynomial) {
  return poly_mod(hash << 8 | byte, polynomial);
}

}  // namespace

bool is_chunker_polynomial(uint64_t polynomial) {
  if (degree(polynomial) != kDegree || !(polynomial & 1)) return false;
  // Ben-Or's test: no common factor with x^(2^i) - x for i up to half the degree.
  uint64_t power = 2;  // x
  for (int i = 1; i <= kDegree / 2; ++i) {
    power = poly_multiply(power, power, polynomial);
    if (poly_gcd(polynomial, power ^ 2) != 1) return false;
  }
  return true;
}

uint64_t find_chunker_polynomial(uint64_t (*next)()) {
  for (;;) {
    const uint64_t candidate = (next() & ((1ull << (kDegree + 1)) - 1)) | 1ull << kDegree | 1;
    if (is_chunker_polynomial(candidate)) return candidate;
  }
}

Chunker::Chunker(uint64_t polynomial, bool wide) {
  for (unsigned b = 0; b < 256; ++b) {
    mod_[b] = poly_mod(static_cast<uint64_t>(b) << kDegree, polynomial) | static_cast<uint64_t>(b) << kDegree;
  }
  for (unsigned b = 0; b < 256; ++b) {
    uint64_t hash = append_byte(0, static_cast<uint8_t>(b), polynomial);
    for (size_t i = 0; i < kWindow - 1; ++i) hash = append_byte(hash, 0, polynomial);
    // The byte leaves the window in the step that shifts the next one in, so its remainder is shifted along.
    out_[b] = (hash << 8) ^ mod_[hash >> 45];
  }
  if (wide) lanes_.emplace(mod_, out_);
}

uint64_t Chunker::fingerprint(const uint8_t* window) const {
  uint64_t hash = 0;
  for (size_t i = 0; i < kWindow; ++i) hash = (hash << 8) ^ mod_[hash >> 45] ^ window[i];
  return hash;
}

// First length in [from, to] that is a cut, one position after the other.
size_t Chunker::scan(const uint8_t* data, size_t from, size_t to) const {
  uint64_t hash = fingerprint(data + from - kWindow);
  for (size_t at = from;; ++at) {
    if (is_cut(hash)) return at;
    if (at == to) return kNone;
    hash = step(hash, data[at - kWindow], data[at]);
  }
}

// First cut among the 4 * lane lengths from `from` on. Each step needs the one before it, so a single scan waits for
// table loads; four scans side by side fill that wait.
size_t Chunker::scan_lanes(const uint8_t* data, size_t from, size_t lane) const {
  const uint8_t* p0 = data + from;
  const uint8_t* p1 = p0 + lane;
  const uint8_t* p2 = p1 + lane;
  const uint8_t* p3 = p2 + lane;
  constexpr auto kOld = -static_cast<ptrdiff_t>(kWindow);
  uint64_t h0 = fingerprint(p0 + kOld);
  uint64_t h1 = fingerprint(p1 + kOld);
  uint64_t h2 = fingerprint(p2 + kOld);
  uint64_t h3 = fingerprint(p3 + kOld);
  for (size_t i = 0; i < lane; ++i) {
    // Written as four jumps that are never taken: combining the tests first costs more than the jumps.
    if (is_cut(h0) || is_cut(h1) || is_cut(h2) || is_cut(h3)) [[unlikely]] {
      // A lower lane may still hold an earlier cut in the part it has not seen.
      const size_t hit = is_cut(h0) ? 0 : is_cut(h1) ? 1 : is_cut(h2) ? 2 : 3;
      for (size_t k = 0; k < hit && i + 1 < lane; ++k) {
        const size_t found = scan(data, from + k * lane + i + 1, from + (k + 1) * lane - 1);
        if (found != kNone) return found;
      }
      return from + hit * lane + i;
    }
    h0 = step(h0, p0[kOld], *p0);
    h1 = step(h1, p1[kOld], *p1);
    h2 = step(h2, p2[kOld], *p2);
    h3 = step(h3, p3[kOld], *p3);
    ++p0, ++p1, ++p2, ++p3;
  }
  return kNone;
}

// First length in [from, to] that is a cut.
size_t Chunker::first_cut(const uint8_t* data, size_t from, size_t to) const {
  size_t at = from;
  if (lanes_) {
    constexpr size_t kUnit = ChunkerLanes::kLanes * ChunkerLanes::kUnit;
    for (size_t units; (units = std::min((to + 1 - at) / kUnit, kWideUnits)) > 0; at += units * kUnit) {
      if (size_t found = lanes_->scan(data, at, units * ChunkerLanes::kUnit); found != kNone) return found;
    }
  } else {
    // Data where cuts are dense (runs of zeros) is cut at once; only then do the lanes pay.
    const size_t probe = std::min(at + 1023, to);
    if (size_t found = scan(data, at, probe); found != kNone) return found;
    for (at = probe + 1; at + 4 * kLane <= to; at += 4 * kLane) {  // the lanes test lengths [at, at + 4 * kLane)
      if (size_t found = scan_lanes(data, at, kLane); found != kNone) return found;
    }
  }
  return at <= to ? scan(data, at, to) : kNone;
}

bool Chunker::may_end(ByteSpan chunk) const {
  if (chunk.size() < kMinChunk) return false;
  return chunk.size() == kMaxChunk || is_cut(fingerprint(chunk.data() + chunk.size() - kWindow));
}

std::optional<size_t> Chunker::next_cut(ByteSpan data, bool at_end, size_t first_length) const {
  const size_t limit = std::min(data.size(), kMaxChunk);
  const size_t from = std::max(first_length, kMinChunk);
  if (from <= limit) {
    if (size_t found = first_cut(data.data(), from, limit); found != kNone) return found;
  }
  if (limit == kMaxChunk) return kMaxChunk;
  if (at_end) return data.size();
  return std::nullopt;
}

}  // namespace holdfast::repo

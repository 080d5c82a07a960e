#include "repo/format/chunker.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "tests/support/require.h"

namespace holdfast::repo {
namespace {

constexpr uint64_t kPolynomial = 0x3DA3358B4DC173;

std::vector<uint8_t> splitmix(uint64_t seed, size_t size) {
  std::vector<uint8_t> bytes(size);
  for (size_t i = 0; i < size; i += 8) {
    seed += 0x9e3779b97f4a7c15;
    uint64_t z = seed;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
    z = (z ^ z >> 27) * 0x94d049bb133111eb;
    z ^= z >> 31;
    for (size_t k = 0; k < 8 && i + k < size; ++k) bytes[i + k] = static_cast<uint8_t>(z >> 8 * k);
  }
  return bytes;
}

std::vector<size_t> cut_all(const Chunker& chunker, ByteSpan data) {
  std::vector<size_t> lengths;
  while (!data.empty()) {
    lengths.push_back(*chunker.next_cut(data, true));
    data = data.subspan(lengths.back());
  }
  return lengths;
}

constexpr uint64_t kMask = (1 << 20) - 1;

uint64_t append(uint64_t fingerprint, uint8_t byte, uint64_t polynomial) {
  fingerprint = fingerprint << 8 | byte;
  for (int d = 60; d >= 53; --d) {
    if (fingerprint >> d & 1) fingerprint ^= polynomial << (d - 53);
  }
  return fingerprint;
}

uint64_t naive_fingerprint(const uint8_t* window, uint64_t polynomial) {
  uint64_t fingerprint = 0;
  for (size_t i = 0; i < 64; ++i) fingerprint = append(fingerprint, window[i], polynomial);
  return fingerprint;
}

// The same rule spelled out bit by bit. Only what a leaving byte adds to the fingerprint comes from a table.
size_t naive_cut(ByteSpan data, uint64_t polynomial) {
  std::vector<uint64_t> leaving(256);
  for (unsigned b = 0; b < 256; ++b) {
    leaving[b] = b;
    for (size_t i = 0; i < 64; ++i) leaving[b] = append(leaving[b], 0, polynomial);
  }
  const size_t limit = std::min(data.size(), kMaxChunk);
  if (limit < kMinChunk) return limit;
  uint64_t fingerprint = naive_fingerprint(data.data() + kMinChunk - 64, polynomial);
  for (size_t length = kMinChunk;; ++length) {
    if ((fingerprint & kMask) == 0 || length == limit) return length;
    fingerprint = append(fingerprint, data[length], polynomial) ^ leaving[data[length - 64]];
  }
}

// Portable code, vector code: whatever this CPU can run.
const std::vector<bool>& ways() {
  static const std::vector<bool> ways = [] {
    if (ChunkerLanes::supported()) return std::vector<bool>{false, true};
    return std::vector<bool>{false};
  }();
  return ways;
}

TEST(ChunkerLanes, are_tested_on_this_processor) {
  HOLDFAST_NEED("avx512", ChunkerLanes::supported(), "no AVX-512 (F, BW) or GFNI; only the portable chunker is tested");
  EXPECT_EQ(ways().size(), 2u);
}

std::string sql_text(size_t size) {
  std::mt19937 random(3);
  std::string text;
  for (unsigned row = 1; text.size() < size; ++row) {
    text += (row % 40 == 1 ? ";\nINSERT INTO `orders` VALUES (" : ",(") + std::to_string(row) + ",'customer " +
            std::to_string(random() % 5000) + "','2024-01-" + std::to_string(1 + random() % 28) + "'," +
            std::to_string(random() % 100000) + ".50,NULL)";
  }
  text.resize(size);
  return text;
}

// Data pages of 16 KiB: a header, some records, zeros up to a short trailer.
std::vector<uint8_t> pages(size_t size) {
  auto bytes = splitmix(77, size);
  for (size_t page = 0; page < size; page += 16384) {
    const size_t used = 100 + bytes[page] * 60;
    for (size_t i = page + used; i < std::min(size, page + 16376); ++i) bytes[i] = 0;
  }
  return bytes;
}

// Random data without a cut from kMinChunk on, in which tests plant cuts.
class Quiet {
 public:
  Quiet(uint64_t polynomial, size_t size, size_t shift = 0)
      : polynomial_(polynomial), buffer_(splitmix(polynomial, shift + size)), shift_(shift) {
    const Chunker chunker(polynomial, false);
    size_t from = 0;
    for (auto cut = chunker.next_cut(data(), false); cut && *cut < kMaxChunk;
         cut = chunker.next_cut(data(), false, from)) {
      bytes()[*cut - 1] ^= 1;
      from = *cut;
    }
  }
  ByteSpan data() const { return ByteSpan(buffer_).subspan(shift_); }
  /// Makes `length` a cut. The last three bytes of a window reach the low 24 bits of its fingerprint unreduced.
  /// Returns the first cut that came of it: by chance the changed bytes make one of the two lengths before a cut, too.
  size_t plant(size_t length) {
    uint64_t low = naive_fingerprint(bytes() + length - 64, polynomial_);
    for (size_t i = 1; i <= 3; ++i, low >>= 8) {
      saved_.emplace_back(length - i, bytes()[length - i]);
      bytes()[length - i] ^= static_cast<uint8_t>(low);
    }
    size_t first = std::max(length - 2, kMinChunk);
    while ((naive_fingerprint(bytes() + first - 64, polynomial_) & kMask) != 0) ++first;
    return first;
  }
  void restore() {
    for (; !saved_.empty(); saved_.pop_back()) bytes()[saved_.back().first] = saved_.back().second;
  }

 private:
  uint8_t* bytes() { return buffer_.data() + shift_; }

  uint64_t polynomial_;
  std::vector<uint8_t> buffer_;
  size_t shift_;
  std::vector<std::pair<size_t, uint8_t>> saved_;
};

uint64_t random_number() {
  static std::mt19937_64 random(8);
  return random();
}

TEST(Chunker, cuts_where_restics_chunker_cuts) {
  // Lengths printed by github.com/restic/chunker v0.4.0 for this data: random, a run of zeros, a run that never cuts.
  auto data = splitmix(23, 32 << 20);
  std::fill(data.begin() + (10 << 20), data.begin() + (14 << 20), 0);
  for (size_t i = 20 << 20; i < 30 << 20; ++i) data[i] = static_cast<uint8_t>(i % 7);
  const std::vector<size_t> expected = {1153221, 1368292, 1032272, 574085, 580863,  707335, 688668, 1545561,
                                        2359577, 524288,  524288,  524288, 524288,  524288, 524288, 524288,
                                        524288,  2735209, 1587105, 985416, 8388608, 5653916};
  for (bool wide : ways()) EXPECT_EQ(cut_all(Chunker(kPolynomial, wide), data), expected) << wide;
}

TEST(Chunker, agrees_with_the_rule_for_other_polynomials_and_all_kinds_of_data) {
  const std::string text = sql_text(3 << 20);
  const std::vector<std::vector<uint8_t>> samples = {
      splitmix(11, 3 << 20), {text.begin(), text.end()}, pages(3 << 20), std::vector<uint8_t>(3 << 20, 0xff)};
  for (int round = 0; round < 6; ++round) {
    const uint64_t polynomial = find_chunker_polynomial(random_number);
    for (size_t sample = 0; sample < samples.size(); ++sample) {
      ByteSpan rest = ByteSpan(samples[sample]).subspan(random_number() % 1000);
      while (!rest.empty()) {
        const size_t cut = naive_cut(rest, polynomial);
        for (bool wide : ways()) {
          ASSERT_EQ(*Chunker(polynomial, wide).next_cut(rest, true), cut)
              << std::hex << polynomial << std::dec << ", sample " << sample << ", wide " << wide;
        }
        rest = rest.subspan(cut);
      }
    }
  }
}

TEST(Chunker, finds_a_cut_at_every_length) {
  constexpr size_t kRange = 90'000;  // more than the vector code tests at once
  Quiet quiet(kPolynomial, kMinChunk + kRange);
  for (bool wide : ways()) {
    const Chunker chunker(kPolynomial, wide);
    ASSERT_FALSE(chunker.next_cut(quiet.data(), false)) << wide;
    for (size_t length = kMinChunk; length <= quiet.data().size(); length += wide ? 1 : 61) {
      const size_t first = quiet.plant(length);
      ASSERT_EQ(chunker.next_cut(quiet.data(), false), first) << wide;
      quiet.restore();
    }
  }
}

TEST(Chunker, takes_the_first_of_several_cuts_behind_any_first_length) {
  for (int round = 0; round < 8; ++round) {
    const uint64_t polynomial = find_chunker_polynomial(random_number);
    Quiet quiet(polynomial, kMinChunk + 80'000 + random_number() % 80'000, random_number() % 64);
    const size_t size = quiet.data().size();
    std::vector<Chunker> chunkers;
    for (bool wide : ways()) chunkers.emplace_back(polynomial, wide);
    for (int set = 0; set < 150; ++set) {
      // Close to each other or far apart, at least three bytes: a planted cut changes the three before it.
      const size_t spread = set % 2 ? 100'000 : 3000;
      std::vector<size_t> cuts;
      for (size_t at = kMinChunk; (at += 3 + random_number() % spread) <= size;) cuts.push_back(quiet.plant(at));
      const size_t first_length = kMinChunk + random_number() % (size - kMinChunk);
      const auto first = std::lower_bound(cuts.begin(), cuts.end(), first_length);
      for (const Chunker& chunker : chunkers) {
        ASSERT_EQ(*chunker.next_cut(quiet.data(), true, first_length), first == cuts.end() ? size : *first)
            << std::hex << polynomial << std::dec << " from " << first_length;
      }
      quiet.restore();
    }
  }
}

TEST(Chunker, looks_at_every_length_of_short_data_and_at_no_byte_behind_it) {
  for (bool wide : ways()) {
    const Chunker chunker(kPolynomial, wide);
    for (size_t more : {0, 1, 63, 64, 4094, 4095, 4096, 4097, 8191, 8192, 69'631, 69'632, 73'727, 73'728, 100'000}) {
      Quiet quiet(kPolynomial, kMinChunk + more);  // its end is the end of an allocation, for sanitizers
      EXPECT_FALSE(chunker.next_cut(quiet.data(), false)) << more;
      EXPECT_EQ(*chunker.next_cut(quiet.data(), true), kMinChunk + more);
      for (size_t length : {kMinChunk, kMinChunk + more / 2, kMinChunk + more}) {
        quiet.plant(length);
        EXPECT_EQ(chunker.next_cut(quiet.data(), false), length) << wide << " of " << kMinChunk + more;
        EXPECT_FALSE(chunker.next_cut(quiet.data().first(length - 1), false)) << wide;
        quiet.restore();
      }
    }
  }
}

TEST(Chunker, cuts_at_the_maximum_where_nothing_else_cuts) {
  Quiet quiet(kPolynomial, kMaxChunk + 5000);
  quiet.plant(kMaxChunk + 1);
  for (bool wide : ways()) {
    EXPECT_EQ(Chunker(kPolynomial, wide).next_cut(quiet.data(), false), kMaxChunk);
    EXPECT_FALSE(Chunker(kPolynomial, wide).next_cut(quiet.data().first(kMaxChunk - 1), false));
  }
}

TEST(Chunker, the_cut_does_not_depend_on_how_much_data_is_there_yet) {
  const Chunker chunker(kPolynomial);
  const auto data = splitmix(99, 9 << 20);
  const size_t cut = *chunker.next_cut(data, true);
  std::mt19937 random(1);
  for (int round = 0; round < 30; ++round) {
    size_t have = 0;
    std::optional<size_t> found;
    while (!found) {
      const size_t asked = have;
      have = std::min(data.size(), have + 1 + random() % 900000);
      found = chunker.next_cut(ByteSpan(data).first(have), false, asked + 1);
    }
    ASSERT_EQ(*found, cut);
  }
}

TEST(Chunker, data_below_the_minimum_is_one_chunk_only_at_its_end) {
  const Chunker chunker(kPolynomial);
  const auto data = splitmix(1, kMinChunk - 1);
  EXPECT_FALSE(chunker.next_cut(data, false));
  EXPECT_EQ(chunker.next_cut(data, true), data.size());
  EXPECT_EQ(chunker.next_cut(ByteSpan{}, true), 0u);
}

TEST(Chunker, only_irreducible_polynomials_of_degree_53_pass) {
  EXPECT_TRUE(is_chunker_polynomial(kPolynomial));
  EXPECT_FALSE(is_chunker_polynomial(kPolynomial ^ 1));
  EXPECT_FALSE(is_chunker_polynomial(kPolynomial ^ 2));
  EXPECT_FALSE(is_chunker_polynomial(0));
  EXPECT_FALSE(is_chunker_polynomial(3));
  EXPECT_FALSE(is_chunker_polynomial(kPolynomial << 1));
}

}  // namespace
}  // namespace holdfast::repo

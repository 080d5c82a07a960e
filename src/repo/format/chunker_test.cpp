#include "repo/format/chunker.h"

#include <gtest/gtest.h>

#include <random>
#include <vector>

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

// The same rule spelled out bit by bit, without tables.
size_t naive_cut(ByteSpan data, uint64_t polynomial) {
  for (size_t length = kMinChunk; length <= std::min(data.size(), kMaxChunk); ++length) {
    uint64_t fingerprint = 0;
    for (size_t i = length - 64; i < length; ++i) {
      fingerprint = fingerprint << 8 | data[i];
      for (int d = 63; d >= 53; --d) {
        if (fingerprint >> d & 1) fingerprint ^= polynomial << (d - 53);
      }
    }
    if ((fingerprint & ((1 << 20) - 1)) == 0) return length;
  }
  return std::min(data.size(), kMaxChunk);
}

TEST(Chunker, cuts_where_restics_chunker_cuts) {
  // Lengths printed by github.com/restic/chunker v0.4.0 for this data: random, a run of zeros, a run that never cuts.
  auto data = splitmix(23, 32 << 20);
  std::fill(data.begin() + (10 << 20), data.begin() + (14 << 20), 0);
  for (size_t i = 20 << 20; i < 30 << 20; ++i) data[i] = static_cast<uint8_t>(i % 7);
  const std::vector<size_t> expected = {1153221, 1368292, 1032272, 574085, 580863,  707335, 688668, 1545561,
                                        2359577, 524288,  524288,  524288, 524288,  524288, 524288, 524288,
                                        524288,  2735209, 1587105, 985416, 8388608, 5653916};
  EXPECT_EQ(cut_all(Chunker(kPolynomial), data), expected);
}

TEST(Chunker, agrees_with_the_rule_for_other_polynomials) {
  static std::mt19937_64 random(5);
  for (int round = 0; round < 2; ++round) {
    const uint64_t polynomial = find_chunker_polynomial([] { return random(); });
    const Chunker chunker(polynomial);
    const auto data = splitmix(random(), 1 << 20);
    EXPECT_EQ(*chunker.next_cut(data, true), naive_cut(data, polynomial)) << std::hex << polynomial;
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

#include "codec/match_finder.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <vector>

#include "codec/zstd.h"
#include "tests/support/require.h"

namespace holdfast::codec {
namespace {

using Bytes = std::vector<uint8_t>;

/// Plays the sequences back and checks every rule zstd leaves to the producer.
void expect_restores(ByteSpan input, std::span<const Sequence> sequences) {
  Bytes out;
  size_t block_end = std::min(input.size(), MatchFinder::kBlock);
  for (const Sequence& sequence : sequences) {
    ASSERT_LE(out.size() + sequence.literals, input.size());
    const auto from = input.begin() + static_cast<ptrdiff_t>(out.size());
    out.insert(out.end(), from, from + sequence.literals);
    if (sequence.offset == 0) {
      ASSERT_EQ(sequence.length, 0u);
      ASSERT_EQ(out.size(), block_end);
      block_end = std::min(input.size(), block_end + MatchFinder::kBlock);
      continue;
    }
    ASSERT_GE(sequence.length, MatchFinder::kMinLength);
    ASSERT_LE(sequence.offset, out.size());
    ASSERT_LE(out.size() + sequence.length, block_end);
    for (uint32_t i = 0; i < sequence.length; ++i) out.push_back(out[out.size() - sequence.offset]);
  }
  ASSERT_EQ(sequences.back().offset, 0u);
  ASSERT_TRUE(std::ranges::equal(out, input));
}

// Whether the search can run here. Elsewhere the compressor must do without it, which is what is tested then.
bool searches() {
  if (MatchFinder::supported()) return true;
  Bytes input(300'000);
  for (size_t i = 0; i < input.size(); ++i) input[i] = static_cast<uint8_t>(i % 1000 * 7);
  const Buffer frame = ZstdCompressor(ZstdProfile::stream).compress(input);
  const auto back = ZstdDecompressor().decompress(frame, input.size());
  EXPECT_TRUE(back && std::ranges::equal(back->span(), input));
  EXPECT_LT(frame.size(), input.size() / 10);
  return false;
}

TEST(MatchFind, is_tested_on_this_processor) {
  HOLDFAST_NEED("avx512", searches(), "no AVX-512 with VBMI2; libzstd searches by itself, and that is what is tested");
}

TEST(MatchFind, sequences_restore_the_input) {
  if (!searches()) return;
  std::mt19937_64 random(1);
  MatchFinder finder;
  for (const size_t size : {MatchFinder::kMinInput, MatchFinder::kBlock - 1, MatchFinder::kBlock,
                            MatchFinder::kBlock + 1, 2 * MatchFinder::kBlock + 71, size_t{1'500'000}}) {
    for (const size_t alphabet : {1, 2, 3, 10, 40, 256}) {
      SCOPED_TRACE(testing::Message() << size << " bytes of " << alphabet << " letters");
      Bytes input(size);
      for (size_t i = 0; i < size;) {
        if (i > 100 && random() % 3 == 0) {  // a copy from anywhere before, also one that overlaps itself
          const size_t length = std::min<size_t>(size - i, 4 + random() % (random() % 50 == 0 ? 200'000 : 60));
          const size_t from = random() % i;
          for (size_t k = 0; k < length; ++k) input[i + k] = input[from + k];
          i += length;
        } else {
          const size_t length = std::min<size_t>(size - i, 1 + random() % 30);
          for (size_t k = 0; k < length; ++k) input[i + k] = static_cast<uint8_t>(random() % alphabet);
          i += length;
        }
      }
      expect_restores(input, finder.find(input));
    }
  }
}

TEST(MatchFind, periods_are_covered_by_matches) {
  if (!searches()) return;
  MatchFinder finder;
  for (size_t period = 1; period <= 200; ++period) {
    Bytes input(300'000);
    std::mt19937_64 random(period);
    for (size_t i = 0; i < input.size(); ++i) {
      input[i] = i < period ? static_cast<uint8_t>(random()) : input[i - period];
    }
    const auto sequences = finder.find(input);
    expect_restores(input, sequences);
    size_t literals = 0;
    for (const Sequence& sequence : sequences) literals += sequence.literals;
    EXPECT_LT(literals, 3000u) << "period " << period;
  }
}

TEST(MatchFind, matches_reach_back_over_the_whole_input) {
  if (!searches()) return;
  std::mt19937_64 random(3);
  Bytes input(MatchFinder::kMaxInput);
  const size_t piece = 20'000;  // its samples survive in the table: the bytes between are one letter
  for (size_t i = 0; i < piece; ++i) input[i] = static_cast<uint8_t>(random());
  std::copy_n(input.begin(), piece, input.end() - piece);
  MatchFinder finder;
  const auto sequences = finder.find(input);
  expect_restores(input, sequences);
  EXPECT_TRUE(std::ranges::any_of(sequences, [&](const Sequence& sequence) {
    return sequence.offset == input.size() - piece && sequence.length > piece / 2;
  }));
}

TEST(MatchFind, random_bytes_are_left_alone) {
  if (!searches()) return;
  std::mt19937_64 random(4);
  Bytes input(1 << 20);
  for (uint8_t& byte : input) byte = static_cast<uint8_t>(random());
  MatchFinder finder;
  EXPECT_EQ(finder.find(input).size(), input.size() / MatchFinder::kBlock);
}

// What stands between a mistake in the search and a backup that cannot be restored.
TEST(MatchFind, sequences_that_do_not_restore_the_input_are_seen) {
  if (!searches()) return;
  std::mt19937_64 random(3);
  Bytes input(MatchFinder::kMinInput * 3);
  for (size_t i = 0; i < input.size(); ++i) {
    input[i] = i > 500 && random() % 8 != 0 ? input[i - 300] : static_cast<uint8_t>(random() % 256);
  }
  MatchFinder finder;
  const auto found = finder.find(input);
  ASSERT_GT(found.size(), 100u);
  std::vector<Sequence> right(found.begin(), found.end());
  ASSERT_TRUE(MatchFinder::restores(input, right));
  for (int round = 0; round < 2000; ++round) {
    std::vector<Sequence> wrong = right;
    Sequence& one = wrong[random() % wrong.size()];
    uint32_t* const fields[] = {&one.offset, &one.literals, &one.length};
    uint32_t& field = *fields[random() % 3];
    field ^= 1u << random() % 32;
    // A match may stand in two places, and the offset of an empty one means nothing; everything else must be seen.
    const bool same = [&] {
      Bytes out;
      for (const Sequence& each : wrong) {
        if (each.literals > input.size() - out.size()) return false;
        out.insert(out.end(), input.begin() + static_cast<ptrdiff_t>(out.size()),
                   input.begin() + static_cast<ptrdiff_t>(out.size() + each.literals));
        if (each.length == 0) continue;
        if (each.offset == 0 || each.offset > out.size() || each.length > input.size() - out.size()) return false;
        for (uint32_t i = 0; i < each.length; ++i) out.push_back(out[out.size() - each.offset]);
      }
      return out == input;
    }();
    ASSERT_EQ(MatchFinder::restores(input, wrong), same) << "round " << round;
  }
}

}  // namespace
}  // namespace holdfast::codec

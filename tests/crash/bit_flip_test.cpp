// Every object of a tiny repository, changed bit by bit: a check that reads the data tells, and no reader ever hands
// out bytes that were not stored.
#include <gtest/gtest.h>

#include "repo/check.h"
#include "tests/support/small_repository.h"

namespace holdfast {
namespace {

using test::SmallRepository;

constexpr char kPath[] = "/a/dump";

class BitFlip : public testing::Test {
 protected:
  BitFlip() {
    first_ = test::random_bytes(300, 1);
    second_ = Buffer::copy_of(as_bytes(std::string(900, 'x') + "end of a text that compresses"));
    snapshots_.push_back(small_.must_backup("a/dump", first_, 0, {"kind=one"}));
    snapshots_.push_back(small_.must_backup("a/dump", second_, 1));
  }

  // Errors the check names; opening counts as naming.
  uint64_t damages() {
    auto repository = small_.open();
    if (!repository) return 1;
    repo::CheckOptions options;
    options.read.kind = repo::ReadSelection::Kind::all;
    const auto report = repo::check_repository(**repository, options, {});
    return report ? report->errors : 1;
  }

  // True if each file that can be read is what was stored.
  bool readers_are_safe() {
    auto repository = small_.open();
    if (!repository || !(*repository)->load_index()) return true;
    for (size_t i = 0; i < snapshots_.size(); ++i) {
      const auto snapshot = (*repository)->find_snapshot(snapshots_[i].id.hex());
      if (!snapshot) continue;
      const auto content = SmallRepository::read(**repository, *snapshot, kPath);
      if (content && !test::same_bytes(*content, i == 0 ? first_ : second_)) return false;
    }
    return true;
  }

  SmallRepository small_;
  Buffer first_, second_;
  std::vector<repo::Snapshot> snapshots_;
};

TEST_F(BitFlip, every_change_is_found_and_never_read) {
  ASSERT_EQ(damages(), 0u);
  ASSERT_TRUE(readers_are_safe());
  size_t flips = 0;
  for (const auto& [key, bytes] : small_.store->image()) {
    // All bits of everything but the packs; of those, all bits at both ends (nonce, header length), elsewhere one bit
    // of each byte, a different one each time.
    const size_t size = bytes->size();
    for (size_t at = 0; at < size; ++at) {
      const bool all_bits = !key.starts_with("data/") || at + 8 >= size || at < 20;
      for (unsigned bit = 0; bit < 8; ++bit) {
        if (!all_bits && bit != (at * 3 + size) % 8) continue;
        const auto flip = [&](std::vector<uint8_t>& body) { body[at] ^= static_cast<uint8_t>(1u << bit); };
        ASSERT_TRUE(small_.store->tamper(key, flip));
        EXPECT_GT(damages(), 0u) << key << " byte " << at << " bit " << bit;
        EXPECT_TRUE(readers_are_safe()) << key << " byte " << at << " bit " << bit;
        small_.store->tamper(key, flip);
        ++flips;
        if (HasFailure()) return;
      }
    }
  }
  EXPECT_GT(flips, 10'000u);
  EXPECT_EQ(damages(), 0u);
}

TEST_F(BitFlip, missing_cut_and_swapped_objects_are_found) {
  const auto image = small_.store->image();
  std::map<std::string, std::vector<std::string>> by_directory;
  for (const auto& [key, bytes] : image) {
    by_directory[key.substr(0, key.find('/'))].push_back(key);
    if (!key.starts_with("snapshots/") && !key.starts_with("keys/")) {  // nothing refers to these
      ASSERT_TRUE(small_.store->remove(key));
      EXPECT_GT(damages(), 0u) << key << " removed";
      EXPECT_TRUE(readers_are_safe()) << key << " removed";
      small_.store->load(image);
    }
    for (const size_t keep : {bytes->size() - 1, bytes->size() / 2, size_t{1}, size_t{0}}) {
      small_.store->tamper(key, [&](std::vector<uint8_t>& body) { body.resize(keep); });
      EXPECT_GT(damages(), 0u) << key << " cut to " << keep;
      EXPECT_TRUE(readers_are_safe()) << key << " cut to " << keep;
      small_.store->load(image);
    }
    small_.store->tamper(key, [&](std::vector<uint8_t>& body) { body.push_back(0); });
    EXPECT_GT(damages(), 0u) << key << " grew";
    EXPECT_TRUE(readers_are_safe()) << key << " grew";
    small_.store->load(image);
  }
  size_t swaps = 0;
  for (const auto& [directory, keys] : by_directory) {
    for (size_t i = 0; i < keys.size(); ++i) {
      for (size_t k = i + 1; k < keys.size(); ++k) {
        auto swapped = image;
        std::swap(swapped[keys[i]], swapped[keys[k]]);
        small_.store->load(swapped);
        EXPECT_GT(damages(), 0u) << keys[i] << " and " << keys[k] << " swapped";
        EXPECT_TRUE(readers_are_safe()) << keys[i] << " and " << keys[k] << " swapped";
        ++swaps;
      }
    }
  }
  EXPECT_GT(swaps, 5u);
}

}  // namespace
}  // namespace holdfast

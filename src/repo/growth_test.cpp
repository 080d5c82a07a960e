// What years of backups may cost: memory for each blob, and how often the store is asked for a listing.
#include <gtest/gtest.h>
#include <malloc.h>

#include <algorithm>

#include "repo/blob_index.h"
#include "sys/file.h"
#include "tests/support/hook_store.h"
#include "tests/support/small_repository.h"

namespace holdfast::repo {
namespace {

using test::HookStore;
using test::SmallRepository;

// An id like a hash, at little cost.
Id synthetic_id(uint64_t number) {
  Id id;
  for (size_t i = 0; i < 32; i += 8) {
    uint64_t word = (number + 1) * 0x9E3779B97F4A7C15 + i;
    word = (word ^ (word >> 30)) * 0xBF58476D1CE4E5B9;
    word = (word ^ (word >> 27)) * 0x94D049BB133111EB;
    word ^= word >> 31;
    std::memcpy(id.bytes.data() + i, &word, 8);
  }
  return id;
}

size_t allocated() {
  const auto info = ::mallinfo2();
  return info.uordblks + info.hblkhd;
}

// Bytes for each blob by the index's own account and by the allocator's.
void expect_small(uint64_t blobs, uint64_t blobs_per_pack) {
  SCOPED_TRACE(blobs);
  ::malloc_trim(0);
  const size_t before = allocated();
  BlobIndex index;
  std::vector<PackedBlob> pack(blobs_per_pack);
  for (uint64_t first = 0; first < blobs; first += blobs_per_pack) {
    for (uint64_t i = 0; i < blobs_per_pack; ++i) {
      pack[i] = {synthetic_id(first + i), i % 20 ? BlobType::data : BlobType::tree, static_cast<uint32_t>(i * 1000),
                 1000, 2000};
    }
    index.load_pack(synthetic_id(~first), pack);
  }
  index.finish_loading();
  const double count = static_cast<double>(index.entries().size());
  ASSERT_EQ(index.entries().size(), blobs);
  EXPECT_LE(static_cast<double>(index.memory()) / count, 50);
  EXPECT_LE(static_cast<double>(allocated() - before) / count, 50) << "the allocator's account";
  for (uint64_t number = 0; number < blobs; number += 997) {
    const auto type = number % blobs_per_pack % 20 ? BlobType::data : BlobType::tree;
    const auto found = index.find(type, synthetic_id(number));
    ASSERT_TRUE(found) << number;
    ASSERT_EQ(found->blob.offset, number % blobs_per_pack * 1000);
    ASSERT_EQ(found->pack, synthetic_id(~(number / blobs_per_pack * blobs_per_pack)));
  }
}

TEST(Growth, an_index_takes_at_most_50_bytes_for_each_of_2_million_blobs) {
  expect_small(2'000'000, 40);
}
TEST(Growth, whatever_their_number_is) {
  // Just past where a buffer that doubles would be twice as large as needed.
  expect_small(360'000, 40);
}

TEST(Growth, listing_5000_snapshots_asks_the_store_no_more_often_than_it_must) {
  constexpr size_t kSnapshots = 5000;
  SmallRepository small;
  {
    auto repository = small.open().value();
    Codec codec(repository->master_key());
    Snapshot snapshot;
    snapshot.paths = {"/dump.sql"};
    snapshot.hostname = "db";
    for (size_t i = 0; i < kSnapshots; ++i) {
      snapshot.time = {seconds_of(2026, 1, 1, 0, 0, 0) + static_cast<int64_t>(i), 0, 0};
      ASSERT_TRUE(repository->save(ObjectType::snapshot, snapshot_text(snapshot), codec));
    }
  }
  const sys::TempDir directory = sys::TempDir::create("growth").value();
  const auto store = std::make_shared<HookStore>(small.store, true);
  std::atomic<size_t> asked{0};
  store->on_read([&](const std::string&) { ++asked; });
  const auto list = [&](bool cache) {
    auto repository = small.open(store).value();
    if (cache) repository->use_cache(directory.path());
    asked = 0;
    const auto found = repository->load_snapshots();
    EXPECT_TRUE(found);
    EXPECT_EQ(found->size(), kSnapshots);
    EXPECT_TRUE(std::is_sorted(found->begin(), found->end(),
                               [](const Snapshot& a, const Snapshot& b) { return a.time.before(b.time); }));
    return asked.load();
  };
  EXPECT_EQ(list(false), 1 + kSnapshots) << "one listing, and each object once";
  EXPECT_EQ(list(true), 1 + kSnapshots) << "the same to fill the cache";
  EXPECT_EQ(list(true), 1u) << "only the listing once the cache is warm";
}

}  // namespace
}  // namespace holdfast::repo

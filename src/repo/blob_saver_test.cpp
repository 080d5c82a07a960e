// The write path from many threads at once, and what it leaves when it ends early. Made for the sanitizer presets.
#include "repo/blob_saver.h"

#include <gtest/gtest.h>

#include "crypto/sha256.h"
#include "repo/lock.h"
#include "repo/stream_saver.h"
#include "tests/support/small_repository.h"

namespace holdfast::repo {
namespace {

using test::SmallRepository;

SaverOptions small_packs(unsigned workers) {
  SaverOptions options;
  options.pack_size = 64 * 1024;
  options.workers = workers;
  return options;
}

// A source that never ends and asks for a stop on the way.
class EndlessSource final : public ByteSource {
 public:
  explicit EndlessSource(std::stop_source& stop) : stop_(stop) {}
  Result<size_t> read(MutableByteSpan into) override {
    for (uint8_t& byte : into) byte = static_cast<uint8_t>(generator_());
    given_ += into.size();
    if (given_ > 40 * 1024 * 1024) stop_.request_stop();
    return into.size();
  }

 private:
  std::stop_source& stop_;
  std::mt19937 generator_{1};
  size_t given_ = 0;
};

class FailingSource final : public ByteSource {
 public:
  Result<size_t> read(MutableByteSpan into) override {
    if (++reads_ > 20) return fail(ErrorClass::failed, "test.producer", "the producer failed");
    into = into.first(std::min<size_t>(into.size(), 1024 * 1024));
    for (uint8_t& byte : into) byte = static_cast<uint8_t>(generator_());
    return into.size();
  }

 private:
  std::mt19937 generator_{2};
  int reads_ = 0;
};

TEST(BlobSaver, is_gone_soon_though_tasks_still_wait) {
  SmallRepository small;
  auto repository = small.open().value();
  ASSERT_TRUE(repository->load_index());
  const Buffer bytes = test::random_bytes(8 * 1024 * 1024, 7);
  std::vector<Id> ids(1000);
  std::atomic<size_t> done{0};
  {
    BlobSaver saver(*repository, small_packs(2), {});
    for (size_t i = 0; i < ids.size(); ++i) {
      BlobSaver::Task task;
      task.plain = bytes.span(i * 8192, 8192);
      task.id = &ids[i];
      task.done = [&](BlobSaver::Worker&) -> Status {
        ++done;
        return {};
      };
      ASSERT_TRUE(saver.submit(std::move(task)));
    }
  }  // packs that workers hand over now are taken by no uploader, so none may be waited for
  EXPECT_LE(done.load(), ids.size());
}

TEST(BlobSaver, the_same_blobs_from_several_threads_are_stored_once) {
  SmallRepository small;
  auto repository = small.open().value();
  ASSERT_TRUE(repository->load_index());
  const Buffer bytes = test::random_bytes(2 * 1024 * 1024, 8);
  constexpr size_t kBlobs = 256, kThreads = 4, kSize = 8192;
  std::vector<std::vector<Id>> ids(kThreads, std::vector<Id>(kBlobs));
  BlobSaver saver(*repository, small_packs(3), {});
  std::atomic<size_t> trees{0};
  {
    std::vector<std::jthread> threads;
    for (size_t t = 0; t < kThreads; ++t) {
      threads.emplace_back([&, t] {
        for (size_t i = 0; i < kBlobs; ++i) {
          BlobSaver::Task task;
          task.plain = bytes.span(i * kSize, kSize);
          task.id = &ids[t][i];
          task.done = [&, t, i](BlobSaver::Worker& worker) -> Status {
            if (i % 16 == 0) trees += TRY(worker.save_now(BlobType::tree, as_bytes(ids[t][i].hex()))) != Id{};
            return {};
          };
          EXPECT_TRUE(saver.submit(std::move(task)));
        }
      });
    }
  }
  ASSERT_TRUE(saver.flush());
  EXPECT_EQ(saver.stats().data_blobs.load(), kBlobs);
  EXPECT_EQ(saver.stats().tree_blobs.load(), kBlobs / 16);
  EXPECT_EQ(trees.load(), kThreads * kBlobs / 16);
  auto again = small.open().value();
  ASSERT_TRUE(again->load_index());
  Codec codec(again->master_key());
  for (size_t i = 0; i < kBlobs; ++i) {
    for (const auto& of_thread : ids) ASSERT_EQ(of_thread[i].bytes, crypto::sha256(bytes.span(i * kSize, kSize)));
    const auto back = again->load_blob(BlobType::data, ids[0][i], codec);
    ASSERT_TRUE(back) << back.error().to_string();
    EXPECT_TRUE(test::same_bytes(*back, bytes.span(i * kSize, kSize)));
  }
}

// What a broken encoder would write: the blob reads back as something else, or not at all.
TEST(BlobSaver, a_blob_that_cannot_be_read_back_is_never_stored) {
  const Buffer content = test::random_bytes(300'000, 11);
  std::string text;
  for (int i = 0; i < 20'000; ++i) text += "insert into t values (" + std::to_string(i * 7919 % 1000) + ");";
  for (const bool only_compressed : {true, false}) {
    SCOPED_TRACE(only_compressed ? "the compressor is broken" : "sealing is broken");
    SmallRepository small;
    auto repository = small.open().value();
    ASSERT_TRUE(repository->load_index());
    SaverOptions options = small_packs(1);
    options.tamper = [&](const PackedBlob& blob, MutableByteSpan sealed) {
      if (only_compressed && !blob.compressed()) return;
      sealed[sealed.size() / 2] ^= 1;
    };
    SnapshotOptions snapshot;
    snapshot.time = {seconds_of(2026, 1, 1, 0, 0, 0), 0, 0};
    StreamBackup backup(*repository, options, snapshot, {});
    const auto source = read_memory(as_bytes(text));
    auto added = backup.add("a/dump", *source);
    auto made = added ? backup.commit() : Result<Snapshot>(std::unexpected(added.error()));
    if (only_compressed) {
      // It is stored without compression, and right.
      ASSERT_TRUE(made) << made.error().to_string();
      auto reading = small.open().value();
      ASSERT_TRUE(reading->load_index());
      const auto back = SmallRepository::read(*reading, *made, "a/dump");
      ASSERT_TRUE(back) << back.error().to_string();
      EXPECT_TRUE(test::same_bytes(*back, as_bytes(text)));
      continue;
    }
    ASSERT_FALSE(made);
    EXPECT_EQ(made.error().id, "repo.blob.unreadable") << made.error().to_string();
    for (const auto& [key, bytes] : small.store->image()) {
      EXPECT_FALSE(key.starts_with("data/") || key.starts_with("index/") || key.starts_with("snapshots/")) << key;
    }
  }
}

TEST(BlobSaver, the_proof_knows_every_bit) {
  SmallRepository small;
  BlobProof proof(small.master_key);
  crypto::Sealer sealer(small.master_key);
  codec::ZstdCompressor compressor(codec::ZstdProfile::stream);
  std::string text;
  for (int i = 0; i < 300; ++i) text += "row " + std::to_string(i * 31 % 17) + "\n";
  OpenPack pack;
  const Id id{crypto::sha256(as_bytes(text))};
  ASSERT_TRUE(append_blob(pack, BlobType::data, id, as_bytes(text),
                          {.compressor = &compressor, .sealer = sealer, .proof = &proof}));
  ASSERT_TRUE(append_blob(pack, BlobType::data, id, {}, {.sealer = sealer, .proof = &proof}));
  ASSERT_TRUE(pack.blobs[0].compressed());
  for (size_t bit = 0; bit < 8 * pack.blobs[0].length; bit += 3) {
    Buffer sealed = Buffer::copy_of(pack.bytes.span(0, pack.blobs[0].length));
    sealed[bit / 8] ^= static_cast<uint8_t>(1 << bit % 8);
    ASSERT_FALSE(proof.check(pack.blobs[0], sealed, as_bytes(text))) << bit;
  }
  std::string other = text;
  other[100] ^= 1;
  EXPECT_FALSE(proof.check(pack.blobs[0], pack.bytes.span(0, pack.blobs[0].length), as_bytes(other)));
}

TEST(StoreStream, a_stop_in_the_middle_ends_it_and_frees_what_was_read_ahead) {
  SmallRepository small;
  auto repository = small.open().value();
  ASSERT_TRUE(repository->load_index());
  std::stop_source stop;
  EndlessSource source(stop);
  BlobSaver saver(*repository, small_packs(2), stop.get_token());
  const auto stored = store_stream(*repository, saver, source, {});
  ASSERT_FALSE(stored);
  EXPECT_EQ(stored.error().id, "interrupted");
}

TEST(StoreStream, a_failed_producer_is_told_while_blobs_are_on_their_way) {
  SmallRepository small;
  auto repository = small.open().value();
  ASSERT_TRUE(repository->load_index());
  FailingSource source;
  BlobSaver saver(*repository, small_packs(2), {});
  const auto stored = store_stream(*repository, saver, source, {});
  ASSERT_FALSE(stored);
  EXPECT_EQ(stored.error().id, "test.producer");
}

TEST(StoreStream, a_changed_stream_follows_its_parent) {
  SmallRepository small;
  Buffer bytes = test::random_bytes(24 * 1024 * 1024, 9);
  std::vector<Id> parent;
  for (int round = 0; round < 3; ++round) {
    auto repository = small.open().value();
    ASSERT_TRUE(repository->load_index());
    BlobSaver saver(*repository, SaverOptions{}, {});
    const auto source = read_memory(bytes);
    const auto stored = store_stream(*repository, saver, *source, parent);
    ASSERT_TRUE(stored) << stored.error().to_string();
    ASSERT_TRUE(saver.flush());
    EXPECT_EQ(stored->size, bytes.size());
    if (round > 0) {
      EXPECT_GT(stored->predicted_bytes, bytes.size() / 2);
    }
    auto again = small.open().value();
    ASSERT_TRUE(again->load_index());
    Buffer back;
    const auto dumped = dump_blobs(*again, stored->content,
                                   [&](ByteSpan part) -> Status {
                                     back.append(part);
                                     return {};
                                   },
                                   {}, {});
    ASSERT_TRUE(dumped) << dumped.error().to_string();
    EXPECT_TRUE(test::same_bytes(back, bytes));
    parent = stored->content;
    for (size_t at = 5'000'000; at < 5'000'100; ++at) bytes[at] ^= 0x55;
    bytes[bytes.size() - 1] ^= 1;
  }
}

TEST(DumpBlobs, a_writer_that_fails_ends_the_readers) {
  SmallRepository small;
  const Snapshot snapshot = small.must_backup("a/file", test::random_bytes(20 * 1024 * 1024, 10), 0);
  auto repository = small.open().value();
  ASSERT_TRUE(repository->load_index());
  Codec codec(repository->master_key());
  const auto node = find_node(*repository, snapshot.tree, "a/file", codec).value();
  ASSERT_TRUE(node);
  int writes = 0;
  const auto dumped = dump_blobs(*repository, node->content,
                                 [&](ByteSpan) -> Status {
                                   if (++writes == 3) return fail(ErrorClass::failed, "test.full", "no more");
                                   return {};
                                 },
                                 {}, {});
  ASSERT_FALSE(dumped);
  EXPECT_EQ(dumped.error().id, "test.full");
}

TEST(Lock, shared_ones_live_side_by_side_and_keep_the_exclusive_one_out) {
  SmallRepository small;
  auto repository = small.open().value();
  std::vector<std::unique_ptr<Lock>> held(3);
  {
    std::vector<std::jthread> threads;
    for (auto& lock : held) {
      threads.emplace_back([&] {
        auto taken = Lock::acquire(*repository, LockKind::shared, std::chrono::seconds(0), {});
        if (taken) lock = std::move(*taken);
      });
    }
  }
  for (const auto& lock : held) {
    ASSERT_TRUE(lock);
    EXPECT_TRUE(lock->confirm());
  }
  const auto exclusive = Lock::acquire(*repository, LockKind::exclusive, std::chrono::seconds(0), {});
  ASSERT_FALSE(exclusive);
  EXPECT_EQ(exclusive.error().id, "repo.locked");
  held.clear();
  EXPECT_TRUE(Lock::acquire(*repository, LockKind::exclusive, std::chrono::seconds(0), {}));
}

}  // namespace
}  // namespace holdfast::repo

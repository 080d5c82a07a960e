// Streams stored with a parent: whatever the parent says, the blobs are those that a backup without one would make, and
// the content reads back byte for byte.
#include "repo/stream_saver.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include "crypto/sha256.h"
#include "repo/dump.h"
#include "repo/format/chunker.h"
#include "sys/file.h"
#include "tests/support/small_repository.h"

namespace holdfast::repo {
namespace {

using test::SmallRepository;
constexpr size_t kMiB = 1 << 20;

Buffer noise(size_t size, uint64_t seed) {
  Buffer bytes(size);
  std::mt19937_64 random(seed);
  for (size_t i = 0; i + 8 <= size; i += 8) {
    const uint64_t word = random();
    std::memcpy(bytes.data() + i, &word, 8);
  }
  for (size_t i = size / 8 * 8; i < size; ++i) bytes[i] = static_cast<uint8_t>(random());
  return bytes;
}

Buffer join(std::initializer_list<ByteSpan> parts) {
  Buffer all;
  for (const ByteSpan part : parts) all.append(part);
  return all;
}

Buffer zeros(size_t size) {
  Buffer bytes(size);
  std::memset(bytes.data(), 0, size);
  return bytes;
}

// Bytes with runs of zeros, long ones and short ones, and pieces that repeat: databases with empty pages.
Buffer gappy(uint64_t seed) {
  const Buffer piece = noise(3 * kMiB, seed + 1);
  return join({noise(kMiB, seed), zeros(5 * kMiB), piece, zeros(kMiB / 3), noise(2 * kMiB, seed + 2), zeros(4 * kMiB),
               piece, piece, zeros(9 * kMiB + 12345), noise(700'000, seed + 3)});
}

class Prediction : public testing::TestWithParam<bool> {  // whether the stream is a mapped file
 protected:
  Prediction() {
    parent_repository_ = small_.open().value();
    EXPECT_TRUE(parent_repository_->load_index());
  }

  StoredStream store(Repository& repository, ByteSpan bytes, const std::vector<Id>& parent) {
    BlobSaver saver(repository, {.compression = Compression::off, .workers = 2}, {});
    std::unique_ptr<ByteSource> source = read_memory(bytes);
    sys::Fd fd;
    if (GetParam()) {
      const std::string path = directory_.path() + "/stream";
      EXPECT_TRUE(sys::publish_file(path, bytes, 0600));
      fd = sys::open_file(path, O_RDONLY).value();
      source = read_descriptor(fd.get());
    }
    auto stored = store_stream(repository, saver, *source, parent);
    EXPECT_TRUE(stored) << stored.error().to_string();
    EXPECT_TRUE(saver.flush());
    return stored ? *stored : StoredStream{};
  }
  static Buffer read_back(Repository& repository, const std::vector<Id>& content) {
    Buffer all;
    const auto done = dump_blobs(repository, content,
                                 [&](ByteSpan bytes) -> Status {
                                   all.append(bytes);
                                   return {};
                                 },
                                 {}, {});
    EXPECT_TRUE(done) << done.error().to_string();
    return all;
  }
  /// Lengths of the chunks that `chunker` makes of `bytes`.
  static std::vector<size_t> cuts_of(const Chunker& chunker, ByteSpan bytes) {
    std::vector<size_t> lengths;
    while (!bytes.empty()) {
      lengths.push_back(chunker.next_cut(bytes, true).value());
      bytes = bytes.subspan(lengths.back());
    }
    return lengths;
  }
  /// Stores pieces of these lengths as blobs, as a program with other cuts would.
  std::vector<Id> store_as(ByteSpan bytes, const std::vector<size_t>& lengths) {
    std::vector<Id> ids(lengths.size());
    BlobSaver saver(*parent_repository_, {.compression = Compression::off, .workers = 1}, {});
    for (size_t i = 0; i < ids.size(); ++i) {
      BlobSaver::Task task;
      task.plain = bytes.first(lengths[i]);
      task.id = &ids[i];
      EXPECT_TRUE(saver.submit(std::move(task)));
      bytes = bytes.subspan(lengths[i]);
    }
    EXPECT_TRUE(saver.flush());
    return ids;
  }
  /// The blobs that `bytes` consist of by the chunker alone.
  std::vector<Id> blobs_without_parent(ByteSpan bytes) const {
    const Chunker chunker(parent_repository_->config().polynomial);
    std::vector<Id> ids;
    while (!bytes.empty()) {
      const size_t cut = chunker.next_cut(bytes, true).value();
      ids.push_back(Id{crypto::sha256(bytes.first(cut))});
      bytes = bytes.subspan(cut);
    }
    return ids;
  }
  void expect_same(const std::string& what, ByteSpan bytes, const std::vector<Id>& parent) {
    SCOPED_TRACE(what);
    const StoredStream stored = store(*parent_repository_, bytes, parent);
    EXPECT_EQ(stored.size, bytes.size());
    EXPECT_TRUE(stored.content == blobs_without_parent(bytes)) << "the parent changed where blobs end";
    EXPECT_TRUE(test::same_bytes(read_back(*parent_repository_, stored.content), bytes)) << "other bytes came back";
    EXPECT_LE(stored.predicted_bytes, stored.size);
  }

  SmallRepository small_;
  std::unique_ptr<Repository> parent_repository_;
  sys::TempDir directory_ = sys::TempDir::create("prediction").value();
};

TEST_P(Prediction, the_same_stream_is_predicted_to_its_last_byte) {
  for (const Buffer& bytes : {noise(20 * kMiB, 1), gappy(2), noise(1000, 3)}) {
    const auto parent = store(*parent_repository_, bytes, {}).content;
    const StoredStream again = store(*parent_repository_, bytes, parent);
    EXPECT_TRUE(again.content == parent);
    EXPECT_EQ(again.predicted_bytes, bytes.size());
  }
}

TEST_P(Prediction, streams_that_were_shifted_cut_or_grown) {
  const Buffer base = noise(16 * kMiB, 10);
  const auto parent = store(*parent_repository_, base, {}).content;
  const auto first_length = parent_repository_->index().find(BlobType::data, parent[0])->blob.plain_length();
  const Buffer more = noise(5 * kMiB, 11);
  expect_same("a byte in front", join({as_bytes("x"), base}), parent);
  expect_same("a byte less in front", base.span(1, base.size() - 1), parent);
  expect_same("5 MiB in front", join({more, base}), parent);
  expect_same("5 MiB in the middle",
              join({base.span(0, 7'000'000), more, base.span(7'000'000, base.size() - 7'000'000)}), parent);
  expect_same("3 MB less in the middle", join({base.span(0, 6'000'000), base.span(9'000'000, base.size() - 9'000'000)}),
              parent);
  expect_same("5 MiB behind", join({base, more}), parent);
  expect_same("a byte behind", join({base, as_bytes("x")}), parent);
  expect_same("a byte less behind", base.span(0, base.size() - 1), parent);
  expect_same("the first blob alone", base.span(0, first_length), parent);
  expect_same("the first blob and a byte", base.span(0, first_length + 1), parent);
  expect_same("the first blob but a byte", base.span(0, first_length - 1), parent);
  expect_same("without the first blob", base.span(first_length, base.size() - first_length), parent);
  expect_same("twice", join({base, base}), parent);
  expect_same("halves exchanged", join({base.span(8 * kMiB, 8 * kMiB), base.span(0, 8 * kMiB)}), parent);
  expect_same("nothing in common", more, parent);
}

TEST_P(Prediction, blobs_that_repeat) {
  const Buffer base = gappy(20);
  const auto parent = store(*parent_repository_, base, {}).content;
  const size_t half = base.size() / 2;
  expect_same("one run of zeros longer",
              join({base.span(0, 2 * kMiB), zeros(3 * kMiB + 77), base.span(2 * kMiB, base.size() - 2 * kMiB)}),
              parent);
  expect_same("one run of zeros shorter", join({base.span(0, 2 * kMiB), base.span(4 * kMiB, base.size() - 4 * kMiB)}),
              parent);
  expect_same("a byte in a run",
              join({base.span(0, 3 * kMiB), as_bytes("x"), base.span(3 * kMiB, base.size() - 3 * kMiB)}), parent);
  expect_same("zeros alone", zeros(13 * kMiB + 5), parent);
  expect_same("halves exchanged", join({base.span(half, base.size() - half), base.span(0, half)}), parent);
  const auto only_zeros = store(*parent_repository_, zeros(20 * kMiB), {}).content;
  expect_same("a parent of zeros", base, only_zeros);
}

TEST_P(Prediction, edits_at_random) {
  for (uint64_t seed = 0; seed < 6; ++seed) {
    std::mt19937_64 random(seed);
    const Buffer base = seed % 2 ? gappy(seed + 30) : noise(12 * kMiB, seed + 30);
    const auto parent = store(*parent_repository_, base, {}).content;
    Buffer edited = Buffer::copy_of(base);
    for (uint64_t edits = 1ull << random() % 8; edits > 0; --edits) {
      const size_t at = random() % edited.size(), length = std::min<size_t>(random() % 200'000, edited.size() - at);
      const ByteSpan head = edited.span(0, at), tail = edited.span(at + length, edited.size() - at - length);
      const uint64_t kind = random() % 4;
      if (kind == 0) {
        edited[at] = static_cast<uint8_t>(edited[at] + 1);
      } else if (kind == 1) {
        edited = join({head, tail});
      } else if (kind == 2) {
        edited = join({head, noise(length, random()), edited.span(at, edited.size() - at)});
      } else {
        edited = join({head, noise(length, random()), tail});
      }
    }
    expect_same("seed " + std::to_string(seed), edited, parent);
  }
}

TEST_P(Prediction, a_parent_with_blobs_that_are_in_no_index) {
  const Buffer base = noise(16 * kMiB, 40);
  const auto good = store(*parent_repository_, base, {}).content;
  for (size_t step : {1, 2, 3}) {
    auto parent = good;
    for (size_t i = 0; i < parent.size(); i += step) parent[i].bytes[7] ^= 1;
    expect_same("every " + std::to_string(step) + ". blob is missing", base, parent);
    expect_same("and a byte is new", join({as_bytes("x"), base}), parent);
  }
  expect_same("the same blob all the time", base, std::vector<Id>(50, good[0]));
  expect_same("in reverse", base, std::vector<Id>(good.rbegin(), good.rend()));
}

TEST_P(Prediction, a_parent_whose_blobs_are_no_chunks_of_ours) {
  // As another program or another chunker leaves them: every length, some far below the smallest chunk.
  const Buffer base = noise(10 * kMiB, 50);
  for (const size_t length : {size_t{100}, size_t{65'536}, 3 * kMiB}) {
    std::vector<size_t> lengths(base.size() / length, length);
    if (base.size() % length != 0) lengths.push_back(base.size() % length);
    const auto ids = store_as(base, lengths);
    expect_same("pieces of " + std::to_string(length), base, ids);
    expect_same("and a byte in front", join({as_bytes("x"), base}), ids);
  }
}

// A parent cut by another polynomial, as after a copy between repositories that were not made for each other. One of
// its cuts is one of ours once in a million times, so its blobs are not even hashed: the stream is cut and stored as if
// there were no parent, and nothing of the parent is used again. Correct, but no dedup; `repo init
// --copy-chunker-params` is the remedy.
TEST_P(Prediction, a_parent_cut_by_another_polynomial) {
  constexpr uint64_t kOther = 0x3abc9bff07d9e5;
  ASSERT_TRUE(is_chunker_polynomial(kOther));
  ASSERT_NE(parent_repository_->config().polynomial, kOther);
  const Buffer base = noise(24 * kMiB, 60);
  const auto parent = store_as(base, cuts_of(Chunker(kOther), base));
  EXPECT_FALSE(parent == blobs_without_parent(base));
  expect_same("unchanged", base, parent);
  expect_same("and a byte in front", join({as_bytes("x"), base}), parent);
  const Buffer head = noise(100'000, 61);
  expect_same("another head", join({head, base.span(head.size(), base.size() - head.size())}), parent);
}

// A parent's blob that ends in one of our cuts and has others inside (a program with another smallest or average
// chunk): "equal content from an equal start implies the same cut" does not hold for it. It is taken whole, since its
// hash proves the content: the stream reads back equal and costs nothing new. What is lost is dedup with streams that
// have no such parent: they are cut at the inner cuts, too, and their chunks are stored beside the whole blob. Behind
// it both go on alike, since it ended in a cut of ours.
TEST_P(Prediction, a_parent_whose_blobs_span_cuts_of_ours) {
  const Buffer base = noise(24 * kMiB, 70);
  const Chunker ours(parent_repository_->config().polynomial);
  std::vector<size_t> spans;  // two or more of our chunks each, as long as they fit into one
  for (const size_t length : cuts_of(ours, base)) {
    if (!spans.empty() && spans.back() + length <= kMaxChunk) {
      spans.back() += length;
    } else {
      spans.push_back(length);
    }
  }
  const auto parent = store_as(base, spans);
  ASSERT_LT(parent.size(), blobs_without_parent(base).size());

  const StoredStream again = store(*parent_repository_, base, parent);
  EXPECT_TRUE(again.content == parent) << "the parent's blobs are used again";
  EXPECT_EQ(again.predicted_bytes, base.size()) << "and nothing is stored";
  EXPECT_TRUE(test::same_bytes(read_back(*parent_repository_, again.content), base));

  // A byte changes inside the second blob: that one is cut as ours, the others stay whole.
  Buffer edited = Buffer::copy_of(base);
  edited[spans[0] + spans[1] / 2] ^= 1;
  const StoredStream changed = store(*parent_repository_, edited, parent);
  EXPECT_TRUE(test::same_bytes(read_back(*parent_repository_, changed.content), edited));
  EXPECT_EQ(changed.size, edited.size());
  EXPECT_TRUE(changed.content.front() == parent.front());
  EXPECT_TRUE(changed.content.back() == parent.back());
  const size_t second = spans[0];
  const auto inner = blobs_without_parent(edited.span(second, spans[1]));
  ASSERT_GT(inner.size(), 1u);
  ASSERT_GT(changed.content.size(), inner.size());
  EXPECT_TRUE(std::equal(inner.begin(), inner.end(), changed.content.begin() + 1)) << "the changed part is cut as ours";

  // Without that parent the same bytes make the chunks of everybody else.
  expect_same("no parent", base, {});
}

INSTANTIATE_TEST_SUITE_P(Sources, Prediction, testing::Bool(),
                         [](const auto& info) { return info.param ? "mapped" : "read"; });

}  // namespace
}  // namespace holdfast::repo

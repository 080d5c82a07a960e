// Files that others write to, or cut short, while they are backed up: what is stored is what its hashes say, a stream
// that lost its end fails, and a tree names the file and goes on.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include "repo/check.h"
#include "repo/tree_backup.h"
#include "sys/file.h"
#include "tests/support/hook_store.h"
#include "tests/support/small_repository.h"

namespace holdfast::repo {
namespace {

using test::SmallRepository;

class ChangingInput : public testing::Test {
 protected:
  static constexpr size_t kSize = 48 << 20;  // far more than the queue takes before the first pack is stored

  ChangingInput() { write(0); }

  void write(uint32_t seed) {
    const Buffer bytes = test::random_bytes(kSize, seed);
    fd_ = *sys::open_file(path_, O_RDWR | O_CREAT);
    EXPECT_EQ(::pwrite(fd_.get(), bytes.data(), bytes.size(), 0), static_cast<ssize_t>(bytes.size()));
  }
  // Other bytes everywhere, several times: some blob is hashed before the last of them and stored after it.
  void rewrite() {
    Buffer bytes = test::random_bytes(kSize, 77);
    for (uint8_t round = 0; round < 8; ++round) {
      for (size_t i = 0; i < bytes.size(); i += 4096) bytes[i] = round;
      EXPECT_EQ(::pwrite(fd_.get(), bytes.data(), bytes.size(), 0), static_cast<ssize_t>(bytes.size()));
    }
  }
  void shrink_to(size_t size) { EXPECT_EQ(::ftruncate(fd_.get(), static_cast<off_t>(size)), 0); }

  // `at_first_pack` is called when the first pack comes, while all other packs wait: the backup is then in the middle
  // of its input, with blobs hashed and not yet stored.
  std::unique_ptr<Repository> open(std::function<void()> at_first_pack) {
    const auto store = std::make_shared<test::HookStore>(small_.store);
    store->before_put("data/", [act = std::move(at_first_pack)](const std::string&) { act(); });
    auto repository = small_.open(store).value();
    EXPECT_TRUE(repository->load_index());
    return repository;
  }
  static SaverOptions saver() { return {.pack_size = 64 * 1024, .workers = 1}; }

  Result<Snapshot> back_up_stream(std::function<void()> at_first_pack) {
    const auto repository = open(std::move(at_first_pack));
    SnapshotOptions options;
    options.time = {repo::seconds_of(2026, 1, 1, 0, 0, 0), 0, 0};
    StreamBackup backup(*repository, saver(), options, {});
    ::lseek(fd_.get(), 0, SEEK_SET);
    const auto source = read_descriptor(fd_.get());
    TRY_VOID(backup.add("a/dump", *source));
    return backup.commit();
  }
  Result<TreeBackupResult> back_up_tree(std::function<void()> at_first_pack) {
    const auto repository = open(std::move(at_first_pack));
    TreeBackupProgress progress;
    SnapshotOptions options;
    options.time = {repo::seconds_of(2026, 1, 1, 0, 0, 0), 0, 0};
    return back_up_trees(*repository, {directory_.path()}, {}, saver(), options, true, progress, {}, {});
  }

  size_t snapshots() { return small_.open().value()->load_snapshots().value().size(); }
  void expect_sound() {
    const auto repository = small_.open().value();
    std::string errors;
    CheckOptions options;
    options.read.kind = ReadSelection::Kind::all;
    options.on_error = [&](const Error& error) { errors += error.to_string() + "\n"; };
    const auto report = check_repository(*repository, options, {});
    ASSERT_TRUE(report) << report.error().to_string();
    EXPECT_EQ(report->errors, 0u) << errors;
  }
  void expect_shrank(const Result<Snapshot>& made) {
    ASSERT_FALSE(made) << "a stream whose end is gone was stored";
    EXPECT_EQ(made.error().id, "backup.input_shrank");
    EXPECT_EQ(made.error().error_class, ErrorClass::failed);
    EXPECT_FALSE(made.error().hint.empty());
    EXPECT_EQ(snapshots(), 0u);
    expect_sound();
  }

  SmallRepository small_;
  sys::TempDir directory_ = sys::TempDir::create("changing").value();
  const std::string path_ = directory_.path() + "/file";
  sys::Fd fd_;
};

TEST_F(ChangingInput, a_stream_from_a_file_that_is_written_to_is_stored_under_the_hashes_of_what_is_stored) {
  const auto made = back_up_stream([&] { rewrite(); });
  ASSERT_TRUE(made) << made.error().to_string();
  expect_sound();
}

TEST_F(ChangingInput, a_file_of_a_tree_that_is_written_to_is_stored_under_the_hashes_of_what_is_stored) {
  const auto made = back_up_tree([&] { rewrite(); });
  ASSERT_TRUE(made) << made.error().to_string();
  EXPECT_TRUE(made->problems.empty());
  expect_sound();
}

TEST_F(ChangingInput, the_same_with_a_parent_whose_cuts_are_followed) {
  ASSERT_TRUE(back_up_stream([] {}));
  Buffer one(1);
  for (size_t at = 3 << 20; at < kSize; at += 4 << 20) ASSERT_EQ(::pwrite(fd_.get(), one.data(), 1, at), 1);
  const auto made = back_up_stream([&] { rewrite(); });
  ASSERT_TRUE(made) << made.error().to_string();
  expect_sound();
}

TEST_F(ChangingInput, a_stream_that_is_cut_in_half_fails_and_nothing_is_visible) {
  expect_shrank(back_up_stream([&] { shrink_to(kSize / 2 + 1000); }));
}

TEST_F(ChangingInput, a_stream_that_is_emptied_fails_and_nothing_is_visible) {
  expect_shrank(back_up_stream([&] { shrink_to(0); }));
}

TEST_F(ChangingInput, a_stream_that_loses_the_end_of_its_last_page_fails_and_nothing_is_visible) {
  // No page is missing then: the bytes read as zeros.
  expect_shrank(back_up_stream([&] { shrink_to(kSize - 10); }));
}

TEST_F(ChangingInput, a_stream_that_is_cut_before_the_backup_began_is_stored_as_it_is) {
  shrink_to(kSize / 2 + 1000);
  const auto made = back_up_stream([] {});
  ASSERT_TRUE(made) << made.error().to_string();
  EXPECT_EQ(made->summary->total_bytes_processed, kSize / 2 + 1000);
  expect_sound();
}

TEST_F(ChangingInput, a_tree_names_the_file_that_shrank_and_keeps_the_others) {
  ASSERT_TRUE(sys::publish_file(directory_.path() + "/other", as_bytes("of no change"), 0600));
  for (const size_t size : {size_t{0}, kSize / 2 + 1000, kSize - 10}) {
    SCOPED_TRACE(size);
    write(static_cast<uint32_t>(size));
    const auto made = back_up_tree([&] { shrink_to(size); });
    ASSERT_TRUE(made) << made.error().to_string();
    ASSERT_EQ(made->problems.size(), 1u);
    EXPECT_NE(made->problems[0].find(path_), std::string::npos) << made->problems[0];
    const auto repository = open([] {});
    Codec codec(repository->master_key());
    const auto shrunk = find_node(*repository, made->snapshot.tree, path_, codec);
    ASSERT_TRUE(shrunk);
    EXPECT_FALSE(shrunk->has_value()) << "content that never was is in the snapshot";
    const auto other = SmallRepository::read(*repository, made->snapshot, directory_.path() + "/other");
    ASSERT_TRUE(other) << other.error().to_string();
    EXPECT_EQ(as_text(*other), "of no change");
    expect_sound();
  }
}

// A source that fails in its middle, as a disk does.
class BrokenSource final : public ByteSource {
 public:
  Result<size_t> read(MutableByteSpan into) override {
    if (++reads_ > 3) return fail(sys::errno_error(EIO, "reading the input"));
    std::fill(into.begin(), into.end(), static_cast<uint8_t>(reads_));
    return into.size();
  }

 private:
  int reads_ = 0;
};

TEST_F(ChangingInput, a_source_that_cannot_be_read_is_the_stream_s_error_not_the_saver_s) {
  const auto repository = open([] {});
  BlobSaver blobs(*repository, saver(), {});
  BrokenSource source;
  const auto stored = store_stream(*repository, blobs, source, {});
  ASSERT_FALSE(stored);
  EXPECT_EQ(stored.error().id, "sys.io");
  EXPECT_TRUE(blobs.check());
  EXPECT_TRUE(blobs.flush());
}

}  // namespace
}  // namespace holdfast::repo

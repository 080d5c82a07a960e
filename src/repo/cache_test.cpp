// The local cache of a remote repository is never trusted: whatever happens to its files, results are right and
// commands succeed.
#include "repo/cache.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <thread>

#include "repo/tree_backup.h"
#include "sys/file.h"
#include "tests/support/hook_store.h"
#include "tests/support/small_repository.h"

namespace holdfast::repo {
namespace {

namespace fs = std::filesystem;
using test::HookStore;
using test::SmallRepository;

class CacheTest : public testing::Test {
 protected:
  void SetUp() override {
    // Two snapshots of trees with several directories, each with trees of its own in the cache.
    const std::string top = directory_.path() + "/top";
    for (int round = 0; round < 2; ++round) {
      for (int i = 0; i < 5; ++i) {
        const std::string folder = top + "/" + std::to_string(i) + "/deep";
        ASSERT_TRUE(sys::make_directories(folder, 0700));
        const std::string text = "content " + std::to_string(i) + " of round " + std::to_string(round);
        ASSERT_TRUE(sys::publish_file(folder + "/file", as_bytes(text), 0600));
        expected_[round][folder + "/file"] = text;
      }
      auto repository = open();
      ASSERT_TRUE(repository->load_index());
      SnapshotOptions options;
      options.time = {seconds_of(2026, 1, 1 + round, 0, 0, 0), 0, 0};
      TreeBackupProgress progress;
      const auto made = back_up_trees(*repository, {top}, {}, {.workers = 1}, options, true, progress, {}, {});
      ASSERT_TRUE(made) << made.error().to_string();
    }
    ASSERT_NO_FATAL_FAILURE(expect_right("while the cache is filled"));
    ASSERT_GE(cached().size(), 6u) << "two indexes, two snapshots, two packs of trees";
  }

  std::unique_ptr<Repository> open() {
    auto repository = small_.open(store_).value();
    repository->use_cache(cache_);
    return repository;
  }

  /// One command's worth of reading: indexes, snapshots, every directory and file of each.
  void expect_right(const std::string& when) {
    SCOPED_TRACE(when);
    auto repository = open();
    const auto loaded = repository->load_index();
    ASSERT_TRUE(loaded) << loaded.error().to_string();
    const auto snapshots = repository->load_snapshots();
    ASSERT_TRUE(snapshots) << snapshots.error().to_string();
    ASSERT_EQ(snapshots->size(), 2u);
    for (size_t round = 0; round < 2; ++round) {
      for (const auto& [path, text] : expected_[round]) {
        const auto content = SmallRepository::read(*repository, (*snapshots)[round], path);
        ASSERT_TRUE(content) << path << ": " << content.error().to_string();
        ASSERT_EQ(as_text(*content), text) << path;
      }
    }
  }
  std::vector<std::string> cached() const {
    std::vector<std::string> found;
    for (const auto& entry : fs::recursive_directory_iterator(cache_)) {
      if (entry.is_regular_file()) found.push_back(entry.path());
    }
    std::sort(found.begin(), found.end());
    return found;
  }
  static Buffer load(const std::string& path) { return sys::read_file(path).value(); }
  static void store(const std::string& path, ByteSpan bytes) { ASSERT_TRUE(sys::publish_file(path, bytes, 0600)); }

  /// Hurts each cached file alone, then all of them at once; afterwards everything must read right, and what is cached
  /// must be good again.
  void with_each(const std::string& what, const std::function<void(const std::string&)>& hurt) {
    const auto files = cached();
    std::map<std::string, Buffer> good;
    for (const auto& file : files) good[file] = load(file);
    for (size_t i = 0; i <= files.size(); ++i) {
      for (size_t k = 0; k < files.size(); ++k) {
        if (i == files.size() || k == i) hurt(files[k]);
      }
      const auto name = what + (i < files.size() ? ": " + files[i].substr(cache_.size()) : ": all");
      ASSERT_NO_FATAL_FAILURE(expect_right(name));
      for (const auto& file : files) {
        // Of a pack, only the blobs are read; damage elsewhere does no harm and stays.
        if (!fs::is_regular_file(file) || file.find("/packs/") != std::string::npos) continue;
        ASSERT_TRUE(test::same_bytes(load(file), good[file])) << name << ": " << file << " stayed wrong";
      }
      for (const auto& file : files) {
        if (fs::is_regular_file(file) && file.find("/packs/") == std::string::npos) continue;
        fs::remove_all(file);
        store(file, good[file]);
      }
    }
  }

  SmallRepository small_;
  std::shared_ptr<HookStore> store_ = std::make_shared<HookStore>(small_.store, true);
  sys::TempDir directory_ = sys::TempDir::create("cache").value();
  const std::string cache_ = directory_.path() + "/cache";
  std::map<std::string, std::string> expected_[2];  // path -> content, by snapshot
};

TEST_F(CacheTest, packs_of_trees_leave_it_with_the_index_that_named_them) {
  const auto packs = [&] {
    size_t count = 0;
    for (const auto& path : cached()) count += path.find("/packs/") != std::string::npos;
    return count;
  };
  ASSERT_GE(packs(), 2u);
  const size_t before = packs();
  ASSERT_TRUE(open()->load_index());
  EXPECT_EQ(packs(), before);
  for (const auto& [key, bytes] : small_.store->image()) {
    if (key.starts_with("index/")) {
      ASSERT_TRUE(small_.store->remove(key));
    }
  }
  ASSERT_TRUE(open()->load_index());
  EXPECT_EQ(packs(), 0u);
}

TEST_F(CacheTest, a_warm_cache_spares_reading_objects) {
  std::vector<std::string> asked;
  store_->on_read([&](const std::string& key) { asked.push_back(key); });
  auto repository = open();
  asked.clear();
  ASSERT_TRUE(repository->load_index());
  ASSERT_TRUE(repository->load_snapshots());
  EXPECT_EQ(asked, (std::vector<std::string>{"index/", "snapshots/"})) << "only listings";
}

TEST_F(CacheTest, truncated_files) {
  for (const int part : {0, 1, 2}) {
    with_each("truncated to " + std::to_string(part) + " halves", [&](const std::string& path) {
      const size_t size = fs::file_size(path);
      fs::resize_file(path, part == 2 ? size - 1 : size / 2 * static_cast<size_t>(part));
    });
  }
}

TEST_F(CacheTest, flipped_bits) {
  for (const double at : {0.0, 0.2, 0.5, 0.9, 1.0}) {
    with_each("a bit flipped at " + std::to_string(at), [&](const std::string& path) {
      Buffer bytes = load(path);
      bytes[static_cast<size_t>(at * static_cast<double>(bytes.size() - 1))] ^= 16;
      store(path, bytes);
    });
  }
}

TEST_F(CacheTest, files_with_another_s_content) {
  const auto files = cached();
  std::vector<Buffer> bodies;
  for (const auto& file : files) bodies.push_back(load(file));
  for (size_t shift = 1; shift < files.size(); ++shift) {
    with_each("the content of another", [&](const std::string& path) {
      const auto at = static_cast<size_t>(std::find(files.begin(), files.end(), path) - files.begin());
      store(path, bodies[(at + shift) % files.size()]);
    });
  }
}

TEST_F(CacheTest, a_foreign_repository_s_cache) {
  SmallRepository other;
  const auto repository = other.open(std::make_shared<HookStore>(other.store, true)).value();
  repository->use_cache(cache_);
  Codec codec(repository->master_key());
  ASSERT_TRUE(
      repository->save(ObjectType::snapshot, R"({"time":"2026-01-01T00:00:00Z","tree":null,"paths":[]})", codec));
  const auto own = cache_ + "/" + small_.open().value()->config().id.hex();
  const auto foreign = cache_ + "/" + repository->config().id.hex();
  ASSERT_TRUE(fs::exists(own) && fs::exists(foreign));
  fs::copy(foreign, own, fs::copy_options::recursive | fs::copy_options::overwrite_existing);
  expect_right("another repository's objects among ours");
}

TEST_F(CacheTest, files_that_cannot_be_read) {
  with_each("a directory in a file's place", [](const std::string& path) {
    fs::remove(path);
    fs::create_directories(path + "/inside");
  });
  with_each("a link to nowhere", [](const std::string& path) {
    fs::remove(path);
    fs::create_symlink("/nowhere/at/all", path);
  });
  with_each("no rights", [](const std::string& path) { fs::permissions(path, fs::perms::none); });
}

TEST_F(CacheTest, a_cache_that_cannot_be_written) {
  fs::remove_all(cache_);
  store(cache_, as_bytes("a file where the directory should be"));
  expect_right("no directory can be made");
  fs::remove(cache_);
  expect_right("and made again");
  EXPECT_GE(cached().size(), 6u);
}

TEST_F(CacheTest, a_cache_that_is_deleted_before_every_read) {
  store_->on_read([&](const std::string&) {
    std::error_code ignored;
    fs::remove_all(cache_, ignored);
  });
  expect_right("deleted at every step");
}

TEST_F(CacheTest, a_cache_that_is_deleted_all_the_time) {
  std::jthread vandal([&](std::stop_token stop) {
    while (!stop.stop_requested()) {
      std::error_code ignored;
      fs::remove_all(cache_, ignored);
    }
  });
  for (int i = 0; i < 20; ++i) ASSERT_NO_FATAL_FAILURE(expect_right("deleted while in use"));
}

TEST_F(CacheTest, what_the_repository_no_longer_has_leaves_the_cache_and_is_never_given_back) {
  auto repository = open();
  const auto before = repository->load_snapshots().value();
  ASSERT_TRUE(small_.open().value()->remove(ObjectType::snapshot, before[0].id));
  const auto after = repository->load_snapshots().value();
  ASSERT_EQ(after.size(), 1u);
  EXPECT_EQ(after[0].id, before[1].id);
  for (const auto& file : cached()) EXPECT_FALSE(file.ends_with(before[0].id.hex()));
}

}  // namespace
}  // namespace holdfast::repo

// A blob that several packs hold is read as long as one of them is whole, and what is damaged is reported.
#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "repo/copy.h"
#include "repo/format/index_file.h"
#include "repo/tree_restore.h"
#include "sys/file.h"
#include "tests/support/small_repository.h"

namespace holdfast::repo {
namespace {

using test::SmallRepository;

class SecondCopy : public testing::Test {
 protected:
  // The same content twice: the second backup does not see the first one's index.
  void SetUp() override {
    for (int i = 0; i < 2; ++i) {
      const auto before = small_.store->image();
      for (const auto& [key, bytes] : before) {
        if (key.starts_with("index/")) {
          ASSERT_TRUE(small_.store->remove(key));
        }
      }
      snapshots_.push_back(small_.must_backup("a/dump", content_, 0));
      for (const auto& [key, bytes] : before) {
        if (key.starts_with("index/")) {
          ASSERT_TRUE(small_.store->put(key, *bytes));
        }
      }
      std::vector<std::string> fresh;
      for (const auto& [key, bytes] : small_.store->image()) {
        if (key.starts_with("data/") && !before.contains(key)) fresh.push_back(key);
      }
      packs_.push_back(fresh);
    }
  }
  void hurt(const std::vector<std::string>& packs, bool remove) {
    for (const auto& key : packs) {
      if (remove) {
        ASSERT_TRUE(small_.store->remove(key));
      } else {
        ASSERT_TRUE(small_.store->tamper(key, [](auto& bytes) {
          for (size_t i = 0; i < bytes.size(); i += 50) bytes[i] ^= 1;
        }));
      }
    }
  }
  std::unique_ptr<Repository> open() {
    auto repository = small_.open().value();
    EXPECT_TRUE(repository->load_index());
    repository->on_damage([this](const Id& pack, const Error& error) {
      reported_.insert(object_key(ObjectType::pack, pack));
      EXPECT_FALSE(error.message.empty());
    });
    return repository;
  }
  // Of `packs`, those that are asked for a blob before another pack is.
  static std::set<std::string> asked_first(Repository& repository, const std::vector<std::string>& packs) {
    std::set<std::string> found;
    for (const auto& entry : repository.index().entries()) {
      const auto key = object_key(ObjectType::pack, repository.index().find(entry.type(), entry.id)->pack);
      if (std::find(packs.begin(), packs.end(), key) != packs.end()) found.insert(key);
    }
    return found;
  }
  SmallRepository small_;
  const Buffer content_ = test::random_bytes(900'000, 3);
  std::vector<Snapshot> snapshots_;
  std::vector<std::vector<std::string>> packs_;  // of each backup
  std::set<std::string> reported_;
};

TEST_F(SecondCopy, is_read_by_everything_that_reads) {
  const auto image = small_.store->image();
  for (const bool remove : {false, true}) {
    SCOPED_TRACE(remove ? "removed" : "damaged");
    small_.store->load(image);
    reported_.clear();
    // Which copy is asked first is the order in which the index objects were read.
    auto repository = open();
    const auto& packs = packs_[asked_first(*repository, packs_[0]).empty() ? 1 : 0];
    const std::set<std::string> expected = asked_first(*repository, packs);
    ASSERT_FALSE(expected.empty());
    hurt(packs, remove);
    for (const Snapshot& snapshot : snapshots_) {
      const auto read = SmallRepository::read(*repository, snapshot, "a/dump");
      ASSERT_TRUE(read) << read.error().to_string();
      EXPECT_TRUE(test::same_bytes(*read, content_));
      const sys::TempDir into = sys::TempDir::create("second_copy").value();
      RestoreProgress progress;
      const auto restored = restore_tree(*repository, snapshot, into.path(), {.verify = true}, progress, {});
      ASSERT_TRUE(restored) << restored.error().to_string();
      EXPECT_TRUE(restored->damaged.empty());
      EXPECT_EQ(restored->verified_files, 1u);
    }
    SmallRepository other;
    auto destination = other.open().value();
    ASSERT_TRUE(destination->load_index());
    const auto copied = copy_snapshots(*repository, *destination, snapshots_, {}, {}, {}, {}, {});
    ASSERT_TRUE(copied) << copied.error().to_string();
    EXPECT_EQ(reported_, expected);
  }
}

TEST_F(SecondCopy, without_it_the_damage_is_the_answer) {
  hurt(packs_[0], false);
  hurt(packs_[1], true);
  auto repository = open();
  const auto read = SmallRepository::read(*repository, snapshots_[0], "a/dump");
  ASSERT_FALSE(read);
  EXPECT_EQ(read.error().error_class, ErrorClass::verification_failed) << read.error().to_string();
  EXPECT_TRUE(reported_.empty());
}

}  // namespace
}  // namespace holdfast::repo

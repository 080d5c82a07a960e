// A store whose owner is no friend: what it can make an opening cost is bounded, and it is said why a key was not
// tried.
#include <gtest/gtest.h>

#include <chrono>

#include "crypto/sha256.h"
#include "repo/environment.h"
#include "repo/format/config.h"
#include "tests/support/small_repository.h"

namespace holdfast::repo {
namespace {

using test::SmallRepository;

class HostileStore : public testing::Test {
 protected:
  void add_key(uint64_t n, uint64_t r, uint64_t p) {
    KeyFile file;
    file.created = now();
    file.username = "nobody";
    file.hostname = "nowhere";
    file.cost = {n, r, p};
    file.salt = test::random_bytes(64, static_cast<uint32_t>(++count_));
    file.sealed_key = test::random_bytes(200, static_cast<uint32_t>(count_));
    const std::string text = key_file_text(file);
    const Id id{crypto::sha256(as_bytes(text))};
    ASSERT_TRUE(small_.store->put(object_key(ObjectType::key, id), as_bytes(text)));
  }
  SmallRepository small_;
  int count_ = 0;
};

TEST_F(HostileStore, costly_key_files_are_not_tried) {
  for (int i = 0; i < 12; ++i) {
    add_key(1 << 22, 8, 1);     // 4 GiB of memory
    add_key(1 << 15, 8, 1024);  // 32 MiB, for minutes
  }
  const auto begin = std::chrono::steady_clock::now();
  // The right key is among more than are tried.
  Id right;
  const auto listing = small_.open().value();
  const auto all = listing->list(ObjectType::key).value();
  for (const auto& key : all) {
    const auto file = listing->load_key_file(key.id);
    ASSERT_TRUE(file);
    if (file->username != "nobody") right = key.id;
  }
  const auto opened = Repository::open(small_.store, test::kPassword, right.hex().substr(0, 12));
  EXPECT_TRUE(opened) << opened.error().to_string();
  const auto wrong = Repository::open(small_.store, Secret("wrong"));
  ASSERT_FALSE(wrong);
  EXPECT_EQ(wrong.error().id, "repo.key.cost") << wrong.error().to_string();
  EXPECT_NE(wrong.error().hint.find("--key-hint"), std::string::npos);
  EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(60));
}

TEST_F(HostileStore, an_opening_ends_when_it_is_asked_to) {
  for (int i = 0; i < 5; ++i) add_key(1 << 15, 8, 3);
  std::stop_source stop;
  stop.request_stop();
  const auto opened = Repository::open(small_.store, Secret("wrong"), {}, stop.get_token());
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error().id, "interrupted");
}

TEST_F(HostileStore, an_endless_key_file_is_damage) {
  std::string key;
  for (const auto& [name, bytes] : small_.store->image()) {
    if (name.starts_with("keys/")) key = name;
  }
  ASSERT_TRUE(small_.store->put(key, test::random_bytes(3 << 20, 1)));
  const auto opened = Repository::open(small_.store, test::kPassword);
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error().id, store::kTooLong) << opened.error().to_string();
  EXPECT_EQ(opened.error().error_class, ErrorClass::verification_failed);
}

}  // namespace
}  // namespace holdfast::repo

// One contract, five stores: every test here runs against a directory, memory, restic-rest-server, SeaweedFS and
// versitygw.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <atomic>
#include <map>
#include <random>
#include <set>
#include <thread>

#include "codec/hex.h"
#include "crypto/sha256.h"
#include "tests/conformance/store_peers.h"

namespace holdfast::test {
namespace {

using store::kToEnd;
using store::ObjectInfo;

struct Object {
  std::string key;
  Buffer body;
  crypto::Digest digest;
};

Object make_object(const std::string& type, size_t size, uint64_t seed) {
  Object object;
  object.body.resize(size);
  std::mt19937_64 random(seed);
  for (size_t i = 0; i < size; i += 8) {
    const uint64_t word = random();
    std::memcpy(object.body.data() + i, &word, std::min<size_t>(8, size - i));
  }
  object.digest = crypto::sha256(object.body);
  const std::string id = codec::to_hex(object.digest);
  object.key = type == "data" ? fmt::format("data/{}/{}", id.substr(0, 2), id) : type + "/" + id;
  return object;
}

class StoreConformance : public ::testing::TestWithParam<std::string> {
 protected:
  void SetUp() override {
    peer_ = &store_peer(GetParam());
    HOLDFAST_NEED(peer_->name, peer_->missing.empty(), peer_->missing);
    store_ = peer_->open(fmt::format("t{}-{}", ::getpid(), counter_++));
    ASSERT_TRUE(store_);
    auto made = store_->create();
    ASSERT_TRUE(made) << made.error().to_string();
  }
  const StoreTraits& traits() const { return peer_->traits; }

  std::map<std::string, uint64_t> listed(const std::string& prefix) {
    std::map<std::string, uint64_t> found;
    auto done = store_->list(prefix, [&](const ObjectInfo& info) {
      EXPECT_TRUE(found.emplace(info.key, info.size).second) << info.key << " was listed twice";
      return Status();
    });
    EXPECT_TRUE(done) << done.error().to_string();
    return found;
  }
  void expect_body(const std::string& key, ByteSpan body) {
    Buffer out = Buffer::copy_of(as_bytes("what was here before must go"));
    auto done = store_->get_all(key, out);
    ASSERT_TRUE(done) << done.error().to_string();
    EXPECT_TRUE(std::ranges::equal(out.span(), body)) << key;
  }
  template <class T>
  static std::string id_of(const Result<T>& result) {
    return result ? "ok" : result.error().id;
  }

  StorePeer* peer_ = nullptr;
  std::unique_ptr<store::ObjectStore> store_;
  inline static int counter_ = 0;
};

TEST_P(StoreConformance, every_kind_of_object_comes_back_as_it_was_put) {
  std::vector<Object> objects;
  for (const char* type : {"keys", "locks", "snapshots", "index", "data"})
    objects.push_back(make_object(type, 1000, objects.size()));
  objects.push_back(make_object("data", 155, 99));
  objects.back().key = "config";
  for (const Object& each : objects) {
    auto absent = store_->stat(each.key);
    ASSERT_TRUE(absent) << absent.error().to_string();
    EXPECT_FALSE(*absent);
    auto done = store_->put(each.key, each.body);
    ASSERT_TRUE(done) << done.error().to_string();
    expect_body(each.key, each.body);
    auto info = store_->stat(each.key);
    ASSERT_TRUE(info && *info);
    EXPECT_EQ((*info)->size, each.body.size());
    EXPECT_EQ((*info)->key, each.key);
  }
  EXPECT_EQ(listed("").size(), objects.size());
  EXPECT_EQ(listed("").count("config"), 1u);
  for (const Object& each : objects) {
    auto done = store_->remove(each.key);
    EXPECT_TRUE(done) << each.key << ": " << done.error().to_string();
    EXPECT_FALSE(*store_->stat(each.key));
  }
  EXPECT_TRUE(listed("").empty());
}

TEST_P(StoreConformance, what_is_not_there_is_an_answer_or_an_error_as_the_caller_needs) {
  const Object object = make_object("data", 10, 1);
  Buffer out;
  EXPECT_EQ(id_of(store_->get_all(object.key, out)), store::kNotFound);
  EXPECT_EQ(id_of(store_->get(object.key, 5, 5, out)), store::kNotFound);
  EXPECT_EQ(id_of(store_->get(object.key, 0, 0, out)), store::kNotFound);
  EXPECT_EQ(id_of(store_->remove(object.key)), "ok");
  for (const char* prefix : {"data/", "data/ff/", "locks/", ""}) EXPECT_TRUE(listed(prefix).empty()) << prefix;
}

TEST_P(StoreConformance, an_empty_object_is_an_object) {
  const Object object = make_object("locks", 0, 0);
  auto done = store_->put(object.key, object.body);
  ASSERT_TRUE(done) << done.error().to_string();
  expect_body(object.key, {});
  EXPECT_EQ(listed("locks/"), (std::map<std::string, uint64_t>{{object.key, 0}}));
  Buffer out;
  EXPECT_EQ(id_of(store_->get(object.key, 0, 0, out)), "ok");
  EXPECT_EQ(id_of(store_->get(object.key, 0, 1, out)), store::kShortRead);
  EXPECT_EQ(id_of(store_->get(object.key, 1, kToEnd, out)), store::kShortRead);
}

TEST_P(StoreConformance, ranges_bring_exactly_what_was_asked_or_a_short_read) {
  const Object object = make_object("data", 100'000, 2);
  ASSERT_TRUE(store_->put(object.key, object.body));
  const auto expect_range = [&](uint64_t offset, uint64_t length) {
    Buffer out;
    auto done = store_->get(object.key, offset, length, out);
    ASSERT_TRUE(done) << offset << "+" << length << ": " << done.error().to_string();
    const uint64_t expected = length == kToEnd ? object.body.size() - offset : length;
    EXPECT_TRUE(std::ranges::equal(out.span(), object.body.span(offset, expected))) << offset << "+" << length;
  };
  for (const auto& [offset, length] : std::vector<std::pair<uint64_t, uint64_t>>{{0, 1},
                                                                                 {0, 100'000},
                                                                                 {99'999, 1},
                                                                                 {12'345, 54'321},
                                                                                 {500, kToEnd},
                                                                                 {99'999, kToEnd},
                                                                                 {100'000, kToEnd},
                                                                                 {100'000, 0},
                                                                                 {7, 0}}) {
    expect_range(offset, length);
  }
  Buffer out;
  for (const auto& [offset, length] : std::vector<std::pair<uint64_t, uint64_t>>{{0, 100'001},
                                                                                 {99'999, 2},
                                                                                 {100'000, 1},
                                                                                 {100'001, 0},
                                                                                 {100'001, kToEnd},
                                                                                 {1'000'000, 10},
                                                                                 {1'000'000, kToEnd}}) {
    EXPECT_EQ(id_of(store_->get(object.key, offset, length, out)), store::kShortRead) << offset << "+" << length;
  }
}

TEST_P(StoreConformance, a_pack_of_20_mib_with_a_known_hash) {
  const Object object = make_object("data", 20 << 20, 3);
  auto done = store_->put(object.key, object.body, {.sha256 = object.digest});
  ASSERT_TRUE(done) << done.error().to_string();
  expect_body(object.key, object.body);
  Buffer out;
  ASSERT_TRUE(store_->get(object.key, (20 << 20) - 1000, 1000, out));
  EXPECT_TRUE(std::ranges::equal(out.span(), object.body.span((20 << 20) - 1000, 1000)));
}

TEST_P(StoreConformance, a_body_that_does_not_match_its_hash_is_refused_and_nothing_is_visible) {
  if (!traits().verifies_hash) return;  // a directory: the bytes do not travel
  for (const size_t size : {0u, 1u, 5000u, 2u << 20}) {
    Object object = make_object("data", size, 4 + size);
    crypto::Digest wrong = object.digest;
    wrong[31] ^= 1;
    // A REST server verifies the name, the others the hash sent along.
    const std::string id = codec::to_hex(wrong);
    const std::string key = fmt::format("data/{}/{}", id.substr(0, 2), id);
    EXPECT_EQ(id_of(store_->put(key, object.body, {.sha256 = wrong})), "store.bad_digest") << size;
    EXPECT_FALSE(*store_->stat(key));
    EXPECT_TRUE(listed("").empty());
  }
}

TEST_P(StoreConformance, if_absent_keeps_what_is_there) {
  const Object first = make_object("data", 100, 5), second = make_object("data", 100, 6);
  ASSERT_TRUE(store_->put("config", first.body, {.if_absent = true}));
  EXPECT_EQ(id_of(store_->put("config", second.body, {.if_absent = true})), store::kExists);
  EXPECT_EQ(id_of(store_->put("config", first.body, {.if_absent = true})), store::kExists);
  expect_body("config", first.body);
  ASSERT_TRUE(store_->put(first.key, first.body));
  EXPECT_EQ(id_of(store_->put(first.key, first.body, {.if_absent = true})), store::kExists);
  ASSERT_TRUE(store_->remove("config"));
  EXPECT_TRUE(store_->put("config", second.body, {.if_absent = true}));
  expect_body("config", second.body);
}

TEST_P(StoreConformance, of_many_who_race_for_a_key_exactly_one_wins) {
  constexpr int kThreads = 12;
  for (int round = 0; round < traits().race_rounds; ++round) {
    std::vector<Object> bodies;
    for (int i = 0; i < kThreads; ++i)
      bodies.push_back(make_object("data", 300, static_cast<uint64_t>(1000 + round * kThreads + i)));
    std::atomic<int> winner = -1, winners = 0, others = 0;
    {
      std::vector<std::jthread> threads;
      for (int i = 0; i < kThreads; ++i) {
        threads.emplace_back([&, i] {
          auto done = store_->put("config", bodies[i].body, {.if_absent = true});
          if (done) {
            winner = i;
            ++winners;
          } else if (done.error().id != store::kExists) {
            ++others;
            ADD_FAILURE() << done.error().to_string();
          }
        });
      }
    }
    ASSERT_EQ(winners, 1) << "round " << round;
    ASSERT_EQ(others, 0);
    expect_body("config", bodies[winner].body);
    ASSERT_TRUE(store_->remove("config"));
  }
}

TEST_P(StoreConformance, the_same_object_again_is_no_error) {
  const Object object = make_object("data", 5000, 7);
  ASSERT_TRUE(store_->put(object.key, object.body));
  auto again = store_->put(object.key, object.body, {.sha256 = object.digest});
  EXPECT_TRUE(again) << again.error().to_string();
  auto without_hash = store_->put(object.key, object.body);
  EXPECT_TRUE(without_hash) << without_hash.error().to_string();
  expect_body(object.key, object.body);
  EXPECT_EQ(listed("data/").size(), 1u);
}

TEST_P(StoreConformance, another_body_replaces_the_old_one_or_is_refused) {
  const Object first = make_object("data", 5000, 8), second = make_object("data", 300, 9);
  ASSERT_TRUE(store_->put("config", first.body));
  const auto done = store_->put("config", second.body);
  if (traits().overwrites) {
    ASSERT_TRUE(done) << done.error().to_string();
    expect_body("config", second.body);
  } else {
    EXPECT_EQ(id_of(done), store::kExists);
    expect_body("config", first.body);
  }
}

TEST_P(StoreConformance, a_listing_of_many_pages_names_each_object_once) {
  constexpr size_t kCount = 2300;
  std::map<std::string, uint64_t> expected;
  std::vector<Object> objects;
  for (size_t i = 0; i < kCount; ++i) {
    objects.push_back(make_object(i % 20 == 0 ? "snapshots" : "data", i % 97, 100'000 + i));
    expected[objects.back().key] = objects.back().body.size();
  }
  std::atomic<size_t> next = 0;
  {
    std::vector<std::jthread> threads;
    for (int t = 0; t < 5; ++t) {
      threads.emplace_back([&] {
        for (size_t i; (i = next++) < objects.size();) {
          auto done = store_->put(objects[i].key, objects[i].body, {.sha256 = objects[i].digest});
          EXPECT_TRUE(done) << done.error().to_string();
        }
      });
    }
  }
  EXPECT_EQ(listed(""), expected);
  std::map<std::string, uint64_t> data = listed("data/");
  data.merge(listed("snapshots/"));
  EXPECT_EQ(data, expected);
  const std::string prefix = objects[1].key.substr(0, 8);  // data/xx/
  std::erase_if(expected, [&](const auto& each) { return !each.first.starts_with(prefix); });
  EXPECT_EQ(listed(prefix), expected);

  int seen = 0;
  auto stopped = store_->list("data/", [&](const ObjectInfo&) {
    return ++seen == 3 ? Status(fail(ErrorClass::failed, "test.enough", "enough")) : Status();
  });
  EXPECT_EQ(id_of(stopped), "test.enough");
  EXPECT_EQ(seen, 3);
}

TEST_P(StoreConformance, a_prefix_is_a_folder_and_odd_names_survive) {
  if (!traits().any_key) {
    EXPECT_EQ(id_of(store_->put("holdfast/site/a.json", as_bytes("x"))), "store.key");
    EXPECT_EQ(id_of(store_->put("locks", as_bytes("x"))), "store.key");
    EXPECT_EQ(id_of(store_->put("data/ab/cdef", as_bytes("x"))), "store.key");
    EXPECT_TRUE(listed("holdfast/").empty());
    return;
  }
  std::map<std::string, uint64_t> expected;
  uint64_t size = 0;
  for (const char* name : {"a b", "a+b", "a%20b", "a&b=c;d", "k\xc3\xa9y", "~tilde", "q?x#y", "'quote\"", "<x>",
                           "UPPER", "upper", "dot.", "..dots", "(paren)!*", "comma,colon:at@"}) {
    const std::string key = std::string("holdfast/log/odd/") + name;
    const std::string body(++size, 'x');
    auto done = store_->put(key, as_bytes(body));
    ASSERT_TRUE(done) << key << ": " << done.error().to_string();
    expected[key] = size;
    expect_body(key, as_bytes(body));
  }
  ASSERT_TRUE(store_->put("holdfast/log/odder/x", as_bytes("1")));
  ASSERT_TRUE(store_->put("holdfast/logs/odd/x", as_bytes("1")));
  EXPECT_EQ(listed("holdfast/log/odd/"), expected);
  EXPECT_EQ(listed("holdfast/log/").size(), expected.size() + 1);
  for (const auto& [key, unused] : expected) EXPECT_TRUE(store_->remove(key)) << key;
  EXPECT_EQ(listed("holdfast/").size(), 2u);
}

TEST_P(StoreConformance, a_view_shows_what_get_gives) {
  const Object object = make_object("data", 900'000, 43);  // both sides of the size from which a directory maps
  ASSERT_TRUE(store_->put(object.key, object.body));
  const ByteSpan body = object.body;
  Buffer scratch;
  for (const uint64_t offset : {0, 1, 4096, 123'457}) {
    for (const uint64_t length : {uint64_t{1}, uint64_t{70'000}, uint64_t{300'000}, 900'000 - offset}) {
      const auto view = store_->view(object.key, offset, length, scratch);
      ASSERT_TRUE(view) << view.error().to_string();
      EXPECT_TRUE(std::ranges::equal(view->bytes, body.subspan(offset, length))) << offset << " + " << length;
    }
  }
  EXPECT_EQ(id_of(store_->view(object.key, 100, 900'000, scratch)), store::kShortRead);
  EXPECT_EQ(id_of(store_->view(make_object("data", 10, 44).key, 0, 400'000, scratch)), store::kNotFound);
  // Removing the object takes nothing from whoever looks at it.
  const auto held = store_->view(object.key, 0, 900'000, scratch);
  ASSERT_TRUE(held && store_->remove(object.key));
  EXPECT_TRUE(std::ranges::equal(held->bytes, body));
}

TEST_P(StoreConformance, what_is_expected_is_a_hint_and_nothing_else) {
  const Object object = make_object("data", 300'000, 41);
  const Object missing = make_object("data", 10, 42);
  const auto ask = [&](const std::string& key) {
    for (const uint64_t offset : {uint64_t{0}, uint64_t{1}, uint64_t{299'999}, uint64_t{300'000}, uint64_t{1} << 40,
                                  uint64_t{1} << 63, UINT64_MAX}) {
      for (const uint64_t length : {uint64_t{0}, uint64_t{1}, uint64_t{300'000}, uint64_t{1} << 40, kToEnd})
        store_->expect(key, offset, length);
    }
  };
  for (const std::string& key :
       {object.key, missing.key, std::string("keys/../config"), std::string(), std::string("data/")})
    ask(key);
  EXPECT_TRUE(listed("").empty()) << "something was made";
  ASSERT_TRUE(store_->put(object.key, object.body));
  // While it is asked for, read, and removed.
  std::jthread asking([&](std::stop_token stop) {
    while (!stop.stop_requested()) ask(object.key);
  });
  for (int i = 0; i < 5; ++i) {
    expect_body(object.key, object.body);
    Buffer out;
    EXPECT_EQ(id_of(store_->get(object.key, 299'000, 2000, out)), store::kShortRead);
    EXPECT_EQ(id_of(store_->get_all(missing.key, out)), store::kNotFound);
  }
  EXPECT_TRUE(store_->remove(object.key));
  EXPECT_FALSE(*store_->stat(object.key));
  asking.request_stop();
  asking.join();
  EXPECT_TRUE(listed("").empty());
}

TEST_P(StoreConformance, names_that_are_no_keys_are_refused) {
  Buffer out;
  for (const char* key :
       {"", "/config", "keys/", "keys//a", "keys/../config", "./config", "keys/a\n", "keys/a\x7f", "keys\\a"}) {
    EXPECT_EQ(id_of(store_->put(key, as_bytes("x"))), "store.key") << key;
    EXPECT_EQ(id_of(store_->get_all(key, out)), "store.key") << key;
    EXPECT_EQ(id_of(store_->remove(key)), "store.key") << key;
    EXPECT_FALSE(store_->stat(key)) << key;
  }
}

TEST_P(StoreConformance, many_threads_at_once_do_not_disturb_each_other) {
  std::vector<std::jthread> threads;
  for (uint64_t t = 0; t < 8; ++t) {
    threads.emplace_back([&, t] {
      for (uint64_t i = 0; i < 12; ++i) {
        const Object object = make_object("data", 1 + (t * 7919 + i * 104'729) % 300'000, t * 1000 + i);
        auto done = store_->put(object.key, object.body, {.sha256 = object.digest});
        ASSERT_TRUE(done) << done.error().to_string();
        Buffer out;
        const uint64_t half = object.body.size() / 2;
        done = store_->get(object.key, half, object.body.size() - half, out);
        ASSERT_TRUE(done) << done.error().to_string();
        EXPECT_TRUE(std::ranges::equal(out.span(), object.body.span(half, object.body.size() - half)));
        auto info = store_->stat(object.key);
        ASSERT_TRUE(info && *info);
        if (i % 2 == 0) {
          EXPECT_TRUE(store_->remove(object.key));
          EXPECT_FALSE(*store_->stat(object.key));
        }
      }
    });
  }
  threads.clear();
  EXPECT_EQ(listed("data/").size(), 8u * 6);
}

TEST_P(StoreConformance, create_is_harmless_where_something_is) {
  const Object object = make_object("keys", 10, 10);
  ASSERT_TRUE(store_->put(object.key, object.body));
  auto again = store_->create();
  EXPECT_TRUE(again) << again.error().to_string();
  expect_body(object.key, object.body);
}

INSTANTIATE_TEST_SUITE_P(All, StoreConformance,
                         ::testing::Values("directory", "memory", "rest_server", "seaweedfs", "versitygw"),
                         [](const auto& info) { return info.param; });

}  // namespace
}  // namespace holdfast::test

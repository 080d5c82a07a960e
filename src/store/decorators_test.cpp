// The stores of tests must themselves be right: memory, faults, crashes, retries, limits.
#include <gtest/gtest.h>

#include <chrono>

#include "crypto/sha256.h"
#include "store/fault_store.h"
#include "store/limit_store.h"
#include "store/memory_store.h"
#include "store/retry_store.h"

namespace holdfast::store {
namespace {

using namespace std::chrono_literals;

std::string id_of(const Status& status) {
  return status ? "ok" : status.error().id;
}

std::vector<std::string> keys_of(ObjectStore& store) {
  std::vector<std::string> keys;
  EXPECT_TRUE(store.list("", [&](const ObjectInfo& each) { return keys.push_back(each.key), Status(); }));
  return keys;
}

struct Faulty {
  std::shared_ptr<MemoryStore> memory = std::make_shared<MemoryStore>();
  FaultStore store{memory};
};

TEST(MemoryStore, tampering_changes_stored_bytes_but_not_an_image_taken_before) {
  MemoryStore store;
  ASSERT_TRUE(store.put("keys/a", as_bytes("abc")));
  const auto before = store.image();
  EXPECT_TRUE(store.tamper("keys/a", [](auto& bytes) { bytes[1] = 'X'; }));
  EXPECT_FALSE(store.tamper("keys/b", [](auto&) {}));
  Buffer out;
  ASSERT_TRUE(store.get_all("keys/a", out));
  EXPECT_EQ(as_text(out), "aXc");
  store.load(before);
  ASSERT_TRUE(store.get_all("keys/a", out));
  EXPECT_EQ(as_text(out), "abc");
}

TEST(MemoryStore, a_visitor_may_change_the_store_while_it_lists) {
  MemoryStore store;
  for (const char* key : {"keys/a", "keys/b", "keys/c"}) ASSERT_TRUE(store.put(key, as_bytes("x")));
  ASSERT_TRUE(store.list("keys/", [&](const ObjectInfo& each) { return store.remove(each.key); }));
  EXPECT_TRUE(keys_of(store).empty());
}

TEST(FaultStore, each_fault_hits_its_operation_as_often_as_it_says) {
  Faulty f;
  Buffer out;
  ASSERT_TRUE(f.store.put("data/aa/1", as_bytes("body")));
  f.store.inject({.op = StoreOp::get, .key = "data/", .kind = FaultKind::timeout, .skip = 1, .times = 2});
  EXPECT_EQ(id_of(f.store.get_all("data/aa/1", out)), "ok");
  EXPECT_EQ(id_of(f.store.get_all("data/aa/1", out)), "net.timeout");
  EXPECT_EQ(id_of(f.store.get_all("keys/none", out)), kNotFound);
  EXPECT_EQ(id_of(f.store.get_all("data/aa/1", out)), "net.timeout");
  EXPECT_EQ(id_of(f.store.get_all("data/aa/1", out)), "ok");
  f.store.inject({.op = StoreOp::get, .kind = FaultKind::bit_flip});
  ASSERT_TRUE(f.store.get_all("data/aa/1", out));
  EXPECT_EQ(as_text(out), std::string("bo") + static_cast<char>('d' ^ 0x10) + "y");
  f.store.inject({.op = StoreOp::get, .kind = FaultKind::short_read});
  EXPECT_EQ(id_of(f.store.get_all("data/aa/1", out)), kShortRead);
  f.store.inject({.op = StoreOp::stat, .kind = FaultKind::missing});
  EXPECT_FALSE(*f.store.stat("data/aa/1"));
  EXPECT_TRUE(*f.store.stat("data/aa/1"));
}

TEST(FaultStore, a_lost_answer_did_take_effect_and_a_timeout_did_not) {
  Faulty f;
  f.store.inject({.op = StoreOp::put, .key = "keys/a", .kind = FaultKind::lost_answer});
  f.store.inject({.op = StoreOp::put, .key = "keys/b", .kind = FaultKind::timeout});
  EXPECT_EQ(id_of(f.store.put("keys/a", as_bytes("1"))), "net.closed");
  EXPECT_EQ(id_of(f.store.put("keys/b", as_bytes("1"))), "net.timeout");
  EXPECT_EQ(keys_of(*f.memory), std::vector<std::string>{"keys/a"});
}

TEST(FaultStore, after_the_crash_everything_fails_and_the_inner_store_shows_what_was_left) {
  for (const auto effect : {CrashEffect::nothing, CrashEffect::applied}) {
    Faulty f;
    f.store.crash_at(3, effect);
    EXPECT_TRUE(f.store.put("keys/a", as_bytes("1")));
    EXPECT_TRUE(f.store.put("keys/b", as_bytes("1")));
    EXPECT_FALSE(f.store.crashed());
    EXPECT_EQ(id_of(f.store.put("keys/c", as_bytes("1"))), "store.crashed");
    EXPECT_TRUE(f.store.crashed());
    EXPECT_EQ(id_of(f.store.remove("keys/a")), "store.crashed");
    EXPECT_FALSE(f.store.stat("keys/a"));
    EXPECT_EQ(keys_of(*f.memory).size(), effect == CrashEffect::applied ? 3u : 2u);
    EXPECT_EQ(f.store.operations(), 5u);
    const auto records = f.store.records();
    ASSERT_EQ(records.size(), 5u);
    EXPECT_TRUE(records[1].ok);
    EXPECT_FALSE(records[2].ok);
    EXPECT_EQ(records[2].key, "keys/c");
  }
}

TEST(FaultStore, a_crash_may_take_the_last_puts_of_a_server_that_does_not_sync) {
  Faulty f;
  f.store.crash_at(4, CrashEffect::nothing, 2);
  for (const char* key : {"keys/a", "keys/b", "keys/c"}) EXPECT_TRUE(f.store.put(key, as_bytes("1")));
  EXPECT_FALSE(f.store.put("keys/d", as_bytes("1")));
  EXPECT_EQ(keys_of(*f.memory), std::vector<std::string>{"keys/a"});
}

struct Retrying {
  std::shared_ptr<MemoryStore> memory = std::make_shared<MemoryStore>();
  FaultStore* faults;
  std::unique_ptr<ObjectStore> store;
  Retrying() {
    auto inner = std::make_unique<FaultStore>(memory);
    faults = inner.get();
    store = make_retry_store(std::move(inner), {1ms, 2ms, 100ms});
  }
};

TEST(RetryStore, repeats_what_is_unavailable_and_nothing_else) {
  Retrying r;
  r.faults->inject({.op = StoreOp::put, .kind = FaultKind::server_error, .times = 3});
  EXPECT_TRUE(r.store->put("keys/a", as_bytes("1")));
  EXPECT_EQ(r.faults->operations(), 4u);
  for (const auto kind : {FaultKind::denied, FaultKind::no_space}) {
    const uint64_t before = r.faults->operations();
    r.faults->inject({.op = StoreOp::put, .kind = kind});
    EXPECT_FALSE(r.store->put("keys/b", as_bytes("1")));
    EXPECT_EQ(r.faults->operations(), before + 1);
  }
  r.faults->inject({.op = StoreOp::get, .kind = FaultKind::timeout, .times = 1'000'000});
  Buffer out;
  EXPECT_EQ(id_of(r.store->get_all("keys/a", out)), "net.timeout");
}

TEST(RetryStore, a_conditional_put_recognises_its_own_object_and_only_that) {
  Retrying r;
  r.faults->inject({.op = StoreOp::put, .kind = FaultKind::lost_answer});
  EXPECT_EQ(id_of(r.store->put("config", as_bytes("mine"), {.if_absent = true})), "ok");
  r.faults->inject({.op = StoreOp::put, .kind = FaultKind::timeout});
  EXPECT_EQ(id_of(r.store->put("config", as_bytes("yours"), {.if_absent = true})), kExists);
  EXPECT_EQ(id_of(r.store->put("config", as_bytes("mine"), {.if_absent = true})), kExists);
}

TEST(LimitStore, transfers_take_the_time_the_rate_allows) {
  auto memory = std::make_unique<MemoryStore>();
  auto store = make_limit_store(std::move(memory), {.upload = 1'000'000, .download = 0});
  const Buffer body(100'000);
  const auto begin = std::chrono::steady_clock::now();
  ASSERT_TRUE(store->put("keys/a", body));
  ASSERT_TRUE(store->put("keys/b", body));
  EXPECT_GE(std::chrono::steady_clock::now() - begin, 190ms);
}

}  // namespace
}  // namespace holdfast::store

// Locks: who waits for whom, and that a lock which does not hold is noticed before anything becomes visible.
#include "repo/lock.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <set>
#include <thread>

#include "repo/environment.h"
#include "repo/prune.h"
#include "repo/tree_backup.h"
#include "store/fault_store.h"
#include "sys/file.h"
#include "tests/support/hook_store.h"
#include "tests/support/small_repository.h"

namespace holdfast::repo {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using test::HookStore;
using test::SmallRepository;

LockFile foreign_lock(bool exclusive) {
  LockFile lock;
  lock.time = now();
  lock.exclusive = exclusive;
  lock.hostname = "elsewhere";
  lock.username = "somebody";
  lock.pid = 4711;
  return lock;
}

class LockTest : public testing::Test {
 protected:
  void SetUp() override { repository_ = small_.open(hooks_).value(); }

  Result<std::unique_ptr<Lock>> acquire(LockKind kind, const LockTimes& times = {.settle = milliseconds(1)}) {
    return Lock::acquire(*repository_, kind, seconds(0), {}, times);
  }
  void add_foreign_lock(bool exclusive) {
    Codec codec(repository_->master_key());
    ASSERT_TRUE(small_.open().value()->save(ObjectType::lock, lock_text(foreign_lock(exclusive)), codec));
  }
  std::vector<std::string> keys(const std::string& prefix) {
    std::vector<std::string> found;
    for (const auto& [key, bytes] : small_.store->image()) {
      if (key.starts_with(prefix)) found.push_back(key);
    }
    return found;
  }
  size_t remove_all_locks() { return remove_locks(*small_.open().value(), true).value(); }

  Result<Snapshot> back_up_stream(Lock& lock) {
    TRY_VOID(repository_->load_index());
    SnapshotOptions options;
    options.time = {seconds_of(2026, 1, 1, 0, 0, 0), 0, 0};
    StreamBackup backup(*repository_, {.workers = 1}, options, {});
    const auto source = read_memory(content_);
    TRY_VOID(backup.add("a/dump", *source));
    return backup.commit([&] { return lock.confirm(); });
  }
  Result<TreeBackupResult> back_up_tree(Lock& lock) {
    const sys::TempDir directory = TRY(sys::TempDir::create("locked"));
    TRY_VOID(sys::publish_file(directory.path() + "/file", content_, 0600));
    TRY_VOID(repository_->load_index());
    SnapshotOptions options;
    options.time = {seconds_of(2026, 1, 1, 0, 0, 0), 0, 0};
    TreeBackupProgress progress;
    return back_up_trees(*repository_, {directory.path()}, {}, {.workers = 1}, options, true, progress,
                         [&] { return lock.confirm(); }, {});
  }
  void expect_nothing_published(const std::optional<Error>& error, const std::string& id, size_t indexes = 0) {
    ASSERT_TRUE(error) << "the backup became visible without a lock";
    EXPECT_EQ(error->id, id) << error->to_string();
    EXPECT_EQ(error->error_class, ErrorClass::conflict);
    EXPECT_FALSE(error->hint.empty());
    EXPECT_TRUE(keys("snapshots/").empty());
    EXPECT_EQ(keys("index/").size(), indexes);
  }
  template <class T>
  static std::optional<Error> error_of(const Result<T>& result) {
    return result ? std::optional<Error>() : result.error();
  }
  static bool wait_for(const std::stop_token& token) {
    const auto until = std::chrono::steady_clock::now() + seconds(20);
    while (!token.stop_requested() && std::chrono::steady_clock::now() < until) std::this_thread::yield();
    return token.stop_requested();
  }

  SmallRepository small_;
  std::shared_ptr<HookStore> hooks_ = std::make_shared<HookStore>(small_.store);
  std::unique_ptr<Repository> repository_;
  const Buffer content_ = test::random_bytes(700'000, 5);
};

TEST_F(LockTest, shared_locks_live_together_and_exclusive_ones_alone) {
  {
    const auto first = acquire(LockKind::shared);
    const auto second = acquire(LockKind::shared);
    ASSERT_TRUE(first && second);
    EXPECT_TRUE((*first)->confirm() && (*second)->confirm());
    const auto exclusive = acquire(LockKind::exclusive);
    ASSERT_FALSE(exclusive);
    EXPECT_EQ(exclusive.error().id, "repo.locked");
    EXPECT_EQ(keys("locks/").size(), 2u);
  }
  EXPECT_TRUE(keys("locks/").empty());
  const auto exclusive = acquire(LockKind::exclusive);
  ASSERT_TRUE(exclusive) << exclusive.error().to_string();
  EXPECT_FALSE(acquire(LockKind::shared));
  EXPECT_FALSE(acquire(LockKind::exclusive));
  EXPECT_TRUE((*exclusive)->confirm());
}

TEST_F(LockTest, an_exclusive_lock_that_appears_in_the_window_stops_a_stream_s_backup) {
  hooks_->after_put("locks/", [&](const std::string&) { add_foreign_lock(true); });
  const auto lock = acquire(LockKind::shared);
  ASSERT_TRUE(lock);
  expect_nothing_published(error_of(back_up_stream(**lock)), "repo.locked");
  EXPECT_TRUE(wait_for((*lock)->lost())) << "work that is under way is not told";
}

TEST_F(LockTest, an_exclusive_lock_that_appears_in_the_window_stops_a_tree_s_backup) {
  hooks_->after_put("locks/", [&](const std::string&) { add_foreign_lock(true); });
  const auto lock = acquire(LockKind::shared);
  ASSERT_TRUE(lock);
  expect_nothing_published(error_of(back_up_tree(**lock)), "repo.locked");
}

TEST_F(LockTest, a_backup_that_is_faster_than_the_second_look_waits_for_it) {
  hooks_->after_put("locks/", [&](const std::string&) { add_foreign_lock(true); });
  const auto lock = acquire(LockKind::shared, {.settle = milliseconds(1000)});
  ASSERT_TRUE(lock);
  expect_nothing_published(error_of(back_up_stream(**lock)), "repo.locked");
}

TEST_F(LockTest, an_exclusive_lock_is_not_granted_when_another_lock_appears_in_the_window) {
  hooks_->after_put("locks/", [&](const std::string&) { add_foreign_lock(false); });
  const auto lock = acquire(LockKind::exclusive);
  ASSERT_FALSE(lock);
  EXPECT_EQ(lock.error().id, "repo.locked");
  EXPECT_EQ(keys("locks/").size(), 1u) << "its own lock stayed behind";
}

TEST_F(LockTest, a_lock_that_was_removed_is_noticed_before_anything_is_published) {
  for (const bool tree : {false, true}) {
    SCOPED_TRACE(tree ? "tree" : "stream");
    const auto lock = acquire(LockKind::shared);
    ASSERT_TRUE(lock);
    ASSERT_TRUE((*lock)->confirm());
    EXPECT_EQ(remove_all_locks(), 1u);
    expect_nothing_published(tree ? error_of(back_up_tree(**lock)) : error_of(back_up_stream(**lock)),
                             "repo.lock_lost");
  }
}

TEST_F(LockTest, a_lock_that_is_removed_while_the_index_is_written_is_noticed_before_the_snapshot) {
  for (const bool tree : {false, true}) {
    SCOPED_TRACE(tree ? "tree" : "stream");
    const auto lock = acquire(LockKind::shared);
    ASSERT_TRUE(lock);
    hooks_->after_put("index/", [&](const std::string&) { EXPECT_EQ(remove_all_locks(), 1u); });
    const size_t indexes = keys("index/").size() + 1;
    expect_nothing_published(tree ? error_of(back_up_tree(**lock)) : error_of(back_up_stream(**lock)), "repo.lock_lost",
                             indexes);
  }
}

// A prune that has looked for locks before a slow put of ours became visible runs to its end: it removes packs that an
// index names which was loaded before our second look. That look sees no lock any more.
class Pruned : public LockTest {
 protected:
  void SetUp() override {
    LockTest::SetUp();
    // Two snapshots, one of which goes with its packs.
    gone_ = small_.must_backup("a/dump", content_, 1);
    kept_ = small_.must_backup("a/other", test::random_bytes(300'000, 6), 2);
    hooks_->before_put("locks/", [&](const std::string&) {
      exclusive_ = Lock::acquire(*pruning_, LockKind::exclusive, seconds(0), {}, {.settle = milliseconds(1)}).value();
    });
    hooks_->on_read([&](const std::string& key) {
      if (key.starts_with("index/") && key != "index/" && on_index_ && !read_.exchange(true)) on_index_();
      if (key != "locks/" || ++looks_ != 2) return;
      const auto until = std::chrono::steady_clock::now() + seconds(60);
      while (!second_look_ && std::chrono::steady_clock::now() < until) std::this_thread::yield();
    });
  }
  void TearDown() override {
    second_look_ = true;
    exclusive_.reset();
  }
  void prune() {
    const auto plan = plan_prune(*pruning_, {gone_.id}, {}, {}, {});
    ASSERT_TRUE(plan) << plan.error().to_string();
    ASSERT_TRUE(pruning_->remove(ObjectType::snapshot, gone_.id));
    ASSERT_TRUE(run_prune(*pruning_, *plan, {}, {}, {}));
    exclusive_.reset();
  }
  void back_up_after_the_prune(bool look_first) {
    const auto lock = acquire(LockKind::shared);
    ASSERT_TRUE(lock) << lock.error().to_string();
    ASSERT_TRUE(repository_->load_index());
    prune();
    if (look_first) {
      second_look_ = true;
      EXPECT_TRUE(wait_for((*lock)->lost())) << "work that is under way is not stopped";
    }
    const size_t indexes = keys("index/").size();
    SnapshotOptions options;
    options.time = {seconds_of(2026, 1, 2, 0, 0, 0), 0, 0};
    StreamBackup backup(*repository_, {.workers = 1}, options, {});
    const auto source = read_memory(content_);
    ASSERT_TRUE(backup.add("a/dump", *source));
    second_look_ = true;
    const auto error = error_of(backup.commit([&] { return (*lock)->confirm(); }));
    ASSERT_TRUE(error) << "a snapshot was published whose packs are gone";
    EXPECT_EQ(error->id, "repo.index_changed") << error->to_string();
    EXPECT_EQ(error->error_class, ErrorClass::conflict);
    EXPECT_EQ(keys("snapshots/").size(), 1u);
    EXPECT_EQ(keys("index/").size(), indexes);
  }
  Snapshot gone_, kept_;
  std::unique_ptr<Repository> pruning_ = small_.open().value();
  std::unique_ptr<Lock> exclusive_;
  std::function<void()> on_index_;
  std::atomic<int> looks_{0};
  std::atomic<bool> second_look_{false}, read_{false};
};

TEST_F(Pruned, a_backup_whose_index_is_older_than_a_prune_it_did_not_see_publishes_nothing) {
  back_up_after_the_prune(false);
}

TEST_F(Pruned, the_second_look_stops_such_a_backup_at_once) {
  back_up_after_the_prune(true);
}

TEST_F(Pruned, an_index_that_is_read_while_the_look_passes_is_read_again) {
  const auto lock = acquire(LockKind::shared);
  ASSERT_TRUE(lock) << lock.error().to_string();
  on_index_ = [&] {  // its objects were listed before the prune
    prune();
    second_look_ = true;
    EXPECT_TRUE((*lock)->confirm());
    const auto another = acquire(LockKind::shared);  // its end is not the end of the first one
    EXPECT_TRUE(another) << another.error().to_string();
  };
  ASSERT_TRUE(repository_->load_index());
  EXPECT_TRUE(read_);
  const auto snapshot = back_up_stream(**lock);
  ASSERT_TRUE(snapshot) << snapshot.error().to_string();
  const auto content = SmallRepository::read(*repository_, *snapshot, "a/dump");
  ASSERT_TRUE(content) << content.error().to_string();
  EXPECT_TRUE(test::same_bytes(*content, content_));
}

TEST_F(LockTest, a_lock_is_renewed_under_another_name_and_stays_one) {
  const auto lock = acquire(LockKind::shared, {.settle = milliseconds(1), .refresh = milliseconds(1)});
  ASSERT_TRUE(lock);
  std::set<std::string> seen;
  const auto until = std::chrono::steady_clock::now() + seconds(120);  // a busy disk takes a second for each renewal
  while (seen.size() < 5 && std::chrono::steady_clock::now() < until) {
    const auto held = keys("locks/");
    ASSERT_GE(held.size(), 1u) << "there was a moment without a lock";
    ASSERT_LE(held.size(), 2u);
    seen.insert(held.begin(), held.end());
    const auto holds = (*lock)->confirm();
    ASSERT_TRUE(holds) << holds.error().to_string();
  }
  EXPECT_GE(seen.size(), 5u);
}

TEST_F(LockTest, a_renewal_that_finds_the_lock_removed_gives_up_instead_of_writing_a_new_one) {
  const auto lock = acquire(LockKind::shared, {.settle = milliseconds(1), .refresh = milliseconds(30)});
  ASSERT_TRUE(lock);
  while (remove_all_locks() == 0) {
  }
  ASSERT_TRUE(wait_for((*lock)->lost()));
  EXPECT_TRUE(keys("locks/").empty()) << "a new lock hides that the old one was gone for a while";
  const auto confirmed = (*lock)->confirm();
  ASSERT_FALSE(confirmed);
  EXPECT_EQ(confirmed.error().id, "repo.lock_lost");
}

TEST_F(LockTest, a_lock_that_cannot_be_renewed_is_lost_before_others_may_take_it_for_stale) {
  const auto faults = std::make_shared<store::FaultStore>(small_.store);
  const auto repository = small_.open(faults).value();
  const LockTimes times{milliseconds(1), milliseconds(20), milliseconds(10), milliseconds(300)};
  const auto lock = Lock::acquire(*repository, LockKind::shared, seconds(0), {}, times);
  ASSERT_TRUE(lock);
  ASSERT_TRUE((*lock)->confirm());
  faults->inject(
      {.op = store::StoreOp::put, .key = "locks/", .kind = store::FaultKind::server_error, .times = 1 << 30});
  ASSERT_TRUE(wait_for((*lock)->lost()));
  const auto confirmed = (*lock)->confirm();
  ASSERT_FALSE(confirmed);
  EXPECT_EQ(confirmed.error().id, "repo.lock_lost");
}

TEST_F(LockTest, a_lock_that_became_too_old_is_lost_even_if_nobody_tried_to_renew_it) {
  // As after a night in which the machine slept: the object is still there.
  const auto lock = acquire(LockKind::shared, {.settle = milliseconds(1), .give_up = milliseconds(-1)});
  ASSERT_TRUE(lock);
  EXPECT_EQ(keys("locks/").size(), 1u);
  expect_nothing_published(error_of(back_up_stream(**lock)), "repo.lock_lost");
}

TEST_F(LockTest, a_lost_renewal_now_and_then_is_no_loss) {
  const auto faults = std::make_shared<store::FaultStore>(small_.store);
  const auto repository = small_.open(faults).value();
  faults->inject(
      {.op = store::StoreOp::put, .key = "locks/", .kind = store::FaultKind::timeout, .skip = 1, .times = 3});
  const LockTimes times{milliseconds(1), milliseconds(5), milliseconds(1), seconds(60)};
  const auto lock = Lock::acquire(*repository, LockKind::shared, seconds(0), {}, times);
  ASSERT_TRUE(lock);
  const auto renewals = [&] {
    const auto records = faults->records();
    return std::count_if(records.begin(), records.end(),
                         [](const auto& r) { return r.op == store::StoreOp::put && r.ok; });
  };
  const auto until = std::chrono::steady_clock::now() + seconds(20);
  while (renewals() < 4 && std::chrono::steady_clock::now() < until) std::this_thread::yield();
  EXPECT_GE(renewals(), 4);
  EXPECT_TRUE((*lock)->confirm());
  EXPECT_FALSE((*lock)->lost().stop_requested());
}

TEST_F(LockTest, a_lock_of_this_host_name_whose_process_is_not_here_may_be_another_machine_s) {
  const auto add = [&](int64_t age) {
    LockFile lock = foreign_lock(true);
    lock.hostname = Environment::of_process().host;
    lock.pid = 0x7ffffff0;  // above any pid
    lock.time.seconds -= age;
    Codec codec(repository_->master_key());
    ASSERT_TRUE(repository_->save(ObjectType::lock, lock_text(lock), codec));
  };
  add(60);
  const auto refused = acquire(LockKind::shared);
  ASSERT_FALSE(refused) << "its owner may run in another pid namespace, or on a clone of this host";
  EXPECT_EQ(refused.error().id, "repo.locked");
  EXPECT_NE(refused.error().hint.find("repo unlock"), std::string::npos);
  EXPECT_EQ(keys("locks/").size(), 1u);
  EXPECT_EQ(remove_locks(*repository_, false).value(), 1u);
  add(31 * 60);
  EXPECT_TRUE(acquire(LockKind::exclusive)) << "nobody has renewed it either";
  EXPECT_TRUE(keys("locks/").empty());
}

TEST_F(LockTest, stale_locks_are_told_from_living_ones) {
  LockFile lock = foreign_lock(true);
  EXPECT_FALSE(is_stale(lock, now()));
  lock.time.seconds -= 31 * 60;
  EXPECT_TRUE(is_stale(lock, now()));
  lock.time = now();
  lock.hostname = Environment::of_process().host;
  lock.pid = 0x7ffffff0;  // above any pid
  EXPECT_TRUE(is_stale(lock, now()));
  lock.pid = Environment::of_process().pid;
  EXPECT_FALSE(is_stale(lock, now()));
}

}  // namespace
}  // namespace holdfast::repo

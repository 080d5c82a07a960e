// One contract for where operations are kept (operation/store.h): every test here runs against files and memory.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <latch>
#include <set>
#include <stdexcept>
#include <thread>

#include "tests/conformance/operation_peers.h"

namespace holdfast::test {
namespace {

using codec::Value;
using operation::ClusterKey;
using operation::ClusterLock;
using operation::Journal;
using operation::LockRequest;
using operation::OperationStore;
using operation::Plan;
using operation::RecordType;

const ClusterKey kShop("shop/shop-mysql", "5f0c9a1e-7d42-4b8f-9c11-1e2d3c4b5a69");
const ClusterKey kNamed("shop/shop-mysql");  // the same, from before it had a uid
const ClusterKey kTwin("shop/shop-mysql", "00000000-0000-4000-8000-000000000001");
const ClusterKey kRenamed("prod/orders", kShop.uid);
const ClusterKey kOther("shop/other", "00000000-0000-4000-8000-000000000002");

Plan plan_for(const ClusterKey& cluster) {
  Plan plan{.verb = "repair", .cluster = cluster.name, .created = "2026-11-21T21:30:18Z"};
  plan.cluster_uid = cluster.uid;
  operation::Step step;
  step.id = "stop-1";
  step.kind = "stop_server";
  step.title = "Stop the server of shop-mysql-1";
  step.undo = "Start it again";
  plan.steps = {step};
  plan.world = Value::object();
  return plan;
}

template <class T>
std::string id_of(const Result<T>& result) {
  return result ? "ok" : result.error().id;
}

class OperationStoreConformance : public testing::TestWithParam<std::string> {
 protected:
  OperationStoreConformance() : peer_(operation_peer(GetParam())), store_(peer_->open()) {}

  std::unique_ptr<ClusterLock> lock(const ClusterKey& cluster, const std::string& operation = "mine",
                                    uint64_t min_epoch = 0) {
    auto got = store_->acquire({cluster, operation, "repair", min_epoch});
    if (!got) throw std::runtime_error(got.error().to_string());
    return std::move(*got);
  }
  std::string refusal(const ClusterKey& cluster, const std::string& operation = "mine") {
    return id_of(store_->acquire({cluster, operation, "repair"}));
  }
  std::unique_ptr<Journal> begin(const ClusterLock& lock, const std::string& id) {
    auto begun = store_->create(lock, id, plan_for(lock.cluster()), Value::object({{"epoch", lock.epoch()}}));
    if (!begun) throw std::runtime_error(begun.error().to_string());
    return std::move(*begun);
  }
  /// An operation whose one step has begun, and that nobody works on. Its epoch.
  uint64_t leave_unfinished(const ClusterKey& cluster, const std::string& id) {
    const auto held = lock(cluster, id);
    const auto journal = begin(*held, id);
    EXPECT_TRUE(journal->append(RecordType::step_started, "stop-1", Value::object({{"running", true}})));
    return held->epoch();
  }
  void end(const ClusterKey& cluster, const std::string& id) {
    const auto held = lock(cluster, id);
    auto journal = store_->open(*held, id);
    ASSERT_TRUE(journal) << journal.error().to_string();
    for (const auto type :
         {RecordType::undo_begun, RecordType::step_undo_started, RecordType::step_undone, RecordType::undone}) {
      const bool of_step = type == RecordType::step_undo_started || type == RecordType::step_undone;
      ASSERT_TRUE((*journal)->append(type, of_step ? "stop-1" : "", Value::object({{"reason", "asked"}})));
    }
  }
  std::vector<std::string> unfinished(const ClusterKey& cluster) {
    std::vector<std::string> ids;
    const auto all = store_->unfinished(cluster);
    EXPECT_TRUE(all) << all.error().to_string();
    for (const auto& summary : *all) ids.push_back(summary.id);
    return ids;
  }
  /// The operation that has the lock of the cluster; "" when it is free.
  std::string works_on(const ClusterKey& cluster) {
    const auto holder = store_->holder(cluster);
    return holder ? holder->operation : "";
  }
  std::string state_of(const std::string& id) {
    const auto stored = store_->read(id);
    return stored ? store_->summary(*stored).state : stored.error().id;
  }

  const std::unique_ptr<OperationPeer> peer_;
  const std::unique_ptr<OperationStore> store_;
};

using Ids = std::vector<std::string>;

TEST_P(OperationStoreConformance, an_empty_one_has_nothing) {
  EXPECT_EQ(*store_->ids(), Ids());
  EXPECT_TRUE(store_->list()->empty());
  EXPECT_EQ(unfinished(kShop), Ids());
  EXPECT_FALSE(store_->holder(kShop));
  for (const char* name : {"latest", "", "2026", "..", ".", "../x", "locks", "epochs"}) {
    EXPECT_EQ(id_of(store_->find(name)), "operation.not_found") << name;
    EXPECT_EQ(id_of(store_->read(name)), "operation.not_found") << name;
  }
  EXPECT_EQ(id_of(store_->open(*lock(kShop), "20261121T213018Z-00000")), "operation.not_found");
}

TEST_P(OperationStoreConformance, the_second_is_refused_at_once_and_told_who_has_it) {
  auto first = lock(kShop, "20261121T213018Z-0fa3c");
  const auto holder = peer_->open()->holder(kShop);
  ASSERT_TRUE(holder);
  EXPECT_EQ(holder->operation, "20261121T213018Z-0fa3c");
  EXPECT_EQ(holder->verb, "repair");
  EXPECT_EQ(holder->pid, first->owner().pid);
  EXPECT_EQ(holder->process_start, first->owner().process_start);
  const auto refused = peer_->open()->acquire({kShop, "other", "bootstrap"});
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().id, "operation.locked");
  EXPECT_EQ(refused.error().error_class, ErrorClass::conflict);
  EXPECT_TRUE(refused.error().message.starts_with("shop/shop-mysql is being changed by repair (process "))
      << refused.error().message;
  EXPECT_EQ(refused.error().hint, "holdfast operations show 20261121T213018Z-0fa3c");
  EXPECT_TRUE(lock(kOther)) << "another cluster";
  first.reset();
  EXPECT_FALSE(store_->holder(kShop));
  EXPECT_TRUE(lock(kShop));
}

TEST_P(OperationStoreConformance, exactly_one_of_many_gets_it) {
  std::set<uint64_t> epochs;
  for (int round = 0; round < 20; ++round) {
    constexpr int kRacers = 6;
    std::latch begin(kRacers);
    std::vector<Result<std::unique_ptr<ClusterLock>>> got(kRacers);
    {
      std::vector<std::jthread> threads;
      for (auto& mine : got)
        threads.emplace_back([&] {
          const auto store = peer_->open();
          begin.arrive_and_wait();
          mine = store->acquire({kShop, "mine", "repair"});
        });
    }
    int winners = 0;
    for (const auto& one : got) {
      if (!one) {
        EXPECT_EQ(one.error().id, "operation.locked");
        continue;
      }
      ++winners;
      EXPECT_TRUE(epochs.insert((*one)->epoch()).second) << "an epoch was given out twice";
      EXPECT_EQ((*one)->epoch(), *epochs.rbegin()) << "an epoch fell";
    }
    EXPECT_EQ(winners, 1);
  }
}

TEST_P(OperationStoreConformance, a_killed_owner_leaves_the_lock_free_and_its_operation_unfinished) {
  const Plan plan = plan_for(kShop);
  const auto owner = peer_->start_owner({kShop, "one", "repair"}, &plan);
  ASSERT_GT(owner->epoch(), 0u);
  EXPECT_TRUE(store_->holder(kShop));
  EXPECT_EQ(state_of("one"), "running");
  EXPECT_EQ(refusal(kShop, "one"), "operation.locked") << "also for its own operation";
  owner->kill();
  EXPECT_FALSE(store_->holder(kShop));
  EXPECT_EQ(state_of("one"), "unfinished");
  EXPECT_EQ(refusal(kShop), "operation.unfinished");
  const auto heir = lock(kShop, "one");
  EXPECT_GT(heir->epoch(), owner->epoch());
  const auto journal = store_->open(*heir, "one");
  ASSERT_TRUE(journal) << journal.error().to_string();
  EXPECT_TRUE((*journal)->append(RecordType::resumed));
}

TEST_P(OperationStoreConformance, epochs_rise_also_when_what_is_kept_of_them_is_lost) {
  EXPECT_EQ(lock(kShop)->epoch(), 1u);
  EXPECT_EQ(lock(kShop)->epoch(), 2u);
  EXPECT_EQ(lock(kShop, "mine", 41)->epoch(), 42u);
  EXPECT_EQ(lock(kShop, "mine", 7)->epoch(), 43u) << "what the members know may be old";
  EXPECT_EQ(lock(kOther)->epoch(), 1u) << "another cluster";
  peer_->lose_epochs();
  EXPECT_EQ(lock(kShop, "mine", 43)->epoch(), 44u) << "the members know it";
  peer_->damage_epochs(kShop);
  const auto refused = store_->acquire({kShop, "mine", "repair"});
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().id, "operation.epoch_damaged");
  EXPECT_EQ(refused.error().error_class, ErrorClass::needs_operator);
  EXPECT_FALSE(store_->holder(kShop)) << "the refused one gave the lock back";
  EXPECT_EQ(lock(kShop, "mine", 44)->epoch(), 45u);
}

TEST_P(OperationStoreConformance, a_lock_that_was_taken_away_is_noticed) {
  const auto first = lock(kShop);
  ASSERT_TRUE(first->confirm());
  peer_->take_lock_away(kShop);
  EXPECT_EQ(id_of(first->confirm()), "operation.lock_lost");
  const auto second = lock(kShop);
  EXPECT_EQ(id_of(first->confirm()), "operation.lock_lost");
  EXPECT_TRUE(second->confirm());
}

TEST_P(OperationStoreConformance, a_higher_epoch_is_noticed) {
  const auto held = lock(kShop);
  peer_->give_epoch(kShop, held->epoch());
  EXPECT_TRUE(held->confirm());
  peer_->give_epoch(kShop, held->epoch() + 1);
  EXPECT_EQ(id_of(held->confirm()), "operation.lock_lost");
}

TEST_P(OperationStoreConformance, a_lock_and_a_journal_outlive_their_store) {
  auto store = peer_->open();
  auto held = store->acquire({kShop, "one", "repair"});
  ASSERT_TRUE(held);
  auto journal = store->create(**held, "one", plan_for(kShop), {});
  ASSERT_TRUE(journal);
  store.reset();
  EXPECT_TRUE((*held)->confirm());
  EXPECT_TRUE((*journal)->append(RecordType::step_started, "stop-1"));
  EXPECT_EQ(refusal(kShop), "operation.locked");
}

TEST_P(OperationStoreConformance, clusters_of_one_name_do_not_meet) {
  const auto shop = lock(kShop, "one"), twin = lock(kTwin, "two");
  const auto one = begin(*shop, "one"), two = begin(*twin, "two");
  EXPECT_TRUE(shop->confirm());
  EXPECT_TRUE(twin->confirm());
  EXPECT_EQ(unfinished(kShop), Ids{"one"});
  EXPECT_EQ(unfinished(kTwin), Ids{"two"});
  EXPECT_EQ(works_on(kShop), "one");
  EXPECT_EQ(works_on(kTwin), "two");
  EXPECT_EQ(id_of(store_->open(*twin, "one")), "operation.wrong_lock");
}

TEST_P(OperationStoreConformance, one_cluster_under_two_names_is_one) {
  const auto first = lock(kShop, "one");
  EXPECT_EQ(refusal(kRenamed), "operation.locked");
  EXPECT_EQ(works_on(kRenamed), "one");
  peer_->give_epoch(kRenamed, first->epoch() + 1);
  EXPECT_EQ(id_of(first->confirm()), "operation.lock_lost");
  leave_unfinished(kOther, "other");
  EXPECT_EQ(unfinished(kRenamed), Ids());
}

TEST_P(OperationStoreConformance, an_operation_of_another_name_with_this_uid_stands_in_the_way) {
  const uint64_t epoch = leave_unfinished(kShop, "one");
  EXPECT_EQ(refusal(kRenamed), "operation.unfinished");
  EXPECT_GT(lock(kRenamed, "one")->epoch(), epoch);
}

/// A resource gets its uid, in one context first and in another later, while something is at work or unfinished.
TEST_P(OperationStoreConformance, who_knows_only_the_name_meets_each_cluster_of_that_name) {
  for (const auto& [first, second] : {std::pair(kNamed, kShop), {kShop, kNamed}, {kNamed, kNamed}, {kTwin, kNamed}}) {
    SCOPED_TRACE(first.uid + ", then " + second.uid);
    auto held = lock(first, "one");
    EXPECT_EQ(refusal(second), "operation.locked");
    EXPECT_EQ(works_on(second), "one");
    EXPECT_TRUE(held->confirm());
    const uint64_t epoch = held->epoch();
    held.reset();
    EXPECT_GT(lock(second)->epoch(), epoch) << "an epoch was given out twice for what can be one cluster";
  }
}

TEST_P(OperationStoreConformance, a_cluster_that_gets_a_uid_still_sees_its_operations) {
  const uint64_t epoch = leave_unfinished(kNamed, "one");
  EXPECT_EQ(unfinished(kShop), Ids{"one"});
  const auto refused = store_->acquire({kShop, "mine", "repair"});
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().id, "operation.unfinished");
  EXPECT_NE(refused.error().message.find("repair of shop/shop-mysql is unfinished"), std::string::npos);
  EXPECT_EQ(unfinished(kOther), Ids());
  EXPECT_GT(lock(kShop, "one")->epoch(), epoch) << "and can go on with them";
  end(kNamed, "one");
  EXPECT_EQ(state_of("one"), "undone");
  EXPECT_EQ(unfinished(kShop), Ids());
  EXPECT_TRUE(lock(kShop));
}

TEST_P(OperationStoreConformance, what_is_begun_is_there_for_all_as_it_was_given) {
  const auto held = lock(kShop, "one");
  const auto journal = begin(*held, "one");
  const Error why{ErrorClass::refused, "x.y", "no", "ask", {}};
  ASSERT_TRUE(journal->append(RecordType::step_started, "stop-1", Value::object({{"pid", 7}})));
  ASSERT_TRUE(journal->append(RecordType::stopped, {}, {}, &why));
  const auto stored = peer_->open()->read("one");
  ASSERT_TRUE(stored);
  EXPECT_EQ(stored->damage, "");
  EXPECT_FALSE(stored->torn);
  ASSERT_TRUE(stored->plan);
  EXPECT_EQ(operation::plan_hash(*stored->plan), operation::plan_hash(plan_for(kShop)));
  EXPECT_EQ(stored->plan->created, "2026-11-21T21:30:18Z");
  EXPECT_EQ(stored->plan->cluster_uid, kShop.uid);
  ASSERT_EQ(stored->records.size(), 3u);
  EXPECT_EQ(stored->records[0].type, RecordType::begun);
  EXPECT_EQ(stored->records[0].data["epoch"].unsigned_integer(), held->epoch());
  EXPECT_EQ(stored->records[1].step, "stop-1");
  EXPECT_EQ(stored->records[1].data["pid"].integer(), 7);
  EXPECT_EQ(stored->records[2].error->id, "x.y");
  EXPECT_EQ(journal->records().size(), 3u);
  EXPECT_EQ(state_of("one"), "running");
}

TEST_P(OperationStoreConformance, what_was_not_whole_is_never_seen) {
  const auto held = lock(kShop, "one");
  begin(*held, "one").reset();
  peer_->make_half(kShop, "one");
  EXPECT_EQ(*store_->ids(), Ids());
  EXPECT_EQ(id_of(store_->read("one")), "operation.not_found");
  EXPECT_EQ(id_of(store_->find("latest")), "operation.not_found");
  EXPECT_EQ(unfinished(kShop), Ids());
  ASSERT_TRUE(begin(*held, "two")) << "and is in nobody's way";
  EXPECT_EQ(*store_->ids(), Ids{"two"});
}

TEST_P(OperationStoreConformance, one_that_could_not_be_begun_leaves_nothing) {
  const auto held = lock(kShop, "one");
  peer_->fail_writes();
  const auto begun = store_->create(*held, "one", plan_for(kShop), {});
  peer_->allow_writes();
  ASSERT_FALSE(begun);
  EXPECT_NE(begun.error().error_class, ErrorClass::needs_operator) << begun.error().to_string();
  EXPECT_NE(begun.error().to_string().find("nothing was changed"), std::string::npos);
  EXPECT_EQ(*store_->ids(), Ids());
  EXPECT_TRUE(begin(*held, "one"));
}

TEST_P(OperationStoreConformance, under_the_lock_of_another_cluster_nothing_is_begun) {
  const auto held = lock(kOther, "one");
  EXPECT_EQ(id_of(store_->create(*held, "one", plan_for(kShop), {})), "operation.wrong_lock");
  EXPECT_EQ(*store_->ids(), Ids());
}

TEST_P(OperationStoreConformance, after_a_record_that_could_not_be_written_no_other_is) {
  const auto held = lock(kShop, "one");
  auto journal = begin(*held, "one");
  peer_->fail_writes();
  const auto failed = journal->append(RecordType::step_started, "stop-1");
  peer_->allow_writes();
  ASSERT_FALSE(failed);
  EXPECT_EQ(failed.error().id, "operation.journal_unwritable");
  EXPECT_EQ(failed.error().error_class, ErrorClass::needs_operator);
  EXPECT_NE(failed.error().hint.find("holdfast operations resume one"), std::string::npos);
  EXPECT_EQ(id_of(journal->append(RecordType::step_started, "stop-1")), "operation.journal_unwritable");
  EXPECT_EQ(journal->records().size(), 1u);
  journal.reset();
  EXPECT_EQ(store_->read("one")->records.size(), 1u);
  auto again = store_->open(*held, "one");
  ASSERT_TRUE(again) << again.error().to_string();
  EXPECT_TRUE((*again)->append(RecordType::step_started, "stop-1"));
  EXPECT_EQ(store_->read("one")->records.size(), 2u);
}

TEST_P(OperationStoreConformance, a_journal_has_one_writer_whatever_became_of_the_lock) {
  const auto first = lock(kShop, "one");
  auto journal = begin(*first, "one");
  EXPECT_EQ(id_of(store_->open(*first, "one")), "operation.locked");
  peer_->take_lock_away(kShop);
  const auto second = lock(kShop, "one");
  EXPECT_EQ(id_of(store_->open(*second, "one")), "operation.locked");
  journal.reset();
  EXPECT_TRUE(store_->open(*second, "one"));
}

TEST_P(OperationStoreConformance, a_torn_tail_is_told_and_cut_by_who_goes_on) {
  leave_unfinished(kShop, "one");
  const std::string whole = peer_->journal("one");
  const size_t last = whole.rfind('\n', whole.size() - 2) + 1;
  const auto held = lock(kShop, "one");
  for (const size_t length : {last + 1, last + 20, whole.size() - 2}) {
    SCOPED_TRACE(length);
    peer_->set_journal("one", whole.substr(0, length));
    const auto stored = store_->read("one");
    ASSERT_TRUE(stored);
    EXPECT_TRUE(stored->torn);
    EXPECT_EQ(stored->damage, "");
    EXPECT_EQ(stored->records.size(), 1u);
    EXPECT_EQ(peer_->journal("one").size(), length) << "looking changes nothing";
    auto journal = store_->open(*held, "one");
    ASSERT_TRUE(journal) << journal.error().to_string();
    EXPECT_EQ((*journal)->records().size(), 1u);
    ASSERT_TRUE((*journal)->append(RecordType::step_started, "stop-1"));
    EXPECT_FALSE(store_->read("one")->torn);
    EXPECT_EQ(store_->read("one")->records.size(), 2u);
  }
  peer_->set_journal("one", whole.substr(0, whole.size() - 1));  // nothing but the newline
  EXPECT_EQ(store_->read("one")->records.size(), 2u);
  ASSERT_TRUE((*store_->open(*held, "one"))->append(RecordType::step_done, "stop-1"));
  EXPECT_EQ(store_->read("one")->records.size(), 3u);
}

TEST_P(OperationStoreConformance, what_was_changed_is_damage_and_stands_in_the_way_until_abandoned) {
  leave_unfinished(kShop, "one");
  const auto held = lock(kShop, "one");
  const std::string good = peer_->journal("one");
  for (const size_t at : {size_t{60}, good.size() - 20}) {
    std::string bad = good;
    bad[at] = static_cast<char>(bad[at] ^ 1);
    peer_->set_journal("one", bad);
    const auto stored = store_->read("one");
    ASSERT_TRUE(stored);
    EXPECT_NE(stored->damage, "") << at;
    const auto opened = store_->open(*held, "one");
    ASSERT_FALSE(opened);
    EXPECT_EQ(opened.error().id, "operation.journal_damaged");
    EXPECT_EQ(opened.error().error_class, ErrorClass::needs_operator);
    EXPECT_EQ(peer_->journal("one"), bad) << "a refusal changes nothing";
  }
  EXPECT_EQ(state_of("one"), "damaged");
  EXPECT_EQ(unfinished(kShop), Ids{"one"});
  EXPECT_EQ(unfinished(kTwin), Ids());
  ASSERT_TRUE(store_->write_abandonment("one", operation::owner_value(held->owner())));
  EXPECT_EQ(state_of("one"), "abandoned");
  EXPECT_EQ(unfinished(kShop), Ids());
  EXPECT_EQ(store_->read("one")->abandonment["owner"]["verb"].text(), "repair");
  EXPECT_EQ(id_of(store_->open(*held, "one")), "operation.over");
}

TEST_P(OperationStoreConformance, one_whose_cluster_cannot_be_read_stands_in_everybodys_way) {
  leave_unfinished(kShop, "one");
  peer_->damage_plan("one");
  EXPECT_NE(store_->read("one")->damage.find("plan.json"), std::string::npos);
  for (const ClusterKey& cluster : {kShop, kTwin, kOther}) {
    EXPECT_EQ(unfinished(cluster), Ids{"one"});
    const auto refused = store_->acquire({cluster, "mine", "repair"});
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().id, "operation.unfinished");
    EXPECT_NE(refused.error().hint.find("abandon one"), std::string::npos);
  }
  ASSERT_TRUE(store_->write_abandonment("one", {}));
  EXPECT_EQ(unfinished(kOther), Ids());
}

TEST_P(OperationStoreConformance, an_unfinished_one_keeps_others_away_but_who_closes_them) {
  leave_unfinished(kShop, "one");
  const auto refused = store_->acquire({kShop, "mine", "repair"});
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().id, "operation.unfinished");
  EXPECT_EQ(refused.error().error_class, ErrorClass::conflict);
  for (const char* verb : {"show one", "resume one", "undo one"})
    EXPECT_NE(refused.error().hint.find(verb), std::string::npos) << refused.error().hint;
  EXPECT_FALSE(store_->holder(kShop)) << "the refused one gave the lock back";
  EXPECT_TRUE(lock(kOther));
  EXPECT_TRUE(store_->acquire({kShop, "", "abandon", 0, /*beside_unfinished=*/true}));
  end(kShop, "one");
  EXPECT_TRUE(lock(kShop));
}

TEST_P(OperationStoreConformance, they_are_listed_by_age_and_found_by_the_beginning_of_their_id) {
  for (const char* id : {"20261122T000000Z-aaa01", "20261121T213018Z-0fa3c", "20261121T213018Z-0fa11"}) {
    leave_unfinished(ClusterKey(std::string("shop/of-") + id), id);
  }
  const Ids all = {"20261121T213018Z-0fa11", "20261121T213018Z-0fa3c", "20261122T000000Z-aaa01"};
  EXPECT_EQ(*store_->ids(), all);
  Ids listed;
  const auto summaries = store_->list();
  for (const auto& summary : *summaries) listed.push_back(summary.id);
  EXPECT_EQ(listed, all);
  EXPECT_EQ(*store_->find("latest"), all[2]);
  EXPECT_EQ(*store_->find(all[0]), all[0]);
  EXPECT_EQ(*store_->find("20261122"), all[2]);
  EXPECT_EQ(*store_->find("20261121T213018Z-0fa3"), all[1]);
  const auto ambiguous = store_->find("20261121T");
  ASSERT_FALSE(ambiguous);
  EXPECT_EQ(ambiguous.error().id, "operation.ambiguous");
  EXPECT_EQ(ambiguous.error().error_class, ErrorClass::usage);
  EXPECT_NE(ambiguous.error().message.find(all[1]), std::string::npos);
  for (const char* name : {"2027", "", "0fa3c"}) EXPECT_EQ(id_of(store_->find(name)), "operation.not_found") << name;
}

INSTANTIATE_TEST_SUITE_P(Operations, OperationStoreConformance, testing::Values("file", "memory"),
                         [](const auto& info) { return info.param; });

}  // namespace
}  // namespace holdfast::test

// Which unfinished operations a verb minds: those of its own cluster, by uid before name.
#include "steward/operations.h"

#include <gtest/gtest.h>

#include "operation/memory_store.h"

namespace holdfast::steward {
namespace {

constexpr const char* kMine = "5f0c9a1e-7d42-4b8f-9c11-1e2d3c4b5a69";
constexpr const char* kTwin = "00000000-0000-4000-8000-000000000001";

class OtherOperations : public testing::Test {
 protected:
  static cluster::DatabaseCluster with_uid(const std::string& uid) {
    cluster::DatabaseCluster cluster;
    cluster.name = ClusterName("db");
    cluster.ns = "shop";
    cluster.uid = uid;
    return cluster;
  }
  /// An operation that is not over, of the cluster with this uid ("" = none).
  void leave(const std::string& uid) {
    operation::Plan plan{.verb = "repair", .cluster = "shop/db", .created = "2026-11-21T21:30:18Z"};
    plan.cluster_uid = uid;
    plan.steps = {{.id = "stop", .kind = "stop_server", .title = "Stop it", .undo = "Start it"}};
    plan.world = codec::Value::object();
    const std::string id = operation::new_operation_id();
    const auto lock = store_->acquire({plan.key(), id, "repair"});
    ASSERT_TRUE(lock) << lock.error().to_string();
    ASSERT_TRUE(store_->create(**lock, id, plan, {}));
  }
  std::string refusal(const std::string& uid) {
    const auto status = Operations(store_).refuse_if_unfinished(with_uid(uid), "repair");
    return status ? "" : status.error().id;
  }
  size_t told_to_triage(const std::string& uid) {
    return Operations(store_).surroundings(with_uid(uid)).operations.size();
  }
  const std::shared_ptr<operation::MemoryOperationStore> store_ = std::make_shared<operation::MemoryOperationStore>();
};

TEST_F(OtherOperations, OfAnotherClusterWithThisNameAreNotInTheWay) {
  ASSERT_NO_FATAL_FAILURE(leave(kTwin));
  EXPECT_EQ(refusal(kMine), "");
  EXPECT_EQ(told_to_triage(kMine), 0u);
  ASSERT_NO_FATAL_FAILURE(leave(kMine));
  EXPECT_EQ(refusal(kMine), "operation.unfinished");
  EXPECT_EQ(told_to_triage(kMine), 1u);
}

TEST_F(OtherOperations, ConcernWhoKnowsOnlyTheName) {
  ASSERT_NO_FATAL_FAILURE(leave(kTwin));
  EXPECT_EQ(refusal(""), "operation.unfinished");
  EXPECT_EQ(told_to_triage(""), 1u);
}

TEST_F(OtherOperations, FromBeforeItHadAUidAreItsOwn) {
  ASSERT_NO_FATAL_FAILURE(leave(""));
  EXPECT_EQ(refusal(kMine), "operation.unfinished");
  EXPECT_EQ(told_to_triage(kMine), 1u);
}

TEST_F(OtherOperations, AtWorkAreMindedBeforeTheyHaveAJournal) {
  const auto lock = store_->acquire({key_of(with_uid(kTwin)), "", "restore"});
  ASSERT_TRUE(lock);
  EXPECT_EQ(refusal(kMine), "");
  EXPECT_EQ(refusal(kTwin), "operation.locked");
  EXPECT_EQ(refusal(""), "operation.locked");
}

}  // namespace
}  // namespace holdfast::steward

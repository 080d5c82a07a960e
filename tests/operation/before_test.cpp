// Operations that the program of before wrote (before/README.md): read, resumed and undone by this one, also when their
// cluster has got a uid since.
#include <filesystem>

#include "tests/operation/sweep.h"

namespace holdfast::test {
namespace {

namespace fs = std::filesystem;
using operation::ClusterKey;

class Before : public testing::TestWithParam<const char*> {
 protected:
  void SetUp() override {
    make_toy(folder_.path() + "/fresh");
    start_ = toy_files(folder_.path() + "/fresh");
    fs::copy(std::string(OPERATIONS_BEFORE) + "/" + GetParam(), root(), fs::copy_options::recursive);
    ids_ = *store().ids();
    ASSERT_EQ(ids_.size(), 1u);
  }
  std::string root() const { return folder_.path() + "/root"; }
  operation::FileOperationStore store() const { return operation::FileOperationStore(root() + "/state"); }

  Folder folder_;
  Files start_;
  std::vector<std::string> ids_;
};

TEST_P(Before, is_read) {
  const auto stored = *store().read(ids_[0]);
  EXPECT_EQ(stored.damage, "");
  EXPECT_EQ(stored.torn, std::string(GetParam()) == "torn");
  ASSERT_TRUE(stored.plan);
  EXPECT_EQ(stored.plan->cluster_uid, "");
  EXPECT_EQ(operation::plan_hash(*stored.plan), operation::plan_hash(toy_plan(folder_.path() + "/fresh")))
      << "a plan without a uid has the hash it had";
  const auto summary = store().summary(stored);
  EXPECT_EQ(summary.state, "unfinished");
  EXPECT_EQ(summary.cluster, "toys/shop");
  EXPECT_EQ(summary.past_no_return, std::string(GetParam()) == "past-no-return");
  EXPECT_EQ(summary.undoing, std::string(GetParam()) == "undoing");
}

TEST_P(Before, is_resumed) {
  expect_allowed_end(root(), start_, false);
}

TEST_P(Before, is_undone) {
  expect_allowed_end(root(), start_, true);
}

TEST_P(Before, stands_in_the_way_of_its_cluster_that_has_a_uid_now) {
  const ClusterKey now("toys/shop", "5f0c9a1e-7d42-4b8f-9c11-1e2d3c4b5a69");
  const auto refused = store().acquire({now, "mine", "repair"});
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().id, "operation.unfinished");
  ASSERT_EQ(store().unfinished(now)->size(), 1u);
  expect_allowed_end(root(), start_, false);
  const uint64_t last = journaled_epoch(root());
  const auto lock = store().acquire({now, "mine", "repair"});
  ASSERT_TRUE(lock) << lock.error().to_string();
  EXPECT_GT((*lock)->epoch(), last);
}

INSTANTIATE_TEST_SUITE_P(Operations, Before, testing::Values("in-a-step", "past-no-return", "torn", "undoing"),
                         [](const auto& info) {
                           std::string name = info.param;
                           std::ranges::replace(name, '-', '_');
                           return name;
                         });

}  // namespace
}  // namespace holdfast::test

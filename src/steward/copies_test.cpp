// Copies need an open repository; whether it opens is known before a step needs it.
#include "steward/copies.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "steward/repair.h"
#include "tests/support/fake_cluster.h"
#include "tests/support/small_copies.h"

namespace holdfast::steward {
namespace {

TEST(Copies, WhyNoneCanBeStoredIsTheErrorOfTheStepThatNeedsOne) {
  test::FakeCluster cluster;
  test::FakeCaller caller;
  CopyKeeper never_opened(cluster.cluster(), caller.copies, caller.observer);
  auto taken = never_opened.take_escrow("m1", "/m1", "job", {});
  ASSERT_FALSE(taken);
  EXPECT_EQ(taken.error().id, "steward.repository");
  CopyKeeper failed(cluster.cluster(), caller.copies, caller.observer);
  EXPECT_FALSE(failed.open());
  taken = failed.take_dump("m1", "job", {});
  ASSERT_FALSE(taken);
  EXPECT_EQ(taken.error().id, "test.no_repository");
}

TEST(Copies, AMembersDataIsInTheRepositoryBeforeItIsReplaced) {
  test::FakeCluster cluster;
  test::FakeCaller caller;
  const test::SmallRepository small;
  caller.copies = {.open = test::SmallCopies::in(small), .targets = {}, .program = "a test"};
  cluster.ailing = {{1, test::kDamaged}};
  auto dir = sys::TempDir::create("data");
  ASSERT_TRUE(dir);
  ASSERT_TRUE(sys::publish_file(dir->path() + "/table", as_bytes("rows"), 0600));
  cluster.data_folder = dir->path();
  const auto outcome = repair_cluster(cluster, {.escrow = {.repository = "s3:R"}}, caller.caller());
  ASSERT_TRUE(outcome.status) << outcome.status.error().to_string();
  ASSERT_TRUE(outcome.runs.at(0).kept);
  ASSERT_EQ(outcome.runs[0].kept->size(), 1u);
  const KeptCopy& kept = outcome.runs[0].kept->at(0);
  EXPECT_EQ(kept.type, "escrow");
  EXPECT_EQ(kept.member, "m1");
  EXPECT_EQ(kept.restore,
            "holdfast restore --snapshot " + kept.snapshot.substr(0, 8) + " -c shop/orders -i m1 --into DIR -r s3:R");
  EXPECT_EQ(caller.observer.count("kept: 1"), 1u);
  const auto repository = small.open();
  ASSERT_TRUE(repository);
  const auto snapshot = (*repository)->find_snapshot(kept.snapshot);
  ASSERT_TRUE(snapshot) << snapshot.error().to_string();
  EXPECT_TRUE(std::ranges::count(snapshot->tags, "job=" + outcome.runs[0].operation) == 1);
}

}  // namespace
}  // namespace holdfast::steward

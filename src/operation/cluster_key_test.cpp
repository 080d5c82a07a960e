#include "operation/cluster_key.h"

#include <gtest/gtest.h>

#include "operation/operations.h"

namespace holdfast::operation {
namespace {

TEST(ClusterKey, uids_decide_before_names) {
  const ClusterKey first("shop/db", "1"), twin("shop/db", "2"), renamed("prod/db", "1"), named("shop/db"),
      other("shop/other");
  const auto expect = [](const ClusterKey& a, const ClusterKey& b, bool same) {
    EXPECT_EQ(same_cluster(a, b), same) << a.name << a.uid << " " << b.name << b.uid;
    EXPECT_EQ(same_cluster(b, a), same) << b.name << b.uid << " " << a.name << a.uid;
  };
  expect(first, first, true);
  expect(first, twin, false);
  expect(first, renamed, true);
  expect(first, named, true);
  expect(twin, named, true);
  expect(renamed, named, false);
  expect(renamed, twin, false);
  expect(other, named, false);
  expect(other, first, false);
}

TEST(Summary, what_is_open_blocks_its_cluster_and_what_cannot_be_read_all) {
  Summary summary;
  summary.cluster = "shop/db";
  summary.cluster_uid = "1";
  for (const char* state : {"running", "unfinished", "damaged"}) {
    summary.state = state;
    EXPECT_TRUE(summary.blocks(ClusterKey("shop/db", "1"))) << state;
    EXPECT_TRUE(summary.blocks(ClusterKey("shop/db"))) << state;
    EXPECT_FALSE(summary.blocks(ClusterKey("shop/db", "2"))) << state;
  }
  for (const char* state : {"done", "undone", "failed", "abandoned"}) {
    summary.state = state;
    EXPECT_FALSE(summary.blocks(ClusterKey("shop/db", "1"))) << state;
  }
  Summary unreadable;
  unreadable.state = "damaged";
  EXPECT_TRUE(unreadable.blocks(ClusterKey("shop/db", "2")));
}

}  // namespace
}  // namespace holdfast::operation

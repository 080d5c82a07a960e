// The judges themselves: restic restores an awkward tree as it was, and a cheap forged key opens its repositories.
// Without this, a difference found by the other tests could be the judge's fault.
#include "tests/cli_support/awkward_tree.h"
#include "tests/interop/interop.h"

namespace holdfast::test {
namespace {

class Peer : public Interop {
  void SetUp() override { NEED_PEER("restic"); }
};

TEST_F(Peer, restic_round_trip_of_the_awkward_tree_shows_no_difference) {
  make_awkward_tree(path("tree"), {.many_files = 50});
  init_by_restic();
  restic({"backup", path("tree")});
  restic({"restore", "latest", "--target", path("out")});
  const auto differences = compare_trees(path("tree"), path("out") + path("tree"));
  EXPECT_TRUE(differences.empty()) << summary(differences);
}

TEST_F(Peer, the_comparison_sees_each_change) {
  make_awkward_tree(path("a"), {.many_files = 20});
  make_awkward_tree(path("b"), {.many_files = 20});
  CompareOptions no_times{.times = false};
  EXPECT_EQ(summary(compare_trees(path("a"), path("b"), no_times)), "");
  EXPECT_GT(compare_trees(path("a"), path("b")).size(), 50u);
  change_awkward_tree(path("b"));
  EXPECT_GE(compare_trees(path("a"), path("b"), no_times).size(), 10u);
}

}  // namespace
}  // namespace holdfast::test

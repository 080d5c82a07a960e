// What a run takes of many points: the same for the same seed, some of each kind, and over many runs all of them.
#include "tests/support/sample.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <map>
#include <set>
#include <string>
#include <utility>

namespace holdfast::test {
namespace {

class Sample : public testing::Test {
 protected:
  void SetUp() override {
    ::unsetenv("HOLDFAST_ALL_OPERATIONS");
    seed(1);
  }
  static void seed(int number) { ::setenv("HOLDFAST_SEED", std::to_string(number).c_str(), 1); }

  /// A sweep whose kinds come round with a period, as most do.
  const std::vector<std::string> kinds_ = [] {
    std::vector<std::string> kinds;
    for (int i = 0; i < 40; ++i) kinds.push_back(std::to_string(i % 4));
    return kinds;
  }();
};

TEST_F(Sample, is_repeated_by_its_seed) {
  const auto first = sample("a sweep", kinds_, 1.0 / 3);
  EXPECT_EQ(sample("a sweep", kinds_, 1.0 / 3), first);
  EXPECT_NE(sample("another sweep", kinds_, 1.0 / 3), first);
  seed(2);
  EXPECT_NE(sample("a sweep", kinds_, 1.0 / 3), first);
}

TEST_F(Sample, takes_a_share_of_each_kind) {
  for (int number = 0; number < 50; ++number) {
    seed(number);
    for (const auto& [share, wanted] : {std::pair{0.3, 3u}, {0.01, 1u}, {1.0, 10u}}) {
      std::map<std::string, size_t> taken;
      for (const size_t i : sample("a sweep", kinds_, share)) ++taken[kinds_[i]];
      EXPECT_EQ(taken.size(), 4u);
      for (const auto& [kind, count] : taken) EXPECT_EQ(count, wanted) << kind;
    }
  }
}

TEST_F(Sample, comes_to_all_points_in_time) {
  std::set<size_t> met, last_met;
  for (int number = 0; number < 100; ++number) {
    seed(number);
    for (const size_t i : sample("a sweep", kinds_, 0.2)) met.insert(i);
    const auto some = sample("a run", 30, 5);
    EXPECT_EQ(some.size(), 5u);
    EXPECT_EQ(some.back(), 29u) << "the end is always among them";
    last_met.insert(some.begin(), some.end());
  }
  EXPECT_EQ(met.size(), kinds_.size());
  EXPECT_EQ(last_met.size(), 30u);
}

TEST_F(Sample, is_everything_where_all_is_asked_for) {
  ::setenv("HOLDFAST_ALL_OPERATIONS", "1", 1);
  EXPECT_EQ(sample("a sweep", kinds_, 0.01).size(), kinds_.size());
  EXPECT_EQ(sample("a run", 30, 5).size(), 30u);
  EXPECT_TRUE(sample("nothing", 0, 5).empty());
}

}  // namespace
}  // namespace holdfast::test

// The binary log state of a copy against a donor whose history is known step by step.
#include "agent/gtid_state.h"

#include <gtest/gtest.h>

#include <random>

namespace holdfast::agent {
namespace {

using position::GtidState;
using position::GtidVector;

std::string at(const char* before, const char* after, const char* position) {
  return binlog_state_at(*GtidState::parse(before), *GtidState::parse(after), *GtidVector::parse(position)).to_string();
}

TEST(BinlogStateAt, Cases) {
  EXPECT_EQ(at("0-1-10", "0-1-30", "0-1-20"), "0-1-20");
  EXPECT_EQ(at("", "", ""), "");
  EXPECT_EQ(at("0-1-5,0-2-10", "0-1-5,0-2-30", "0-2-20"), "0-1-5,0-2-20") << "a former primary stays";
  EXPECT_EQ(at("0-1-10", "0-1-10,0-2-30", "0-1-10"), "0-1-10") << "one that came later is left out";
  EXPECT_EQ(at("0-2-5,0-1-10", "0-1-10,0-2-30", "0-1-10"), "0-2-5,0-1-10") << "the last of the domain ends it";
  EXPECT_EQ(at("0-1-10,7-1-3", "0-1-10,7-1-3", "0-1-10,7-1-3"), "0-1-10,7-1-3");
  EXPECT_EQ(at("0-1-10", "0-1-12,7-1-3", "0-1-11"), "0-1-11") << "a domain that began later";
}

TEST(BinlogStateAt, NeverMoreThanTheDonorHadAndNeverLessThanBefore) {
  std::mt19937 random(7);
  for (int round = 0; round < 3000; ++round) {
    GtidState state, before, truth;
    uint64_t next[2] = {1, 1};
    const int steps = static_cast<int>(random() % 40) + 3, first = static_cast<int>(random() % steps);
    const int copied = first + static_cast<int>(random() % (steps - first));
    for (int i = 0; i < steps; ++i) {
      const uint32_t domain = random() % 2;
      state.record({domain, 1 + static_cast<uint32_t>(random() % 3), next[domain]});
      next[domain] += 1 + random() % 2;
      if (i == first) before = state;
      if (i == copied) truth = state;
    }
    const GtidState got = binlog_state_at(before, state, truth.last());
    EXPECT_TRUE(truth.contains(got)) << got.to_string() << " of " << truth.to_string();
    EXPECT_TRUE(got.contains(before)) << got.to_string() << " after " << before.to_string();
    EXPECT_EQ(got.last().to_string(), truth.last().to_string());
  }
}

}  // namespace
}  // namespace holdfast::agent

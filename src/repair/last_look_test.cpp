#include "repair/last_look.h"

#include <gtest/gtest.h>

#include <stop_token>

namespace holdfast::repair {
namespace {

using cluster::TriageReport;
using cluster::Verdict;
using std::chrono::milliseconds;
using std::chrono::seconds;

/// A plan that heals m1 of m0, m1 and m2, and what is seen after it, look after look; the last is seen from then on.
class LastLook : public ::testing::Test {
 protected:
  LastLook() {
    operation::Step proof;
    proof.id = "prove-m1";
    plan_.steps.push_back(proof);
  }
  static TriageReport with_broken(const std::vector<size_t>& broken) {
    TriageReport report;
    report.healthy = broken.empty();
    for (const char* name : {"m0", "m1", "m2"}) {
      cluster::MemberReport m;
      m.facts.member = MemberName(name);
      report.members.push_back(m);
    }
    for (size_t i : broken) report.members[i].verdict = Verdict::broken;
    return report;
  }
  TriageReport judge(const std::vector<TriageReport>& seen, Deadline settled_by, const std::stop_token& stop = {}) {
    looks_ = 0;
    return look_when_settled(plan_, [&] { return seen[std::min(looks_++, seen.size() - 1)]; }, settled_by, stop);
  }

  operation::Plan plan_;
  size_t looks_ = 0;
};

TEST_F(LastLook, LooksAgainWhileOnlyWhatWasHealedIsNotWell) {
  const auto report = judge({with_broken({1}), with_broken({1}), with_broken({})}, Deadline::in(seconds(60)));
  EXPECT_TRUE(report.healthy);
  EXPECT_EQ(looks_, 3u);
}

TEST_F(LastLook, DoesNotWaitForWhatThePlanLeftAlone) {
  EXPECT_FALSE(judge({with_broken({1, 2}), with_broken({})}, Deadline::in(seconds(60))).healthy);
  EXPECT_EQ(looks_, 1u);
  EXPECT_TRUE(judge({with_broken({})}, Deadline::in(seconds(60))).healthy);
  EXPECT_EQ(looks_, 1u);
}

TEST_F(LastLook, WhatDoesNotSettleIsToldAsItIs) {
  EXPECT_FALSE(judge({with_broken({1})}, Deadline::in(milliseconds(200))).healthy);
  EXPECT_GT(looks_, 1u);
  std::stop_source stop;
  stop.request_stop();
  EXPECT_FALSE(judge({with_broken({1})}, Deadline::in(seconds(60)), stop.get_token()).healthy);
}

TEST(PagesUnread, AreSaidAndNothingElse) {
  cluster::MemberFacts facts;
  EXPECT_EQ(pages_unread(facts), "") << "its server was not started";
  facts.runtime.page_check = cluster::PageCheck{.complete = true, .bytes = 2 << 20, .of_bytes = 2 << 20};
  EXPECT_EQ(pages_unread(facts), "");
  facts.runtime.page_check->complete = false;
  facts.runtime.page_check->of_bytes = 10 << 20;
  EXPECT_EQ(pages_unread(facts), "of its tables 2.0 of 10.0 MiB were read after its start");
  facts.runtime.page_check.reset();
  facts.readings.push_back({.name = "damaged pages", .unknown = "no pg_control"});
  EXPECT_EQ(pages_unread(facts), "its tables could not be read after its start: no pg_control");
}

}  // namespace
}  // namespace holdfast::repair

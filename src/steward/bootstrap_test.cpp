// A bootstrap on a cluster that is no cluster: crashed nodes are recovered first, and what would be lost is asked for
// before a plan is shown.
#include "steward/bootstrap.h"

#include <gtest/gtest.h>

#include "steward/inspect.h"
#include "tests/support/fake_cluster.h"

namespace holdfast::steward {
namespace {

using codec::Value;
using Lines = std::vector<std::string>;

constexpr const char* kHistory = "d6b96b81-e60d-11f1-915c-efc06f7c7ba6";

/// Three Galera nodes that are stopped; m2 crashed.
class StewardBootstrap : public testing::Test {
 protected:
  void SetUp() override {
    cluster_.description.engine = cluster::Engine::galera;
    for (int i = 0; i < 3; ++i) {
      cluster::MemberFacts f;
      f.member = cluster_.description.members[i].name;
      f.agent.answers = true;
      f.runtime.state = "stopped";
      auto& stored = f.stored.emplace();
      stored.data = cluster::StoredFacts::Data::present;
      stored.lineage = kHistory;
      stored.seqno = i == 2 ? -1 : 100;
      stored.safe_to_bootstrap = false;
      if (i < 2) stored.position = std::string(kHistory) + ":100", stored.position_source = "grastate";
      if (i == 2) stored.position_unknown = "it crashed";
      facts_.push_back(f);
    }
    cluster_.on_report = [this] { return cluster::triage(cluster_.description, facts_); };
    cluster_.on_result = [this](const operation::Step& step) {
      if (step.kind != "recover_positions") return Value::object();
      return Value::object({{"m2", recovered_}});
    };
  }
  static std::string id_of(const Status& status) { return status ? "ok" : status.error().id; }
  Outcome bootstrap(const BootstrapRequest& request = {}) {
    return bootstrap_cluster(cluster_, request, caller_.caller());
  }

  std::vector<cluster::MemberFacts> facts_;
  Value recovered_ = Value::object({{"error", Value::object({{"class", "unavailable"},
                                                             {"id", "test.no_agent"},
                                                             {"message", "its agent does not answer"},
                                                             {"hint", ""}})}});
  test::FakeCluster cluster_;
  test::FakeCaller caller_;
};

TEST_F(StewardBootstrap, WhatCannotBeReadIsAskedForBeforeThePlanIsShown) {
  const auto outcome = bootstrap();
  EXPECT_EQ(id_of(outcome.status), "bootstrap.unread");
  EXPECT_NE(outcome.status.error().hint.find("--accept=lose-unread:m2@"), std::string::npos)
      << outcome.status.error().hint;
  EXPECT_EQ(caller_.observer.count("note: m2: its agent does not answer"), 1u) << caller_.observer.all();
  EXPECT_EQ(caller_.observer.count("asked: bootstrap.unread"), 1u);
  EXPECT_EQ(caller_.observer.count("plan:"), 0u);
  EXPECT_EQ(caller_.operations(), Lines{"inspect done"});
  ASSERT_EQ(outcome.runs.size(), 1u);
  EXPECT_TRUE(outcome.runs[0].plan) << "what would be done is not said";
  EXPECT_FALSE(outcome.runs[0].proposed);
}

TEST_F(StewardBootstrap, IsDoneOnceItsLossIsAccepted) {
  caller_.observer.answer = test::RecordingObserver::accept_all;
  const auto outcome = bootstrap();
  EXPECT_EQ(id_of(outcome.status), "repair.partial") << "m2 is as it was";
  EXPECT_EQ(caller_.observer.count("asked:"), 1u);
  EXPECT_EQ(caller_.observer.lines("plan:"), Lines{"plan: mark-m0 bootstrap-m0 join-m1 prove-m1"});
  EXPECT_EQ(caller_.operations(), (Lines{"inspect done", "bootstrap done"}));
}

TEST_F(StewardBootstrap, ADryRunRecoversNothing) {
  EXPECT_EQ(id_of(bootstrap({.dry_run = true}).status), "bootstrap.not_recovered");
  EXPECT_EQ(caller_.operations(), Lines{});
}

TEST_F(StewardBootstrap, AnInspectionTellsEachMembersPosition) {
  recovered_ = Value::object({{"position", std::string(kHistory) + ":99"}});
  auto outcome = inspect_cluster(cluster_, {}, caller_.caller());
  ASSERT_TRUE(outcome.status) << outcome.status.error().to_string();
  ASSERT_EQ(outcome.members.size(), 3u);
  EXPECT_EQ(outcome.members[2].step.position, std::string(kHistory) + ":99");
  EXPECT_FALSE(outcome.members[2].error);
  EXPECT_TRUE(outcome.report);
  EXPECT_EQ(caller_.operations(), Lines{"inspect done"});

  outcome = inspect_cluster(cluster_, {.member = "1"}, caller_.caller());
  EXPECT_FALSE(outcome.members.at(2).wanted);
  EXPECT_EQ(caller_.operations().size(), 1u) << "m1 needs nothing";
  EXPECT_EQ(id_of(inspect_cluster(cluster_, {.member = "m9"}, caller_.caller()).status), "inspect.no_member");
}

}  // namespace
}  // namespace holdfast::steward

// Whom members follow after a repair: the source they are configured with, as long as it can be it.
#include "repair/sources.h"

#include <gtest/gtest.h>

#include "repair/plan.h"
#include "tests/support/triage_world.h"

namespace holdfast::repair {
namespace {

using cluster::Engine;
using cluster::StoredFacts;
using cluster::test::healthy;
using cluster::test::take_down;
using cluster::test::World;

constexpr Engine kByStatement[] = {Engine::mariadb, Engine::mysql};

World chain(Engine engine) {
  World w = healthy(engine);
  w[2].following[0].upstream = "127.0.0.1:1001";
  for (const int i : {1, 2}) w[i].runtime.noted = {w[i].following[0]};
  w[0].followers = w[1].followers = 1;
  return w;
}

std::string plan(const World& world, const Request& request = {}) {
  auto proposal = plan_repair(world.report(), request);
  if (!proposal) return proposal.error().id;
  std::string text;
  for (const auto& step : proposal->plan.steps) {
    text += (text.empty() ? "" : " ") + step.id;
    if (const auto source = step.arguments["source"].text(); !source.empty()) text += ">" + source;
  }
  for (const auto& loss : proposal->plan.losses) text += " | " + loss.acceptance;
  for (const auto& remark : proposal->remarks) text += " ! " + remark.substr(0, remark.find(" was"));
  return text;
}

TEST(RepairSources, AChainStaysAChain) {
  for (const Engine engine : kByStatement) {
    World w = chain(engine);
    w[2].following[0].receiving = w[2].following[0].applying = false;
    w[2].following[0].receive_state = "No";
    EXPECT_EQ(plan(w), "configure-m2>m1 resume-m2 prove-m2");
    w = chain(engine);
    w[2].following.clear();
    w[2].role = cluster::MemberRole::primary;
    EXPECT_EQ(plan(w), "configure-m2>m1 follow-m2>m1 prove-m2");
    w = chain(engine);
    take_down(w[2]);
    w[2].runtime.upstream_wanted = "127.0.0.1:1000";
    w[2].stored->data = StoredFacts::Data::empty;
    EXPECT_EQ(plan(w, {.has_repository = true}), "configure-m2>m1 copy-m2 try-m2>m1 swap-m2 start-m2 prove-m2");
  }
}

TEST(RepairSources, WithItsSourceLostItFollowsThePrimaryAndThatIsSaid) {
  for (const Engine engine : kByStatement) {
    World w = chain(engine);
    take_down(w[1]);
    w[2].following[0].receiving = false;
    w[2].following[0].receive_state = "Connecting";
    w[2].following[0].receive_errno = 2003;
    w[2].following[0].receive_error = "cannot connect";
    // It comes back by being started: that is waited for.
    EXPECT_EQ(plan(w), "start-m1 prove-m1 prove-m2");
    EXPECT_EQ(plan(w, {.ordinal = 2}), "repair.needs_operator");
    w[1].stored->data = StoredFacts::Data::empty;
    EXPECT_EQ(plan(w, {.ordinal = 2}), "follow-m2>m0 prove-m2 ! m2");
  }
}

/// Its server may serve on: who follows it goes on following it.
TEST(RepairSources, ASourceIsNotLostForWantOfItsAgent) {
  for (const Engine engine : kByStatement) {
    World w = chain(engine);
    w[1].agent.answers = false;
    w[1].runtime.state.clear();
    w[1].runtime.pid = -1;
    w[2].following[0].receiving = w[2].following[0].applying = false;
    w[2].following[0].receive_state = "No";
    EXPECT_EQ(plan(w, {.ordinal = 2}), "configure-m2>m1 resume-m2 prove-m2");
  }
}

TEST(RepairSources, WhatItsSourceCannotGiveThePrimaryIsAskedFor) {
  for (const Engine engine : kByStatement) {
    World w = chain(engine);
    w[2].following[0].receiving = false;
    w[2].following[0].receive_state = "No";
    w[2].following[0].receive_errno = 1236;
    w[2].following[0].receive_error = "Could not find GTID state requested by slave in any binlog files";
    EXPECT_EQ(plan(w, {.ordinal = 2}), "follow-m2>m0 prove-m2 ! m2");
    w[2].following[0].upstream = w[2].runtime.noted[0].upstream = "127.0.0.1:1000";
    EXPECT_EQ(plan(w, {.ordinal = 2}), "repair.no_repository");
  }
}

/// Its source may be a member under another name: then another one would be no remedy, but a change of who follows
/// whom.
TEST(RepairSources, OneWhoseSourceIsNotKnownIsNotMadeToFollowAnother) {
  for (const Engine engine : kByStatement) {
    World w = healthy(engine);
    w[1].following[0].upstream = "db0.internal:3306";
    w[1].following[0].receiving = false;
    w[1].following[0].receive_state = "Connecting";
    w[1].following[0].receive_errno = 1045;
    w[1].following[0].receive_error = "Access denied for user 'replicator'";
    EXPECT_EQ(plan(w, {.ordinal = 1}), "repair.source_unidentified");
    World stopped = w;
    stopped[1].following[0].receive_state = "No";
    stopped[1].following[0].receive_errno = 0;
    stopped[1].following[0].receive_error.clear();
    stopped[1].following[0].applying = false;
    EXPECT_EQ(plan(stopped, {.ordinal = 1}), "resume-m1 prove-m1") << "as it is configured";
    w.cluster.members[0].aliases = {"db0.internal:3306"};
    EXPECT_EQ(plan(w, {.ordinal = 1}), "follow-m1>m0 prove-m1");
  }
}

/// Its agent calls the same member by another name.
TEST(RepairSources, WhoIsToldTheSameMemberIsNotToldAgain) {
  for (const Engine engine : kByStatement) {
    World w = healthy(engine);
    w[1].runtime.upstream_wanted = "db0.internal:3306";
    w[1].runtime.source_wanted = "m0";
    w[1].following[0].receiving = w[1].following[0].applying = false;
    w[1].following[0].receive_state = "No";
    EXPECT_EQ(plan(w), "resume-m1 prove-m1");
    w[1].runtime.source_wanted = "m2";
    EXPECT_EQ(plan(w), "configure-m1>m0 follow-m1>m0 prove-m1");
  }
}

TEST(RepairSources, ASecondChannelThatDoesNotWorkCostsItselfAlone) {
  for (const Engine engine : kByStatement) {
    World w = healthy(engine);
    auto x = cluster::test::stream("10.0.0.9:3306");
    x.channel = "x";
    x.applying = false;
    x.apply_errno = 1062;
    x.apply_error = "Duplicate entry";
    w[1].following.push_back(x);
    EXPECT_EQ(plan(w), "drop-channel-m1 | drop-channel:m1");
    EXPECT_EQ(plan(w, {.ordinal = 1}), "drop-channel-m1 | drop-channel:m1");
    // Beside what the member itself needs it is a plan of its own.
    w[1].following[0].receiving = w[1].following[0].applying = false;
    w[1].following[0].receive_state = "No";
    EXPECT_EQ(plan(w), "resume-m1 prove-m1");
  }
}

}  // namespace
}  // namespace holdfast::repair

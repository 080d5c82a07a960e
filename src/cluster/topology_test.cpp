// Who follows whom: chains, circles, and connections beside a replica's own.
#include <gtest/gtest.h>

#include "cluster/roles.h"
#include "cluster/triage.h"
#include "tests/support/triage_world.h"

namespace holdfast::cluster {
namespace {

using test::healthy;
using test::stream;
using test::World;

constexpr const char* kFeed = "99999999-9999-9999-9999-999999999999";
constexpr Engine kByStatement[] = {Engine::mariadb, Engine::mysql};

const Diagnosis* find(const TriageReport& report, std::string_view id) {
  for (const auto& d : report.diagnoses)
    if (d.id == id) return &d;
  return nullptr;
}

/// m2 follows m1, which follows m0; the agent of m2 says m0.
World chain(Engine engine) {
  World w = healthy(engine);
  w[2].following[0].upstream = "127.0.0.1:1001";
  w[0].followers = w[1].followers = 1;
  return w;
}

TEST(Topology, AChainIsHealthyAndSaid) {
  for (const Engine engine : kByStatement) {
    World w = chain(engine);
    const auto report = w.report();
    EXPECT_TRUE(report.healthy);
    EXPECT_FALSE(report.has("replica-wrong-source"));
    ASSERT_NE(find(report, "replica-chained"), nullptr);
    EXPECT_EQ(find(report, "replica-chained")->severity, Severity::info);
    EXPECT_NE(report.members[2].sentence.find("(m1, which follows m0), up to date"), std::string::npos)
        << report.members[2].sentence;
  }
}

TEST(Topology, WhatIsBehindABrokenLinkIsNotHealthy) {
  for (const Engine engine : kByStatement) {
    World w = chain(engine);
    w[1].following[0].receiving = false;
    w[1].following[0].receive_state = "No";
    const auto report = w.report();
    EXPECT_EQ(report.members[2].verdict, Verdict::broken);
    EXPECT_EQ(report.members[2].action, Action::nothing);
    EXPECT_TRUE(report.has("replica-chain-broken"));
    EXPECT_FALSE(report.has("replica-chained"));
  }
}

TEST(Topology, AChainThatBringsNothingIsAWrongSource) {
  for (const Engine engine : kByStatement) {
    World w = chain(engine);
    w[1].mysql.log_replica_updates = false;
    EXPECT_EQ(w.report().members[2].verdict, Verdict::broken) << "its source logs nothing of what it applies";
    w = chain(engine);
    w[1].following[0].upstream = "127.0.0.1:1002";
    for (const int i : {1, 2}) EXPECT_EQ(w.report().members[i].verdict, Verdict::broken) << "a circle";
    w = chain(engine);
    w[2].following[0].upstream = "127.0.0.1:1002";
    EXPECT_NE(w.report().members[2].sentence.find("follows itself"), std::string::npos);
  }
}

TEST(Topology, APostgresStandbyIsWhereItsAgentPutsIt) {
  World w = chain(Engine::postgres);
  EXPECT_TRUE(w.report().has("replica-wrong-source"));
  w[2].runtime.upstream_wanted = "127.0.0.1:1001";
  const auto report = w.report();
  EXPECT_FALSE(report.has("replica-wrong-source"));
  EXPECT_TRUE(report.has("replica-chained"));
}

Following named(const std::string& channel, const std::string& upstream) {
  Following f = stream(upstream);
  f.channel = channel;
  return f;
}

TEST(Topology, AReplicasOwnConnectionIsTheOneOfTheCluster) {
  const World w = healthy(Engine::mysql);
  const auto own = [&](std::vector<Following> streams) {
    return own_stream(Topology(w.cluster, w.facts), 1, streams, 0).value_or(99);
  };
  EXPECT_EQ(own({named("", "127.0.0.1:1000")}), 0u);
  EXPECT_EQ(own({named("", "10.0.0.9:3306"), named("main", "127.0.0.1:1000")}), 1u);
  EXPECT_EQ(own({named("a", "127.0.0.1:1002"), named("b", "127.0.0.1:1000")}), 1u) << "the one its agent names";
  EXPECT_EQ(own({named("", "10.0.0.9:3306")}), 0u) << "it follows a stranger";
  EXPECT_EQ(own({named("feed", "10.0.0.9:3306")}), 99u) << "a feed is not its own";
  auto broken = named("", "127.0.0.1:1000");
  broken.receiving = broken.applying = false;
  EXPECT_EQ(own({broken, named("x", "127.0.0.1:1000")}), 1u) << "the one that runs";
  EXPECT_EQ(own({named("feed", "10.0.0.9:3306"), named("main", "db0:3306")}), 1u) << "it may be its own";
  EXPECT_EQ(own({named("main", "db0:3306"), named("b", "127.0.0.1:1000")}), 1u)
      << "one that is, before one that may be";
}

TEST(Topology, ABrokenSecondChannelLeavesTheMemberHealthy) {
  for (const Engine engine : kByStatement) {
    World w = healthy(engine);
    auto feed = named("x", "10.0.0.9:3306");
    feed.receiving = false;
    feed.receive_state = "Connecting";
    feed.receive_errno = 2003;
    feed.receive_error = "cannot connect";
    w[1].following.push_back(feed);
    const auto report = w.report();
    EXPECT_FALSE(report.healthy);
    EXPECT_TRUE(report.members[1].healthy()) << report.members[1].sentence;
    ASSERT_NE(find(report, "side-channel"), nullptr);
    EXPECT_EQ(find(report, "side-channel")->severity, Severity::error);
    EXPECT_FALSE(report.has("replica-source-unreachable"));
    EXPECT_FALSE(report.has("replica-wrong-source"));

    w[1].following[1].receive_state = "No";
    w[1].following[1].receive_errno = 0;
    w[1].following[1].applying = false;
    EXPECT_TRUE(w.report().healthy) << "stopped on purpose";
  }
}

TEST(Topology, WhatCameFromOutsideIsNotErrant) {
  World w = healthy(Engine::mariadb);
  auto feed = named("feed", "10.0.0.9:3306");
  feed.origins = {"0", "7"};
  w[1].following.push_back(feed);
  w[1].executed = w[1].slave_pos = "0-1-100,7-1-50";
  w[1].received = "0-1-100,7-1-50,0-1-100,7-1-50";
  auto report = w.report();
  EXPECT_TRUE(report.healthy) << report.sentence;
  EXPECT_EQ(report.authority.kind, AuthorityKind::provable);
  EXPECT_EQ(*report.authority.member, MemberName("m0"));

  World down = w;
  test::take_down(down[1]);
  down[1].stored->position = "0-1-100,7-1-50";
  down[1].runtime.noted = {feed};
  report = down.report();
  EXPECT_EQ(report.authority.kind, AuthorityKind::provable);
  EXPECT_EQ(report.members[1].action, Action::restart);

  w[1].executed = "0-1-100,0-2-101,7-1-50";
  EXPECT_TRUE(w.report().has("errant-transactions")) << "what it wrote itself in the cluster's domain is";

  w = healthy(Engine::mysql);
  feed.origins = {kFeed};
  w[1].following.push_back(feed);
  w[1].executed += std::string(",") + kFeed + ":1-5";
  EXPECT_TRUE(w.report().healthy);
  w[1].executed += std::string(",") + test::kUuid[1] + ":1";
  EXPECT_TRUE(w.report().has("errant-transactions"));
}

}  // namespace
}  // namespace holdfast::cluster

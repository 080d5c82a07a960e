#include <gtest/gtest.h>

#include "cluster/facts.h"

namespace holdfast::cluster {
namespace {

DatabaseCluster cluster_of(Engine engine, int members) {
  DatabaseCluster c;
  c.name = ClusterName("c");
  c.engine = engine;
  c.replication = ReplicationMode::async;
  for (int i = 0; i < members; ++i) {
    Member m;
    m.name = MemberName("m" + std::to_string(i));
    m.ordinal = i;
    c.members.push_back(m);
  }
  return c;
}

MemberFacts primary(int i) {
  MemberFacts f;
  f.member = MemberName("m" + std::to_string(i));
  f.reach = Reach::reachable;
  f.role = MemberRole::primary;
  f.read_only = false;
  return f;
}

MemberFacts replica(int i) {
  MemberFacts f = primary(i);
  f.role = MemberRole::replica;
  f.read_only = true;
  f.following = Following{"h:1", true, true, 0.0, ""};
  return f;
}

TEST(Assess, AllWell) {
  auto v = assess(cluster_of(Engine::mysql, 2), {primary(0), replica(1)});
  EXPECT_TRUE(v.healthy);
  EXPECT_EQ(v.members[1].sentence, "follows h:1, up to date");
}

TEST(Assess, MemberWithoutFactsIsNotHealthy) {
  auto v = assess(cluster_of(Engine::mysql, 3), {primary(0), replica(1)});
  EXPECT_FALSE(v.healthy);
  EXPECT_FALSE(v.members[2].healthy);
}

TEST(Assess, UnknownIsNotHealthy) {
  auto silent = replica(1);
  silent.following->lag_seconds.reset();
  EXPECT_FALSE(assess(cluster_of(Engine::mysql, 2), {primary(0), silent}).healthy);
  silent = replica(1);
  silent.following->receiving.reset();
  EXPECT_FALSE(assess(cluster_of(Engine::mysql, 2), {primary(0), silent}).healthy);
  auto roleless = primary(0);
  roleless.role = MemberRole::unknown;
  auto v = assess(cluster_of(Engine::mysql, 1), {roleless});
  EXPECT_FALSE(v.healthy);
}

TEST(Assess, TwoWritersAreSplitBrain) {
  auto v = assess(cluster_of(Engine::postgres, 2), {primary(0), primary(1)});
  EXPECT_FALSE(v.healthy);
  EXPECT_NE(v.sentence.find("split brain"), std::string::npos);
}

TEST(Assess, ReplicaTroubles) {
  auto check = [](auto change, const char* word) {
    auto r = replica(1);
    change(r);
    auto v = assess(cluster_of(Engine::mariadb, 2), {primary(0), r});
    EXPECT_FALSE(v.healthy) << word;
    EXPECT_NE(v.members[1].sentence.find(word), std::string::npos) << v.members[1].sentence;
  };
  check(
      [](MemberFacts& f) {
        f.following->receiving = false;
        f.following->last_error = "1236 purged";
      },
      "1236 purged");
  check([](MemberFacts& f) { f.following->applying = false; }, "does not apply");
  check([](MemberFacts& f) { f.read_only = false; }, "writes of its own");
  check([](MemberFacts& f) { f.following->lag_seconds = 600; }, "600 s behind");
}

TEST(Assess, SemiSyncFallenBackIsSaid) {
  auto c = cluster_of(Engine::mariadb, 2);
  c.replication = ReplicationMode::semi_sync;
  auto p = primary(0);
  p.semi_sync = false;
  auto v = assess(c, {p, replica(1)});
  EXPECT_FALSE(v.healthy);
  EXPECT_NE(v.members[0].sentence.find("fallen back"), std::string::npos);
}

TEST(Assess, Galera) {
  auto node = [](int i, const char* status, const char* state) {
    MemberFacts f;
    f.member = MemberName("m" + std::to_string(i));
    f.reach = Reach::reachable;
    f.role = MemberRole::node;
    f.galera_status = status;
    f.galera_state = state;
    f.lineage = "u";
    f.galera_size = 3;
    return f;
  };
  auto c = cluster_of(Engine::galera, 3);
  EXPECT_TRUE(
      assess(c, {node(0, "Primary", "Synced"), node(1, "Primary", "Synced"), node(2, "Primary", "Synced")}).healthy);
  EXPECT_FALSE(
      assess(c, {node(0, "Primary", "Synced"), node(1, "Primary", "Joiner"), node(2, "Primary", "Synced")}).healthy);
  auto split =
      assess(c, {node(0, "non-Primary", "Initialized"), node(1, "non-Primary", "Initialized"), node(2, "", "")});
  EXPECT_FALSE(split.healthy);
  EXPECT_EQ(split.sentence, "nobody takes writes");
  auto other = node(2, "Primary", "Synced");
  other.lineage = "w";
  EXPECT_EQ(assess(c, {node(0, "Primary", "Synced"), node(1, "Primary", "Synced"), other}).sentence,
            "members belong to different histories");
}

}  // namespace
}  // namespace holdfast::cluster

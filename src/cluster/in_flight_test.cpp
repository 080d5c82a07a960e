#include "cluster/in_flight.h"

#include <gtest/gtest.h>

namespace holdfast::cluster {
namespace {

constexpr const char* kOwn = "3e11fa47-71ca-11e1-9e33-c80aa9429562";
constexpr const char* kOther = "4e11fa47-71ca-11e1-9e33-c80aa9429562";

struct World {
  DatabaseCluster cluster;
  std::vector<MemberFacts> members = std::vector<MemberFacts>(2);

  World(const std::string& primary, const std::string& replica) {
    cluster.engine = Engine::mysql;
    for (auto& m : members) m.reach = Reach::reachable;
    members[0].server_uuid = kOwn;
    members[0].executed = primary;
    members[1].server_uuid = kOther;
    members[1].executed = replica;
  }
  bool awaits() const { return awaits_own_commits(cluster, members, members[0]); }
};

std::string set(const char* uuid, const std::string& numbers) {
  return std::string(uuid) + ":" + numbers;
}

TEST(InFlight, WhatAReplicaHasOfThePrimarysOwnIsAwaited) {
  EXPECT_TRUE(World(set(kOwn, "1-9"), set(kOwn, "1-10")).awaits());
  EXPECT_FALSE(World(set(kOwn, "1-10"), set(kOwn, "1-10")).awaits());
  EXPECT_FALSE(World(set(kOwn, "1-10"), set(kOwn, "1-9")).awaits());
}

TEST(InFlight, WhatIsOnlyReceivedCountsToo) {
  World world(set(kOwn, "1-9"), set(kOwn, "1-9"));
  world.members[1].received = set(kOwn, "8-10");
  EXPECT_TRUE(world.awaits());
}

// Nothing that the primary may still commit: these cost no second look.
TEST(InFlight, TransactionsOfOthersAreNotAwaited) {
  EXPECT_FALSE(World(set(kOwn, "1-9"), set(kOwn, "1-9") + "," + set(kOther, "1-3")).awaits());
}

TEST(InFlight, WhatCannotBeReadIsNotAwaited) {
  EXPECT_FALSE(World("what", set(kOwn, "1-10")).awaits());
  EXPECT_FALSE(World(set(kOwn, "1-9"), "what").awaits());
  World gone(set(kOwn, "1-9"), set(kOwn, "1-10"));
  gone.members[1].reach = Reach::unreachable;
  EXPECT_FALSE(gone.awaits());
  World other(set(kOwn, "1-9"), set(kOwn, "1-10"));
  other.cluster.engine = Engine::mariadb;
  EXPECT_FALSE(other.awaits());
}

}  // namespace
}  // namespace holdfast::cluster

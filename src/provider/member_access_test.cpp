// What each kind of provider says when it cannot do something.
#include "provider/member_access.h"

#include <gtest/gtest.h>

#include "provider/provider.h"
#include "sys/file.h"

namespace holdfast::provider {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

cluster::DatabaseCluster described() {
  cluster::DatabaseCluster cluster;
  cluster.name = ClusterName("orders");
  cluster.engine = cluster::Engine::mysql;
  cluster.credentials.user = "reader";
  cluster.members.resize(2);
  cluster.members[0].name = MemberName("db-0");
  cluster.members[0].port = 3306;
  cluster.members[1].name = MemberName("db-1");
  return cluster;
}

std::string id_of(const auto& result) {
  return result ? "" : result.error().id;
}

TEST(AccessToAnExternalMember, IsSqlAlone) {
  const ClusterMembers members(described());
  MemberAccess& db = members[0];
  EXPECT_FALSE(db.supervised());
  EXPECT_TRUE(db.clients_way());
  const auto target = db.sql();
  ASSERT_TRUE(target) << target.error().to_string();
  EXPECT_EQ(target->host, "127.0.0.1");
  EXPECT_EQ(target->port, 3306);
  EXPECT_EQ(id_of(db.request("status", codec::Value::object(), Deadline::in(seconds(1)))), "provider.external");
  EXPECT_EQ(id_of(db.files().tree("", {})), "provider.external");
  const auto controlled = db.control({}, nullptr);
  ASSERT_FALSE(controlled);
  EXPECT_EQ(controlled.error().id, "provider.external");
  EXPECT_NE(controlled.error().hint, "") << "what can be done instead";
}

TEST(AccessToAnExternalMember, SaysWhyItsLogsAreNotSeen) {
  const ClusterMembers members(described());
  cluster::Errant wanted;
  wanted.transactions = "11111111-1111-1111-1111-111111111111:1";
  const auto seen = members[0].files().errant(wanted, seconds(1), {});
  EXPECT_EQ(seen.transactions, wanted.transactions);
  EXPECT_FALSE(seen.exact);
  EXPECT_EQ(seen.unseen, "its data directory is not known here");
}

TEST(AccessToAnExternalMember, HasNoLogsToShow) {
  const auto log = ClusterMembers(described())[0].files().errant_log({}, "/nowhere", {});
  ASSERT_FALSE(log);
  EXPECT_EQ(log.error().id, "provider.external");
  EXPECT_EQ(log.error().message, "db-0 has no agent");
  EXPECT_NE(log.error().hint, "");
}

TEST(AccessToAnExternalMember, LooksAtNothing) {
  cluster::MemberFacts facts;
  ClusterMembers(described())[0].look(facts, seconds(1), {});
  EXPECT_FALSE(facts.agent.answers.has_value());
  EXPECT_TRUE(facts.readings.empty());
}

class WithoutItsAgent : public testing::Test {
 protected:
  WithoutItsAgent() {
    cluster_.provider = cluster::Provider::host;
    for (auto& member : cluster_.members) member.agent_socket = dir_.path() + "/agent.sock";
  }
  const sys::TempDir dir_ = std::move(*sys::TempDir::create("access"));
  cluster::DatabaseCluster cluster_ = described();
};

TEST_F(WithoutItsAgent, AMemberIsUnreachableNotForeign) {
  const ClusterMembers members(cluster_);
  EXPECT_TRUE(members[0].supervised());
  EXPECT_EQ(id_of(members[0].request("status", codec::Value::object(), Deadline::in(seconds(5)))), "agent.unreachable");
  EXPECT_EQ(id_of(members[0].files().tree("", {})), "agent.unreachable");
  // It may come back before anything is to be done.
  const auto controls = members.control({});
  ASSERT_TRUE(controls) << controls.error().to_string();
  EXPECT_EQ(controls->size(), 2u);
  EXPECT_EQ(id_of(controls->at(0)->learn()), "agent.unreachable");
}

TEST_F(WithoutItsAgent, ALookSaysThatNothingIsKnown) {
  cluster::MemberFacts facts;
  ClusterMembers(cluster_)[0].look(facts, seconds(5), {});
  EXPECT_EQ(facts.agent.answers, false);
  ASSERT_FALSE(facts.readings.empty());
  EXPECT_EQ(facts.readings[0].name, "server");
  EXPECT_NE(facts.readings[0].unknown, "");
  EXPECT_FALSE(facts.stored.has_value());
}

TEST_F(WithoutItsAgent, OneMemberThatNobodyRunsIsEnoughToRefuse) {
  cluster_.members[1].agent_socket.clear();
  const auto controls = ClusterMembers(cluster_).control({});
  ASSERT_FALSE(controls);
  EXPECT_EQ(controls.error().id, "provider.external");
  EXPECT_NE(controls.error().message.find("db-1"), std::string::npos) << controls.error().message;
}

TEST_F(WithoutItsAgent, AClusterThatOthersRunIsNotControlledByItsAgents) {
  cluster_.provider = cluster::Provider::external;
  const ClusterMembers members(cluster_);
  EXPECT_TRUE(members[0].supervised());
  EXPECT_EQ(id_of(members.control({})), "provider.external");
  EXPECT_EQ(id_of(members[0].control({}, nullptr)), "provider.external");
}

TEST(TargetsOf, AMemberItDoesNotHaveAreRefused) {
  const auto targets = targets_of(described(), {});
  ASSERT_TRUE(targets) << targets.error().to_string();
  cluster::Member stranger;
  stranger.name = MemberName("db-7");
  EXPECT_EQ(id_of((*targets)(stranger, Deadline::in(seconds(1)), {})), "engine.no_member");
}

TEST(ClusterMembersOf, AreFoundByName) {
  const ClusterMembers members(described());
  ASSERT_NE(members.find("db-1"), nullptr);
  EXPECT_EQ(members.find("db-1")->member().name.str(), "db-1");
  EXPECT_EQ(members.find("db-2"), nullptr);
}

}  // namespace
}  // namespace holdfast::provider

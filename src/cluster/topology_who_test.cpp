// Who is who: one server under several names, several servers under one, and what cannot be told.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include "cluster/roles.h"
#include "cluster/topology.h"
#include "cluster/triage.h"
#include "tests/support/triage_world.h"

namespace holdfast::cluster {
namespace {

using test::healthy;
using test::kUuid;
using test::stream;
using test::World;

constexpr const char* kStranger = "99999999-9999-9999-9999-999999999999";
constexpr Engine kStreams[] = {Engine::mariadb, Engine::mysql, Engine::postgres};

/// "m0", "outside", or those it may be: "? m0 m2".
std::string text(const World& w, const Who& who) {
  if (const auto member = who.member()) return w.cluster.members[*member].name.str();
  if (who.outside()) return "outside";
  std::string text = "?";
  for (const size_t i : who.candidates()) text += " " + w.cluster.members[i].name.str();
  return text;
}

std::string source(const World& w, size_t self, const Following& f) {
  return text(w, Topology(w.cluster, w.facts).source(self, f));
}

std::string at(const World& w, size_t self, const std::string& address) {
  return text(w, Topology(w.cluster, w.facts).at(self, address));
}

/// Three hosts, described by name, each on the port of its engine, with nothing but SQL to look at them: db0 is
/// 10.0.0.10, and so on.
World hosts(Engine engine) {
  World w = healthy(engine);
  const int port = engine == Engine::postgres ? 5432 : 3306;
  for (size_t i = 0; i < 3; ++i) {
    w.cluster.members[i].host = "db" + std::to_string(i);
    w.cluster.members[i].port = port;
    auto& f = w[i];
    f.own = {.port = port};
    f.agent.answers = std::nullopt;
    f.runtime.role_wanted = MemberRole::unknown;
    f.runtime.upstream_wanted.clear();
    if (engine != Engine::postgres) f.own.hostname = "db" + std::to_string(i);
    if (!f.following.empty()) f.following[0].upstream = fmt::format("db0:{}", port);
    if (engine == Engine::postgres) {
      f.application_name = "walreceiver";
      f.followers_listed = true;
    }
  }
  return w;
}

/// The same with agents, which list all addresses of their machines.
World with_agents(Engine engine) {
  World w = hosts(engine);
  for (size_t i = 0; i < 3; ++i) {
    w[i].own.interfaces = {"127.0.0.1", fmt::format("10.0.0.1{}", i), fmt::format("192.168.7.1{}", i), "172.17.0.1"};
    w[i].own.network = "of host " + std::to_string(i);
  }
  return w;
}

Following connected(const std::string& upstream, const std::string& uuid, uint64_t id) {
  Following f = stream(upstream);
  f.source_uuid = uuid;
  f.source_server_id = id;
  return f;
}

/// It is configured, and was never connected.
Following tries(const std::string& upstream) {
  Following f = stream(upstream);
  f.receiving = false;
  f.receive_state = "Connecting";
  return f;
}

// ---------------------------------------------------------------- addresses

TEST(TopologyWho, AMemberHasManyAddresses) {
  World w = hosts(Engine::mysql);
  EXPECT_EQ(at(w, 1, "db0:3306"), "m0");
  EXPECT_EQ(at(w, 1, "DB0.:3306"), "m0");
  EXPECT_EQ(at(w, 1, "10.0.0.10:3306"), "? m0 m1 m2") << "nobody knows yet where the names lead";
  EXPECT_EQ(at(w, 1, "db0:3307"), "? m0 m1 m2");

  w.cluster.members[0].aliases = {"db0.internal", "10.0.0.10:3307"};
  EXPECT_EQ(at(w, 1, "db0.internal:3306"), "m0");
  EXPECT_EQ(at(w, 1, "10.0.0.10:3307"), "m0");
  EXPECT_EQ(at(w, 1, "10.0.0.10:3306"), "? m0 m1 m2") << "that alias is of another port";

  w[0].own.names = {"replication.db0"};
  EXPECT_EQ(at(w, 1, "replication.db0:3306"), "m0") << "its report_host";

  w[0].own.resolved = {{"db0", {"10.0.0.10", "fd00::10"}}, {"source.internal", {"10.0.0.10"}}};
  EXPECT_EQ(at(w, 1, "10.0.0.10:3306"), "m0");
  EXPECT_EQ(at(w, 1, "fd00::10:3306"), "m0");
  EXPECT_EQ(at(w, 1, "source.internal:3306"), "m0");
}

TEST(TopologyWho, AServerBehindAPublishedPortIsKnownByItsOwn) {
  World w = hosts(Engine::mysql);
  w.cluster.members[0].host = "nat.example";
  w.cluster.members[0].port = 33060;
  EXPECT_EQ(at(w, 1, "nat.example:33060"), "m0");
  EXPECT_EQ(at(w, 1, "db0:3306"), "m0") << "as its server names its machine";
}

TEST(TopologyWho, OnlyAllAddressesOfAllProveThatOneIsNone) {
  World w = with_agents(Engine::mysql);
  EXPECT_EQ(at(w, 1, "192.168.7.10:3306"), "m0") << "its other network";
  EXPECT_EQ(at(w, 1, "10.9.9.9:3306"), "outside");
  EXPECT_EQ(at(w, 1, "10.0.0.10:3399"), "outside") << "another server of that host";
  EXPECT_EQ(at(w, 1, "elsewhere:3306"), "? m0 m1 m2") << "nobody knows where that name leads";
  w[1].own.resolved = {{"elsewhere", {"10.9.9.9"}}};
  EXPECT_EQ(at(w, 1, "elsewhere:3306"), "outside");
  w[2].own.interfaces.clear();
  EXPECT_EQ(at(w, 1, "10.9.9.9:3306"), "? m2");
}

TEST(TopologyWho, LoopbackIsTheMachineThatSaysIt) {
  World w = with_agents(Engine::mysql);
  EXPECT_EQ(at(w, 0, "127.0.0.1:3306"), "m0");
  EXPECT_EQ(at(w, 1, "127.0.0.1:3306"), "m1");
  EXPECT_EQ(at(w, 1, "localhost:3307"), "outside") << "it says so of its own machine, where no member listens there";
  EXPECT_EQ(at(w, 1, "172.17.0.1:3306"), "m1") << "every one of these hosts has that address";
  // Two servers of one host.
  w[2].own.network = w[1].own.network;
  w[2].own.port = 3307;
  EXPECT_EQ(at(w, 1, "localhost:3307"), "m2");
  EXPECT_EQ(at(w, 0, "localhost:3307"), "outside");
  // Without an agent it may be any that listens there.
  World some = hosts(Engine::mysql);
  for (auto& f : some.facts) f.own.hostname.clear();
  some[2].own.port = 3307;
  EXPECT_EQ(at(some, 1, "localhost:3307"), "? m2");
  some[1].own.hostname = "db1", some[2].own.hostname = "db2";
  EXPECT_EQ(at(some, 1, "localhost:3307"), "outside") << "of another machine";
}

TEST(TopologyWho, OneMachineHasSeveralLoopbackAddresses) {
  World w = healthy(Engine::postgres);
  for (const char* host : {"127.0.0.1", "127.0.0.2", "localhost", "::1", "127.1", "/run/postgresql"})
    EXPECT_EQ(at(w, 1, std::string(host) + ":1000"), "m0") << host;
  EXPECT_EQ(at(w, 1, "127.0.0.1:999"), "outside");
  // One port, two loopback addresses, two servers.
  w.cluster.members[2].host = "127.0.0.2";
  w.cluster.members[2].port = w[2].own.port = 1000;
  EXPECT_EQ(at(w, 1, "127.0.0.1:1000"), "m0");
  EXPECT_EQ(at(w, 1, "127.0.0.2:1000"), "m2");
  EXPECT_EQ(at(w, 1, "127.0.0.3:1000"), "? m0 m2");
}

TEST(TopologyWho, AClusterDescribedByASocketIsOnePortByItsServer) {
  World w = healthy(Engine::mysql);
  for (auto& m : w.cluster.members) m.host = "", m.socket = "/run/" + m.name.str(), m.port = 3306;
  EXPECT_EQ(at(w, 1, "127.0.0.1:1000"), "m0");
  EXPECT_EQ(at(w, 1, "10.0.0.1:1002"), "m2");
  EXPECT_EQ(at(w, 1, "10.0.0.1:3306"), "outside");
}

// ---------------------------------------------------------------- numbers

TEST(TopologyWho, MysqlKnowsItsSourceByItsUuid) {
  const World w = hosts(Engine::mysql);
  EXPECT_EQ(source(w, 1, connected("10.0.0.10:3306", kUuid[0], 1)), "m0");
  EXPECT_EQ(source(w, 1, connected("vip:3306", kUuid[2], 3)), "m2");
  EXPECT_EQ(source(w, 1, connected("db0:3306", kStranger, 1)), "outside") << "another server has that address now";
  EXPECT_EQ(source(w, 1, tries("vip:3306")), "? m0 m1 m2");
  auto lost = connected("vip:3306", kUuid[0], 1);
  lost.receiving = false;
  EXPECT_EQ(source(w, 1, lost), "m0") << "whom it was connected to last";
  lost.upstream = "db2:3306";
  EXPECT_EQ(source(w, 1, lost), "? m0 m2");
  lost.source_uuid = kStranger;
  EXPECT_EQ(source(w, 1, lost), "m2") << "it was made anew";

  World unread = w;
  test::take_down(unread[2]);
  unread[2].stored.reset();
  EXPECT_EQ(source(unread, 1, connected("10.0.0.12:3306", kStranger, 3)), "? m2");
  EXPECT_EQ(source(unread, 1, connected("db2:3306", kStranger, 3)), "m2");
  unread[2].stored.emplace().lineage = kStranger;
  EXPECT_EQ(source(unread, 1, connected("10.0.0.12:3306", kStranger, 3)), "m2") << "its auto.cnf";
}

TEST(TopologyWho, OneAddressMayBeTwoServers) {
  // Each host has a tunnel of its own on the observer's machine; the servers call each other by another name.
  for (const Engine engine : {Engine::mysql, Engine::mariadb}) {
    World w = hosts(engine);
    w.cluster.members[0].host = w.cluster.members[2].host = "10.0.0.1";
    for (const int i : {0, 2}) w[i].own.hostname = "db";
    EXPECT_EQ(at(w, 1, "10.0.0.1:3306"), "? m0 m2");
    EXPECT_EQ(source(w, 1, connected("10.0.0.1:3306", kUuid[0], 1)), "m0");
    EXPECT_EQ(source(w, 1, connected("10.0.0.1:3306", kUuid[2], 3)), "m2");
    EXPECT_EQ(source(w, 1, connected("10.0.0.1:3306", kStranger, 9)), "outside");
    EXPECT_EQ(source(w, 1, tries("10.0.0.1:3306")), "? m0 m2");
  }
}

TEST(TopologyWho, MariadbKnowsItsSourceByItsNumberWhereNothingSpeaksAgainstIt) {
  World w = hosts(Engine::mariadb);
  EXPECT_EQ(source(w, 1, connected("10.0.0.10:3306", "", 1)), "m0");
  EXPECT_EQ(source(w, 1, connected("10.9.9.9:3306", "", 77)), "outside");
  auto lost = connected("10.0.0.10:3306", "", 1);
  lost.receiving = false;
  EXPECT_EQ(source(w, 1, lost), "? m0 m1 m2") << "the number may be of an earlier source";
  // Its list of replicas.
  w[0].followers_listed = true;
  w[0].follower_list = {{.name = "db2:3306", .server_id = 3}};
  EXPECT_EQ(source(w, 1, connected("10.0.0.10:3306", "", 1)), "outside") << "m0 does not serve it";
  w[0].follower_list.push_back({.name = "db1:3306", .server_id = 2});
  EXPECT_EQ(source(w, 1, connected("10.0.0.10:3306", "", 1)), "m0");
  // A number that was changed while they are connected.
  EXPECT_EQ(source(w, 1, connected("db0:3306", "", 55)), "m0");
  w[0].followers_listed = false;
  EXPECT_EQ(source(w, 1, connected("db0:3306", "", 55)), "? m0");
  // Two members with one number.
  w[2].server_id = 1;
  EXPECT_EQ(source(w, 1, connected("10.0.0.10:3306", "", 1)), "? m0 m2");
}

TEST(TopologyWho, AServerOfAnotherClusterMayHaveTheNumberOfAMember) {
  World w = hosts(Engine::mariadb);
  const auto feed = [] {
    Following f = connected("10.9.9.9:3306", "", 1);
    f.channel = "feed";
    return f;
  }();
  // It is connected to m0 already, and once is all that a server takes of a replica.
  w[1].following = {connected("db0:3306", "", 1), feed};
  EXPECT_EQ(source(w, 1, feed), "outside");
  // All addresses of all members are known, and that is none.
  World agents = with_agents(Engine::mariadb);
  EXPECT_EQ(source(agents, 2, feed), "outside");
  // No replica of m2's, and m2 has none: the number alone would say that it is.
  Following third = connected("10.9.9.9:3306", "", 3);
  w[2].followers = 0;
  EXPECT_EQ(source(w, 1, third), "outside");
}

TEST(TopologyWho, PostgresIsAskedWhomItServes) {
  World w = hosts(Engine::postgres);
  const Following other = stream("10.0.0.10:5432");
  EXPECT_EQ(source(w, 1, other), "outside") << "no member lists it, and all were asked";
  w[0].follower_list = {{"walreceiver", "streaming", "async", "", "10.0.0.11"}};
  EXPECT_EQ(source(w, 1, other), "? m0") << "of two that receive under that name";
  w[1].own.resolved = {{"db1", {"10.0.0.11"}}};
  EXPECT_EQ(source(w, 1, other), "m0");
  w[1].application_name = "standby one";
  EXPECT_EQ(source(w, 1, other), "outside");
  w[0].follower_list[0].name = "standby one";
  EXPECT_EQ(source(w, 1, other), "m0");
  w[0].follower_list[0].name = "";
  EXPECT_EQ(source(w, 1, other), "? m0") << "an account of few rights is shown no names";
  w[0].followers_listed = false;
  EXPECT_EQ(source(w, 1, other), "? m0");
  // A slot is used by one at a time.
  Following by_slot = other;
  by_slot.slot = "m1";
  w[0].postgres.slots = {{.name = "m1", .active = true}};
  EXPECT_EQ(source(w, 1, by_slot), "m0");
  w[0].postgres.slots->at(0).active = false;
  EXPECT_EQ(source(w, 1, by_slot), "outside");
  // It does not receive: only its address tells.
  EXPECT_EQ(source(w, 1, tries("10.0.0.10:5432")), "? m0 m1 m2");
  EXPECT_EQ(source(w, 1, tries("db0:5432")), "m0");
  // A server of another system cannot be streamed from.
  w[2].lineage = "8";
  w[2].followers_listed = false;
  w[0].postgres.slots->at(0).active = true;
  EXPECT_EQ(source(w, 1, stream("db2:5432")), "? m0");
}

TEST(TopologyWho, GaleraKnowsNodesByUuidAndName) {
  World w = hosts(Engine::galera);
  for (size_t i = 0; i < 3; ++i) {
    w[i].galera->node_uuid = kUuid[i];
    w[i].galera->node_name = "node " + std::to_string(i);
    w[i].galera->node_address = "AUTO";
  }
  const Topology topology(w.cluster, w.facts);
  const auto node = [&](const char* uuid, const char* name, const char* address) {
    return text(w, topology.node({uuid, name, address}));
  };
  EXPECT_EQ(node(kUuid[1], "any", "AUTO"), "m1");
  EXPECT_EQ(node("", "node 2", "AUTO"), "m2");
  EXPECT_EQ(node("", "m2", ""), "m2") << "as it is described";
  EXPECT_EQ(node("", "", "db0:3306"), "m0");
  EXPECT_EQ(node(kStranger, "", "db0:3306"), "m0") << "before it was started again";
  EXPECT_EQ(node(kStranger, "node 2", "AUTO"), "outside") << "that is its name as another node";
  EXPECT_EQ(node(kStranger, "x", "10.9.9.9:3306"), "outside");
  EXPECT_EQ(node("", "x", "10.9.9.9:3306"), "? m0 m1 m2");
}

TEST(TopologyWho, AFollowerIsKnownByItsNumberAndName) {
  World w = hosts(Engine::mysql);
  {
    const Topology topology(w.cluster, w.facts);
    EXPECT_EQ(text(w, topology.follower(0, {.uuid = kUuid[2]})), "m2");
    EXPECT_EQ(text(w, topology.follower(0, {.server_id = 2})), "m1");
    EXPECT_EQ(text(w, topology.follower(0, {.uuid = kStranger})), "outside");
    EXPECT_EQ(text(w, topology.follower(0, {.name = "10.0.0.12:5123"})), "? m0 m1 m2");
  }
  w = hosts(Engine::postgres);
  w[1].application_name = "m1";
  const Topology topology(w.cluster, w.facts);
  EXPECT_EQ(text(w, topology.follower(0, {.name = "m1"})), "m1");
  EXPECT_EQ(text(w, topology.follower(0, {.name = "pg_receivewal"})), "outside");
}

// ---------------------------------------------------------------- what comes of it

/// However its replicas call the primary, the cluster is the same one.
TEST(TopologyWho, OtherNamesChangeNoVerdict) {
  for (const Engine engine : kStreams) {
    const bool postgres = engine == Engine::postgres;
    World usual = hosts(engine), other = hosts(engine);
    for (const int i : {1, 2}) {
      other[i].following[0].upstream = postgres ? "10.0.0.10:5432" : "10.0.0.10:3306";
      for (World* w : {&usual, &other}) {
        auto& f = (*w)[i];
        f.following[0].source_uuid = engine == Engine::mysql ? kUuid[0] : "";
        f.following[0].source_server_id = 1;
        f.application_name = postgres ? "m" + std::to_string(i) : "";
        if (postgres) (*w)[0].follower_list.push_back({f.application_name, "streaming", "async"});
      }
    }
    const auto a = usual.report(), b = other.report();
    EXPECT_TRUE(b.healthy) << engine_name(engine) << b.sentence;
    ASSERT_EQ(a.diagnoses.size(), b.diagnoses.size()) << engine_name(engine);
    for (size_t i = 0; i < a.diagnoses.size(); ++i) EXPECT_EQ(a.diagnoses[i].id, b.diagnoses[i].id);
    EXPECT_EQ(b.leader, "m0");
    EXPECT_NE(b.members[1].sentence.find(" (m0)"), std::string::npos) << b.members[1].sentence;
  }
}

TEST(TopologyWho, ASourceThatCannotBeIdentifiedIsSaidAndNotJudged) {
  for (const Engine engine : kStreams) {
    World w = healthy(engine);
    w[1].following[0].upstream = "vip:3306";
    w[1].following[0].receive_state = "Yes";
    if (engine == Engine::postgres) w[0].followers_listed = false;
    const auto report = w.report();
    EXPECT_TRUE(report.has("source-unidentified")) << engine_name(engine);
    EXPECT_FALSE(report.has("replica-wrong-source")) << engine_name(engine);
    EXPECT_FALSE(report.has("side-channel"));
    EXPECT_TRUE(report.members[1].healthy()) << report.members[1].sentence;
    EXPECT_EQ(report.authority.kind, AuthorityKind::provable);
    w.cluster.members[0].aliases = {"vip:3306"};
    EXPECT_FALSE(w.report().has("source-unidentified")) << engine_name(engine);
  }
}

TEST(TopologyWho, ARealStrangerIsStillOne) {
  for (const Engine engine : kStreams) {
    World w = with_agents(engine);
    w[1].following[0].upstream = "10.9.9.9:3306";
    w[1].following[0].source_uuid = engine == Engine::mysql ? kStranger : "";
    EXPECT_EQ(source(w, 1, w[1].following[0]), "outside") << engine_name(engine);
    const auto severity = [&] {
      for (const auto& d : w.report().diagnoses)
        if (d.id == "replica-wrong-source") return severity_name(d.severity);
      return std::string_view("none");
    };
    EXPECT_EQ(severity(), "warning") << "it may be meant: nobody says whom it is to follow";
    w[1].runtime.role_wanted = MemberRole::replica;
    w[1].runtime.source_wanted = "m0";
    w[1].runtime.upstream_wanted = "somewhere:1";
    EXPECT_EQ(severity(), "error");
    EXPECT_EQ(w.report().members[1].action, Action::resume);
  }
}

/// A feed of the primary that waits for its server is no reason to doubt who the primary is, whatever else is broken.
TEST(TopologyWho, APrimaryWithAFeedThatCannotBeIdentifiedIsThePrimary) {
  for (const Engine engine : {Engine::mariadb, Engine::mysql}) {
    World w = hosts(engine);
    auto feed = tries("vip:3306");
    feed.channel = "feed";
    w[0].role = MemberRole::replica;
    w[0].following = {feed};
    w[2].following[0].receiving = w[2].following[0].applying = false;
    w[2].following[0].receive_state = "No";
    EXPECT_EQ(w.report().leader, "m0") << engine_name(engine);
    // What it gets may be of a member that does not get what it writes.
    w[0].following[0] = stream("vip:3306");
    EXPECT_EQ(w.report().leader, "") << engine_name(engine);
    w[2].following[0].receiving = w[2].following[0].applying = true;
    EXPECT_EQ(w.report().leader, "m0") << engine_name(engine);
  }
}

/// What came over a connection that may be a member's is no stranger's: either it is in none of those members, or it is
/// not known.
TEST(TopologyWho, WhatMayBeOfAMemberIsNotLeftOut) {
  World w = hosts(Engine::mariadb);
  w[1].following[0].source_server_id = w[2].following[0].source_server_id = 1;
  auto feed = tries("vip:3306");
  feed.receive_state = "No";
  feed.applying = false;
  feed.channel = "feed";
  feed.origins = {"7"};
  w[1].following.push_back(feed);
  w[1].executed = w[1].slave_pos = "0-1-100,7-1-50";
  auto report = w.report();
  EXPECT_TRUE(report.healthy) << "no member has anything of domain 7: " << report.sentence;
  w[2].executed = w[2].slave_pos = "0-1-100,7-1-50";
  report = w.report();
  EXPECT_EQ(report.authority.kind, AuthorityKind::undeterminable);
  EXPECT_FALSE(report.has("errant-transactions") && report.members[1].action == Action::rebuild) << report.sentence;
  w.cluster.members[2].aliases = {"vip"};
  EXPECT_EQ(source(w, 1, feed), "m2");
}

/// Its agent has noted what came over a connection; who is at its other end the server says itself, while it has it.
TEST(TopologyWho, WhatAConnectionSaysNowCountsForItsNote) {
  World w = hosts(Engine::mysql);
  for (const int i : {1, 2}) w[i].executed += std::string(",") + kStranger + ":1-5";
  auto feed = connected("vip:3306", kStranger, 9);
  feed.channel = "feed";
  w[1].following.push_back(feed);
  auto noted = tries("vip:3306");
  noted.channel = "feed";
  noted.origins = {kStranger};
  w[1].runtime.noted = {noted};
  EXPECT_EQ(w.report().authority.kind, AuthorityKind::provable);
  w[1].following.pop_back();
  EXPECT_EQ(w.report().authority.kind, AuthorityKind::undeterminable) << "it may be m2 that it came from";
}

TEST(TopologyWho, OneServerDescribedTwiceIsOneMember) {
  World w = healthy(Engine::mysql);
  w.cluster.members[2].host = "localhost";
  w.cluster.members[2].port = 1000;
  w[2] = w[0];
  w[2].member = MemberName("m2");
  const auto report = w.report();
  EXPECT_TRUE(report.has("same-server-twice"));
  EXPECT_FALSE(report.has("source-unidentified"));
  EXPECT_FALSE(report.has("replica-wrong-source"));
  World seen = w;
  seen[2] = report.members[2].facts;
  EXPECT_EQ(source(seen, 1, tries("localhost:1000")), "m0");
}

}  // namespace
}  // namespace holdfast::cluster

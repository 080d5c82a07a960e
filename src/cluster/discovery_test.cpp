// Clusters of words only: from whichever server it begins, all of them are found, once each.
#include "cluster/discovery.h"

#include <gtest/gtest.h>

#include <map>
#include <set>

#include "cluster/resource.h"

namespace holdfast::cluster {
namespace {

/// A machine full of servers that answer as a test wants.
struct Servers {
  struct Server {
    ServerWords words;
    std::vector<Place> places;  ///< where it answers
  };
  std::vector<Server> servers;
  std::map<std::string, std::string> refusals;  ///< place -> why
  std::vector<std::string> asked;
  size_t sockets_listed = 0;

  Server& add(const std::string& identity, std::vector<Place> places) {
    ServerWords words;
    words.identity = identity;
    words.port = places[0].port;
    servers.push_back({words, std::move(places)});
    return servers.back();
  }
  DiscoveryAsk door() {
    return {.server = [this](const Place& place) -> Result<ServerWords> {
              asked.push_back(place.text());
              if (const auto why = refusals.find(place.text()); why != refusals.end())
                return fail(ErrorClass::unavailable, "sql.unreachable", why->second);
              for (const auto& server : servers)
                for (const auto& at : server.places)
                  if ((!place.socket.empty() && place.socket == at.socket) ||
                      (place.socket.empty() && place.host == at.host && place.port == at.port))
                    return server.words;
              return fail(ErrorClass::unavailable, "sql.unreachable", "nobody listens");
            },
            .sockets =
                [this] {
                  ++sockets_listed;
                  std::vector<std::string> paths;
                  for (const auto& server : servers)
                    for (const auto& at : server.places)
                      if (!at.socket.empty()) paths.push_back(at.socket);
                  return paths;
                }};
  }
};

DatabaseCluster like(Engine engine, bool password = true) {
  DatabaseCluster cluster;
  cluster.engine = engine;
  cluster.name = ClusterName("orders");
  cluster.ns = "shop";
  if (password) cluster.credentials = {.user = "keeper", .password = {.file = "/pw", .env = ""}};
  return cluster;
}

/// "host:port socket" of each member, the first one first; what the file says when it is read again.
std::vector<std::string> members_of(const Discovery& found) {
  const auto read = parse_clusters(discovery_text(found), "/");
  EXPECT_TRUE(read) << discovery_text(found) << read.error().to_string();
  std::vector<std::string> members;
  if (!read) return members;
  EXPECT_EQ(read->size(), 1u);
  for (const auto& m : (*read)[0].members) {
    std::string text = m.host.empty() ? "" : fmt::format("{}:{}", m.host, m.port);
    if (!m.socket.empty()) text += (text.empty() ? "" : " ") + m.socket;
    members.push_back(std::move(text));
  }
  EXPECT_EQ(found.members.size(), members.size());
  return members;
}

/// A MariaDB primary with two replicas of it and one of a replica.
Servers chain() {
  Servers s;
  for (int i = 0; i < 4; ++i) {
    auto& server = s.add("s" + std::to_string(i), {{.host = fmt::format("10.0.0.{}", i), .port = 3306}});
    server.words.server_id = static_cast<uint64_t>(i) + 1;
    server.words.follows = i > 0;
  }
  const auto follow = [&](int replica, int source, bool says_host) {
    s.servers[replica].words.sources.push_back({.host = fmt::format("10.0.0.{}", source), .port = 3306});
    s.servers[source].words.followers.push_back({.host = says_host ? fmt::format("10.0.0.{}", replica) : "",
                                                 .port = 3306,
                                                 .server_id = static_cast<uint64_t>(replica) + 1});
    s.servers[source].words.readers.push_back(fmt::format("10.0.0.{}", replica));
  };
  follow(1, 0, true);
  follow(2, 0, false);
  follow(3, 1, false);
  return s;
}

TEST(Discovery, FindsAllFromEachOfThem) {
  for (int start = 0; start < 4; ++start) {
    Servers s = chain();
    const auto found =
        discover(like(Engine::mariadb), {.host = fmt::format("10.0.0.{}", start), .port = 3306}, s.door());
    ASSERT_TRUE(found) << found.error().to_string();
    const auto members = members_of(*found);
    EXPECT_EQ(members[0], "10.0.0.0:3306") << "the primary first, from " << start;
    EXPECT_EQ(std::set(members.begin(), members.end()),
              (std::set<std::string>{"10.0.0.0:3306", "10.0.0.1:3306", "10.0.0.2:3306", "10.0.0.3:3306"}))
        << start;
    EXPECT_EQ(found->cluster.replication, ReplicationMode::async);
    EXPECT_TRUE(found->remarks.empty()) << found->remarks[0];
    EXPECT_EQ(std::set(s.asked.begin(), s.asked.end()).size(), s.asked.size()) << "none is asked twice";
  }
}

TEST(Discovery, OneServerIsStandalone) {
  Servers s;
  s.add("s0", {{.port = 3306, .socket = "/run/mysqld/mysqld.sock"}});
  const auto found = discover(like(Engine::mariadb, false), {.socket = "/run/mysqld/mysqld.sock"}, s.door());
  ASSERT_TRUE(found) << found.error().to_string();
  EXPECT_EQ(members_of(*found), (std::vector<std::string>{"/run/mysqld/mysqld.sock"}));
  EXPECT_EQ(found->cluster.replication, ReplicationMode::standalone);
  EXPECT_EQ(found->cluster.full_name(), "shop/orders");
  EXPECT_EQ(s.sockets_listed, 0u) << "there is nothing to look for";
}

TEST(Discovery, SemiSyncIsWhatTheSourceSays) {
  Servers s = chain();
  s.servers[1].words.semi_sync = true;  // a replica's setting is for when it leads
  EXPECT_EQ(discover(like(Engine::mysql), {.host = "10.0.0.0", .port = 3306}, s.door())->cluster.replication,
            ReplicationMode::async);
  s.servers[0].words.semi_sync = true;
  EXPECT_EQ(discover(like(Engine::mysql), {.host = "10.0.0.0", .port = 3306}, s.door())->cluster.replication,
            ReplicationMode::semi_sync);
}

TEST(Discovery, WhoDoesNotAnswerIsListed) {
  Servers s = chain();
  for (const char* host : {"10.0.0.2:3306", "10.0.0.0:3306"}) s.refusals[host] = "no\nroute";
  const auto found = discover(like(Engine::mariadb), {.host = "10.0.0.3", .port = 3306}, s.door());
  ASSERT_TRUE(found) << found.error().to_string();
  const auto members = members_of(*found);
  // The primary is named by 10.0.0.1; its other replicas are not known.
  EXPECT_EQ(std::set(members.begin(), members.end()),
            (std::set<std::string>{"10.0.0.0:3306", "10.0.0.1:3306", "10.0.0.3:3306"}));
  const std::string text = discovery_text(*found);
  EXPECT_NE(text.find("did not answer: 10.0.0.0:3306, the source of 10.0.0.1:3306: no route"), std::string::npos)
      << text;

  s = chain();
  s.refusals["10.0.0.2:3306"] = "no route";
  const auto other = discover(like(Engine::mariadb), {.host = "10.0.0.0", .port = 3306}, s.door());
  ASSERT_TRUE(other) << other.error().to_string();
  EXPECT_EQ(members_of(*other).size(), 4u) << discovery_text(*other);

  s.refusals["10.0.0.0:3306"] = "no route";
  const auto refused = discover(like(Engine::mariadb), {.host = "10.0.0.0", .port = 3306}, s.door());
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().id, "sql.unreachable");
}

/// Two replicas without report_host, on two machines with two ports: which is which shows by asking.
TEST(Discovery, AReplicaIsKnownByItsServerId) {
  Servers s;
  auto& source = s.add("s0", {{.host = "10.0.0.9", .port = 3306}});
  source.words.server_id = 1;
  source.words.followers = {{.port = 3307, .server_id = 2}, {.port = 3308, .server_id = 3}};
  source.words.readers = {"10.0.0.1", "10.0.0.2"};
  s.add("s2", {{.host = "10.0.0.2", .port = 3307}}).words.server_id = 2;
  s.add("s3", {{.host = "10.0.0.1", .port = 3308}}).words.server_id = 3;
  s.add("stranger", {{.host = "10.0.0.1", .port = 3307}}).words.server_id = 77;
  for (auto i : {1, 2}) {
    s.servers[i].words.follows = true;
    s.servers[i].words.sources = {{.host = "10.0.0.9", .port = 3306}};
  }
  const auto found = discover(like(Engine::mariadb), {.host = "10.0.0.9", .port = 3306}, s.door());
  ASSERT_TRUE(found) << found.error().to_string();
  EXPECT_EQ(members_of(*found), (std::vector<std::string>{"10.0.0.9:3306", "10.0.0.2:3307", "10.0.0.1:3308"}));

  s.refusals["10.0.0.2:3307"] = s.refusals["10.0.0.1:3308"] = s.refusals["10.0.0.2:3308"] = "no route";
  s.refusals["10.0.0.1:3307"] = "no route";
  const auto unsure = discover(like(Engine::mariadb), {.host = "10.0.0.9", .port = 3306}, s.door());
  ASSERT_TRUE(unsure) << unsure.error().to_string();
  EXPECT_EQ(members_of(*unsure).size(), 1u);
  EXPECT_NE(discovery_text(*unsure).find("server_id 3 was not found; it is at one of 10.0.0.1:3308, 10.0.0.2:3308"),
            std::string::npos)
      << discovery_text(*unsure);
  EXPECT_EQ(unsure->cluster.replication, ReplicationMode::async) << "it is not alone";
}

/// Several names lead to one server: it is one member, named as its replicas name it.
TEST(Discovery, OneServerOfSeveralNamesIsOneMember) {
  Servers s;
  auto& source =
      s.add("s0", {{.host = "db1", .port = 3306, .socket = "/run/a.sock"}, {.host = "10.0.0.4", .port = 3306}});
  source.words.server_id = 1;
  source.words.followers = {{.host = "db2", .port = 3306, .server_id = 2}};
  auto& replica = s.add("s1", {{.host = "db2", .port = 3306}});
  replica.words.server_id = 2;
  replica.words.follows = true;
  replica.words.sources = {{.host = "10.0.0.4", .port = 3306}};
  for (const Place& start : {Place{.host = "db1", .port = 3306}, Place{.socket = "/run/a.sock"}}) {
    const auto found = discover(like(Engine::mariadb), start, s.door());
    ASSERT_TRUE(found) << found.error().to_string();
    const std::string socket = start.socket.empty() ? "" : " /run/a.sock";
    EXPECT_EQ(members_of(*found), (std::vector<std::string>{"10.0.0.4:3306" + socket, "db2:3306"}));
  }
}

/// A loopback address is of the machine of the one that names it.
TEST(Discovery, LoopbackIsOfTheOneThatNamesIt) {
  Servers s;
  auto& source = s.add("s0", {{.host = "10.0.0.4", .port = 3306}});
  source.words.server_id = 1;
  auto& replica = s.add("s1", {{.host = "10.0.0.4", .port = 3307}});
  replica.words.server_id = 2;
  replica.words.follows = true;
  replica.words.sources = {{.host = "127.0.0.1", .port = 3306}};
  const auto found = discover(like(Engine::mariadb), {.host = "10.0.0.4", .port = 3307}, s.door());
  ASSERT_TRUE(found) << found.error().to_string();
  EXPECT_EQ(members_of(*found), (std::vector<std::string>{"10.0.0.4:3306", "10.0.0.4:3307"}));
}

/// Without a password only sockets are asked; the others are named, and the file is correct all the same.
TEST(Discovery, WithoutAPasswordTheOthersAreNamedInComments) {
  Servers s;
  auto& source = s.add("s0", {{.host = "127.0.0.1", .port = 3306, .socket = "/run/a.sock"}});
  source.words.server_id = 1;
  source.words.followers = {{.port = 3307, .server_id = 2}, {.host = "10.0.0.5", .port = 3306, .server_id = 3}};
  source.words.readers = {"localhost", "10.0.0.5"};
  auto& here = s.add("s1", {{.port = 3307, .socket = "/run/b.sock"}});
  here.words.server_id = 2;
  here.words.follows = true;
  here.words.sources = {{.host = "127.0.0.1", .port = 3306}};
  s.add("another", {{.port = 3399, .socket = "/run/c.sock"}});
  s.refusals["127.0.0.1:3306"] = s.refusals["127.0.0.1:3307"] = s.refusals["10.0.0.5:3306"] = "takes a password";
  s.refusals["10.0.0.5:3307"] = "takes a password";
  for (const char* start : {"/run/a.sock", "/run/b.sock"}) {
    const auto found = discover(like(Engine::mariadb, false), {.socket = start}, s.door());
    ASSERT_TRUE(found) << found.error().to_string();
    EXPECT_EQ(members_of(*found), (std::vector<std::string>{"127.0.0.1:3306 /run/a.sock", "/run/b.sock"})) << start;
    ASSERT_EQ(found->left_out.size(), 1u);
    EXPECT_EQ(found->left_out[0].place.text(), "10.0.0.5:3306");
    EXPECT_NE(discovery_text(*found).find("#    - {name: orders-2, host: 10.0.0.5, port: 3306}"), std::string::npos)
        << discovery_text(*found);
  }
}

/// Standbys do not say their ports: those of this machine are found by their sockets.
Servers standbys() {
  Servers s;
  auto& primary = s.add("p", {{.host = "127.0.0.1", .port = 5432, .socket = "/run/.s.PGSQL.5432"}});
  primary.words.followers = {
      {.host = "127.0.0.1", .name = "a"}, {.host = "", .name = "b"}, {.host = "10.0.0.7", .name = "c"}};
  s.add("a", {{.host = "127.0.0.1", .port = 5433, .socket = "/run/.s.PGSQL.5433"}});
  s.add("b", {{.host = "127.0.0.1", .port = 5434, .socket = "/run/.s.PGSQL.5434"}});
  s.add("c", {{.host = "10.0.0.7", .port = 5432}});
  s.add("other", {{.host = "127.0.0.1", .port = 5440, .socket = "/run/.s.PGSQL.5440"}});
  for (auto& server : s.servers) server.words.lineage = server.words.identity == "other" ? "2" : "1";
  for (auto i : {1, 3}) s.servers[i].words.sources = {{.host = "127.0.0.1", .port = 5432}};
  s.servers[3].words.sources[0].host = "10.0.0.1";  // the primary's other address, which is not asked here
  s.servers[2].words.sources = {{.host = "/run", .port = 5432}};
  for (auto i : {1, 2, 3}) s.servers[i].words.follows = true;
  s.servers[4].words.follows = true;
  s.servers[0].places.push_back({.host = "10.0.0.1", .port = 5432});
  return s;
}

TEST(Discovery, StandbysOfThisMachineAreFoundByTheirSockets) {
  for (const Place& start : {Place{.socket = "/run/.s.PGSQL.5432"}, Place{.host = "127.0.0.1", .port = 5432},
                             Place{.socket = "/run/.s.PGSQL.5434"}, Place{.host = "127.0.0.1", .port = 5433}}) {
    Servers s = standbys();
    const auto found = discover(like(Engine::postgres), start, s.door());
    ASSERT_TRUE(found) << found.error().to_string();
    EXPECT_EQ(found->members.size(), 4u) << start.text() << "\n" << discovery_text(*found);
    EXPECT_EQ(found->cluster.lineage, "1");
    EXPECT_EQ(found->cluster.replication, ReplicationMode::streaming);
    EXPECT_TRUE(found->remarks.empty()) << start.text() << "\n" << discovery_text(*found);
    (void)members_of(*found);
  }
}

TEST(Discovery, AStandbyElsewhereIsListedWithAGuess) {
  Servers s = standbys();
  s.refusals["10.0.0.7:5432"] = "no route";
  s.servers[1].places = {{.host = "127.0.0.1", .port = 5433}};  // its socket is nowhere to be seen
  const auto found = discover(like(Engine::postgres), {.socket = "/run/.s.PGSQL.5432"}, s.door());
  ASSERT_TRUE(found) << found.error().to_string();
  const std::string text = discovery_text(*found);
  EXPECT_NE(text.find("10.0.0.7:5432, follows"), std::string::npos) << text;
  EXPECT_NE(text.find("its port is not known, 5432 is that of its source"), std::string::npos) << text;
  EXPECT_NE(text.find("the standby b of"), std::string::npos) << text;
}

TEST(Discovery, GaleraIsItsView) {
  Servers s;
  for (int i = 0; i < 3; ++i) {
    auto& node = s.add("n" + std::to_string(i), {{.host = fmt::format("10.0.0.{}", i), .port = 3306}});
    node.words.galera = true;
    node.words.lineage = "uuid";
    node.words.cluster_name = "Shop Orders_1";
    node.words.self = {.host = fmt::format("10.0.0.{}", i), .port = 3306};
    for (int k = 0; k < 3; ++k)
      if (k != i) node.words.nodes.push_back({.host = fmt::format("10.0.0.{}", k), .port = 3306});
  }
  s.servers[0].places.push_back({.socket = "/run/n0.sock"});
  DatabaseCluster asked = like(Engine::mariadb);
  asked.name = ClusterName();
  const auto found = discover(asked, {.socket = "/run/n0.sock"}, s.door());
  ASSERT_TRUE(found) << found.error().to_string();
  EXPECT_EQ(found->cluster.engine, Engine::galera) << "the servers know better";
  EXPECT_EQ(found->cluster.name.str(), "shop-orders-1");
  EXPECT_EQ(members_of(*found),
            (std::vector<std::string>{"10.0.0.0:3306 /run/n0.sock", "10.0.0.1:3306", "10.0.0.2:3306"}));
  EXPECT_EQ(found->cluster.replication, ReplicationMode::galera);

  s.servers[0].words.nodes[1] = {};  // wsrep_node_incoming_address=AUTO
  s.refusals["10.0.0.1:3306"] = "no route";
  const auto hidden = discover(asked, {.socket = "/run/n0.sock"}, s.door());
  ASSERT_TRUE(hidden);
  EXPECT_NE(discovery_text(*hidden).find("1 of the 3 nodes do not say where they are reached"), std::string::npos);
}

TEST(Discovery, EndsWhereServersLeadOnAndOn) {
  Servers s;
  for (int i = 0; i < 500; ++i) {
    auto& server = s.add("s" + std::to_string(i), {{.host = "h" + std::to_string(i), .port = 3306}});
    server.words.server_id = static_cast<uint64_t>(i) + 1;
    server.words.follows = true;
    server.words.sources = {{.host = "h" + std::to_string(i + 1), .port = 3306}};
  }
  const auto found = discover(like(Engine::mariadb), {.host = "h0", .port = 3306}, s.door(), {.servers = 20});
  ASSERT_TRUE(found) << found.error().to_string();
  EXPECT_EQ(s.asked.size(), 20u);
  EXPECT_NE(discovery_text(*found).find("only 20 servers were asked"), std::string::npos);
  EXPECT_NE(discovery_text(*found).find("did not answer: h20:3306, the source of h19:3306: it was not asked"),
            std::string::npos)
      << discovery_text(*found);
  // And where they lead round.
  s.servers[3].words.sources[0].host = "h0";
  EXPECT_EQ(discover(like(Engine::mariadb), {.host = "h0", .port = 3306}, s.door())->members.size(), 4u);
}

}  // namespace
}  // namespace holdfast::cluster

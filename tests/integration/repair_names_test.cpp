// One server under several names: a cluster described by a name whose replicas know addresses, and the reverse, is the
// same cluster, for triage and for a repair.
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <netdb.h>
#include <unistd.h>

#include <fstream>

#include "cluster/resource.h"
#include "tests/integration/repair_world.h"
#include "tests/support/member_sql.h"

namespace holdfast::test {
namespace {

using cluster::Engine;
using codec::Value;
using std::chrono::seconds;

#define NEED(which, server) \
  HOLDFAST_NEED(std::string(cluster::engine_name(which)), engine::find_program(which, server).has_value(), "no " server)

/// Another name of 127.0.0.1: this machine's where it leads there, else one that resolvers take.
std::string other_name() {
  char name[256] = "";
  ::gethostname(name, sizeof name - 1);
  addrinfo hints{}, *found = nullptr;
  hints.ai_family = AF_INET;
  std::string text = "127.1";
  if (::getaddrinfo(name, nullptr, &hints, &found) != 0) return text;
  char address[64] = "";
  ::getnameinfo(found->ai_addr, found->ai_addrlen, address, sizeof address, nullptr, 0, NI_NUMERICHOST);
  if (std::string_view(address) == "127.0.0.1") text = name;
  ::freeaddrinfo(found);
  return text;
}

class Names {
 public:
  Names(Engine engine, const std::string& cluster) : world(engine, cluster), engine_(engine) {}

  /// Changes the description into another file.
  template <class Change>
  std::string described(const std::string& file, Change&& change) {
    const std::string text = bytes_of(world.lab.state_dir() + "/clusters/" + world.cluster() + ".yaml");
    auto clusters = cluster::parse_clusters(text, "/");
    EXPECT_TRUE(clusters && clusters->size() == 1u);
    if (!clusters) return "";
    auto& described = clusters->front();
    described.tls.plain_text = true;  // that name may be of another machine
    for (auto& member : described.members) change(described, member);
    const std::string path = world.lab.state_dir() + "/" + file;
    std::ofstream(path) << cluster::print_cluster(described);
    return path;
  }
  std::string by_name() {
    return described("by-name.yaml", [&](auto&, cluster::Member& member) { member.host = name; });
  }
  /// As somebody sees it who has neither agents nor sockets.
  std::string from_outside(const std::string& host) {
    return described("outside.yaml", [&](cluster::DatabaseCluster& c, cluster::Member& member) {
      c.provider = cluster::Provider::external;
      member.host = host;
      member.socket = member.agent_socket = member.data_dir = "";
    });
  }

  /// A replica is told the name instead of the address.
  void follow_by_name(int i) {
    if (engine_ == Engine::postgres) {
      std::string conninfo = world.ask(i, "SHOW primary_conninfo");
      const size_t at = conninfo.find("127.0.0.1");
      ASSERT_NE(at, std::string::npos) << conninfo;
      conninfo.replace(at, 9, name);
      EXPECT_EQ(world.ask(i, "ALTER SYSTEM SET primary_conninfo = " + sql::quote_postgres(conninfo)), "");
      EXPECT_EQ(world.ask(i, "SELECT pg_reload_conf()"), "t");
      comes_to(i, "SELECT sender_host FROM pg_stat_wal_receiver WHERE status = 'streaming'", name);
      return;
    }
    const std::string change = engine_ == Engine::mysql ? "CHANGE REPLICATION SOURCE TO SOURCE_HOST = '" + name + "'"
                                                        : "CHANGE MASTER TO MASTER_HOST = '" + name + "'";
    const std::string which = engine_ == Engine::mysql ? "REPLICA" : "SLAVE";
    for (const auto& statement : {"STOP " + which, change, "START " + which})
      EXPECT_EQ(world.ask(i, statement), "") << statement;
  }
  void comes_to(int i, const std::string& statement, const std::string& wanted) {
    std::string is;
    (void)sys::wait_until([&] { return (is = world.ask(i, statement)) == wanted; }, Deadline::in(seconds(30)));
    EXPECT_EQ(is, wanted) << statement;
  }

  /// Healthy, with the same diagnoses as ever; member `i` follows member 0 by `upstream`.
  void expect_same(const std::string& config, int i, const std::string& upstream, const std::string& what) {
    std::vector<std::string> args;
    if (!config.empty()) args = {"--config", config};
    RunResult seen;
    (void)sys::wait_until([&] { return (seen = world.run("triage", args)).exit_code == 0; }, Deadline::in(seconds(20)));
    const Value data = RepairWorld::data(seen);
    EXPECT_EQ(seen.exit_code, 0) << what << codec::to_json(data["diagnoses"]) << seen.err;
    std::string ids;
    for (const Value& d : data["diagnoses"].items())
      if (d["id"].text() != "disk-unseen") ids += d["id"].text() + " ";
    if (usual_.empty()) usual_ = ids + ".";
    EXPECT_EQ(ids + ".", usual_) << what << codec::to_json(data["diagnoses"]);
    for (const Value& m : data["members"].items()) {
      if (m["name"].text() != world.name(i)) continue;
      ASSERT_EQ(m["following"].items().size(), 1u) << what;
      const Value& stream = m["following"].items()[0];
      EXPECT_EQ(stream["source"].text(), world.name(0)) << what << codec::to_json(stream);
      EXPECT_EQ(stream["upstream"].text(), fmt::format("{}:{}", upstream, world.member(0)["port"].integer())) << what;
    }
  }

  void expect_one_cluster() {
    ASSERT_NO_FATAL_FAILURE(world.up());
    expect_same("", 1, "127.0.0.1", "as the lab describes it");
    expect_same(by_name(), 1, "127.0.0.1", "described by name");
    expect_same(from_outside(name), 1, "127.0.0.1", "described by name, without agents");
    ASSERT_NO_FATAL_FAILURE(follow_by_name(1));
    expect_same("", 1, name, "its replica knows a name");
    expect_same(by_name(), 1, name, "both know the name");
    expect_same(from_outside("127.0.0.1"), 1, name, "its replica knows a name, and there are no agents");
  }

  RepairWorld world;
  const std::string name = other_name();

 private:
  const Engine engine_;
  std::string usual_;
};

TEST(Names, PostgresOfOneClusterAreMany) {
  NEED(Engine::postgres, "postgres");
  Names names(Engine::postgres, "shop-postgres");
  names.expect_one_cluster();
}

TEST(Names, MysqlOfOneClusterAreMany) {
  NEED(Engine::mysql, "mysqld");
  Names names(Engine::mysql, "shop-mysql");
  names.expect_one_cluster();
}

TEST(Names, MariadbOfOneClusterAreManyAndARepairKeepsThem) {
  NEED(Engine::mariadb, "mariadbd");
  Names names(Engine::mariadb, "shop-mariadb");
  ASSERT_NO_FATAL_FAILURE(names.expect_one_cluster());
  // While it is not connected there is nothing but the name, and where that leads.
  EXPECT_EQ(names.world.ask(1, "STOP SLAVE"), "");
  const auto stopped = RepairWorld::data(names.world.run("triage", {"--config", names.from_outside("127.0.0.1")}));
  for (const Value& m : stopped["members"].items())
    for (const Value& stream : m["following"].items())
      EXPECT_EQ(stream["source"].text(), names.world.name(0)) << codec::to_json(stream);
  EXPECT_EQ(names.world.ask(1, "START SLAVE"), "");

  const auto follows = [&] {
    const std::string file = names.world.lab.state_dir() + "/lab/shop-mariadb/shop-mariadb-1/data/master.info";
    return bytes_of(file);
  };

  // Its password is refused: it is told the account anew, and the address stays.
  for (const char* statement : {"STOP SLAVE", "CHANGE MASTER TO MASTER_PASSWORD = 'wrong'", "START SLAVE"})
    EXPECT_EQ(names.world.ask(1, statement), "");
  names.world.expect_repaired(1);
  EXPECT_NE(follows().find("\n" + names.name + "\n"), std::string::npos) << "not by another address";

  // Its data is lost, and the agent's note of its connection is what is left.
  const std::string note = names.world.lab.state_dir() + "/lab/shop-mariadb/shop-mariadb-1/channels.json";
  const auto noted = [&] {
    const auto text = sys::read_file(note);  // not there until its agent has looked
    return text && as_text(text->span()).find("\"" + names.name + "\"") != std::string::npos;
  };
  EXPECT_TRUE(*sys::wait_until(noted, Deadline::in(seconds(30))));
  names.world.break_member("delete-data", 1);
  names.world.expect_repaired(1);
  EXPECT_NE(follows().find("\n" + names.name + "\n"), std::string::npos) << "not by another address";
  names.expect_same("", 1, names.name, "rebuilt");
}

}  // namespace
}  // namespace holdfast::test

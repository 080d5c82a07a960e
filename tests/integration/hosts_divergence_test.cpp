// What only one member has, exported and adopted by a caller on another host, for whom the members' directories do not
// even exist.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "lab/hosts.h"
#include "tests/integration/repair_world.h"

namespace holdfast::test {

using cluster::Engine;
using codec::Value;
using std::chrono::seconds;
namespace fs = std::filesystem;

namespace {

#define NEED_HOSTS() \
  HOLDFAST_NEED("root", lab::can_have_hosts(), "network namespaces need root, and a container that allows them")

class HostsWorld : public RepairWorld {
 public:
  using RepairWorld::RepairWorld;
  void up() { ASSERT_NO_FATAL_FAILURE(RepairWorld::up({"--hosts", "3"})); }

  std::string folder() const { return lab.state_dir() + "/mine"; }
  /// Exports, and gives what was said of member 1, which alone has something.
  Value exported() {
    const auto told = run("triage", {"--export-divergence", folder()});
    EXPECT_EQ(told.exit_code, 4) << told.out << told.err;
    const Value members = data(told)["export"]["members"];
    EXPECT_EQ(members.items().size(), 1u) << told.out << told.err;
    if (members.items().empty()) return {};
    EXPECT_EQ(members.items()[0]["name"].text(), name(1));
    EXPECT_TRUE(members.items()[0]["notWritten"].is_null()) << codec::to_json(members);
    return members.items()[0];
  }
  std::string exported_file(const std::string& end) const { return bytes_of(folder() + "/" + name(1) + end); }
};

class HostsDivergence : public testing::TestWithParam<std::pair<Engine, const char*>> {};

TEST_P(HostsDivergence, RowsOfAReplicaAreExportedFromAfar) {
  NEED_HOSTS();
  const auto [engine, cluster] = GetParam();
  HostsWorld world(engine, cluster);
  ASSERT_NO_FATAL_FAILURE(world.up());
  const bool mysql = engine == Engine::mysql;
  EXPECT_EQ(world.ask(0, "CREATE TABLE shop.mine (i INT PRIMARY KEY, t LONGTEXT)"), "");
  world.expect_equal(1);
  EXPECT_EQ(world.ask(1, mysql ? "SET GLOBAL super_read_only=OFF" : "SET GLOBAL read_only=OFF"), "");
  EXPECT_EQ(world.ask(1, "INSERT INTO shop.mine VALUES (1, 'of the replica')"), "");
  EXPECT_EQ(world.ask(1, "FLUSH BINARY LOGS"), "");
  // More than a frame carries.
  EXPECT_EQ(world.ask(1, "INSERT INTO shop.mine VALUES (2, REPEAT('long', 700000))"), "");
  EXPECT_EQ(world.ask(1, "DELETE FROM shop.mine WHERE i = 1"), "");
  EXPECT_EQ(world.ask(1, mysql ? "SET GLOBAL super_read_only=ON" : "SET GLOBAL read_only=ON"), "");

  const Value said = world.exported();
  EXPECT_EQ(codec::to_json(said["files"]), fmt::format(R"(["{0}.json","{0}.sql"])", world.name(1)));
  size_t there = 0;
  for (const auto& entry : fs::directory_iterator(world.folder())) there += entry.exists();
  EXPECT_EQ(there, 2u) << "something is left of the way there";
  const auto list = codec::parse_value(world.exported_file(".json"));
  ASSERT_TRUE(list);
  EXPECT_EQ((*list)["transactions"].items().size(), 3u) << codec::to_json(*list);
  const std::string sql = world.exported_file(".sql");
  EXPECT_NE(sql.find("### INSERT INTO `shop`.`mine`"), std::string::npos);
  EXPECT_NE(sql.find("### DELETE FROM `shop`.`mine`"), std::string::npos);
  EXPECT_GT(sql.size(), 2'800'000u);
}

INSTANTIATE_TEST_SUITE_P(Engines, HostsDivergence,
                         testing::Values(std::pair{Engine::mariadb, "shop-mariadb"},
                                         std::pair{Engine::mysql, "shop-mysql"}),
                         [](const auto& info) { return std::string(cluster::engine_name(info.param.first)); });

TEST(HostsDivergenceMysql, RowsOfAReplicaAreAdoptedFromAfar) {
  NEED_HOSTS();
  HostsWorld world(Engine::mysql, "shop-mysql");
  ASSERT_NO_FATAL_FAILURE(world.up());
  EXPECT_EQ(world.ask(0, "CREATE TABLE shop.mine (i INT PRIMARY KEY, t LONGTEXT)"), "");
  EXPECT_EQ(world.ask(0, "CREATE TABLE shop.altered (i INT PRIMARY KEY)"), "");
  world.expect_equal(1);
  EXPECT_EQ(world.ask(1, "SET GLOBAL super_read_only=OFF"), "");
  EXPECT_EQ(world.ask(1, "INSERT INTO shop.mine VALUES (1, 'of the replica'), (2, REPEAT('long', 700000))"), "");
  EXPECT_EQ(world.ask(1, "FLUSH BINARY LOGS"), "");
  EXPECT_EQ(world.ask(1, "UPDATE shop.mine SET t = 'twice' WHERE i = 1"), "");
  EXPECT_EQ(world.ask(1, "SET GLOBAL super_read_only=ON"), "");
  ASSERT_NE(world.triage(), 0);

  const auto adopted = world.run("repair", {"-i", "1", "--adopt", "--accept=adopt:" + world.name(1)});
  EXPECT_EQ(adopted.exit_code, 0) << adopted.out << adopted.err;
  EXPECT_EQ(world.ask(0, "SELECT GROUP_CONCAT(i, ' ', LENGTH(t) ORDER BY i) FROM shop.mine"), "1 5,2 2800000");
  ASSERT_NO_FATAL_FAILURE(world.expect_mended(1));

  // What its agent alone can see of the logs that come after them: a table that was altered.
  EXPECT_EQ(world.ask(1, "SET GLOBAL super_read_only=OFF"), "");
  EXPECT_EQ(world.ask(1, "INSERT INTO shop.altered VALUES (1)"), "");
  EXPECT_EQ(world.ask(1, "SET GLOBAL super_read_only=ON"), "");
  EXPECT_EQ(world.ask(0, "FLUSH BINARY LOGS"), "");
  EXPECT_EQ(world.ask(0, "ALTER TABLE shop.altered ADD n INT"), "");
  EXPECT_EQ(world.ask(0, "ALTER TABLE shop.altered DROP n"), "");
  EXPECT_EQ(world.ask(0, "CREATE TABLE shop.after_it (i INT)"), "");
  EXPECT_TRUE(*sys::wait_until([&] { return world.ask(1, "SELECT COUNT(*) FROM shop.after_it") == "0"; },
                               Deadline::in(seconds(30))));
  const auto refused = world.run("repair", {"-i", "1", "--adopt"});
  RepairWorld::expect_refused(refused, "repair.cannot_adopt");
  EXPECT_NE(refused.out.find("shop.altered was altered after it (ALTER TABLE)"), std::string::npos) << refused.out;
}

TEST(HostsDivergencePostgres, TheLogAfterTheForkIsExportedFromAfar) {
  NEED_HOSTS();
  HostsWorld world(Engine::postgres, "shop-postgres");
  ASSERT_NO_FATAL_FAILURE(world.up());
  EXPECT_EQ(world.ask(1, "SELECT pg_promote()"), "t");
  EXPECT_EQ(world.ask(1, "CREATE TABLE of_its_own (i INT)"), "");
  EXPECT_EQ(world.ask(1, "INSERT INTO of_its_own SELECT generate_series(1, 20000)"), "");
  world.agent(1, "stop");  // comes back as the replica it should be, with a history of its own
  world.agent(1, "start");
  const Value said = world.exported();
  EXPECT_GT(said["files"].items().size(), 2u) << codec::to_json(said);
  for (const auto& file : said["files"].items())
    EXPECT_GT(fs::file_size(world.folder() + "/" + file.text()), 0u) << file.text();
  const auto wal = codec::parse_value(world.exported_file(".wal.json"));
  ASSERT_TRUE(wal);
  EXPECT_GE((*wal)["commits"].items().size(), 2u);
  ASSERT_GT((*wal)["records"].items().size(), 20000u);
  for (const auto& record : (*wal)["records"].items())
    ASSERT_FALSE(record["description"].is_null()) << codec::to_json(record);
}

}  // namespace

}  // namespace holdfast::test

#include "tests/integration/sweep_kinds.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <memory>

namespace holdfast::test {

using cluster::Engine;
using codec::Value;

namespace {

/// MariaDB, MySQL: a replica with a table of its own.
Sweep errant(KillWorld& world) {
  const std::string lock = world.engine() == Engine::mysql ? "super_read_only" : "read_only";
  const std::string count = "SELECT count(*) FROM information_schema.tables WHERE table_name='errant'";
  Sweep what;
  what.args = {"-i", "1", "-r", world.repository};
  what.break_it = [&world, lock, count] {
    if (world.ask(1, count) == "1") return;
    EXPECT_EQ(world.ask(1, "SET GLOBAL " + lock + "=OFF"), "");
    EXPECT_EQ(world.ask(1, "CREATE TABLE shop.errant (i int primary key)"), "");
    EXPECT_EQ(world.ask(1, "INSERT INTO shop.errant VALUES (1), (2)"), "");
    // A semi-sync replica that dies before InnoDB has this commit would cut it from its log when it starts.
    EXPECT_EQ(world.ask(1, "FLUSH LOCAL ENGINE LOGS"), "");
    EXPECT_EQ(world.ask(1, "SET GLOBAL " + lock + "=ON"), "");
    EXPECT_EQ(world.verdict(1), "diverged");
  };
  what.mended = [&world, count](const std::string& id) {
    world.expect_healthy();
    world.expect_equal(1);
    EXPECT_EQ(world.ask(1, count), "0");
    if (!id.empty()) {
      EXPECT_GE(world.escrows(id), 1u);
      EXPECT_TRUE(world.escrow_files(id).contains("errant.ibd"));
    }
  };
  what.as_before = [&world, lock](const std::string&) {
    EXPECT_EQ(world.ask(1, "SELECT count(*) FROM shop.errant"), "2");
    EXPECT_EQ(world.ask(1, "SELECT @@" + lock), "1");
    world.expect_verdict(1, "diverged");
  };
  return what;
}

/// What only the replica has is written into the primary: each transaction once, however often it is begun. The rows go
/// into a table without any key, where a second copy of a row would be let in.
Sweep adopted(KillWorld& world) {
  EXPECT_EQ(world.ask(0, "CREATE TABLE shop.keyless (n INT)"), "");
  EXPECT_EQ(world.ask(0, "CREATE TABLE shop.keyed (id INT PRIMARY KEY, n INT)"), "");
  EXPECT_EQ(world.ask(0, "INSERT INTO shop.keyed VALUES (1, 0)"), "");
  const auto round = std::make_shared<int>(0);
  const auto rows_of = [&world](int i) {
    return world.ask(i, "SELECT CONCAT(COUNT(*), ' ', COUNT(DISTINCT n)) FROM shop.keyless");
  };
  const auto whole = [round] { return fmt::format("{} {}", 5 * *round, 5 * *round); };
  Sweep what;
  what.args = {"-i", "1", "--adopt"};
  what.break_it = [&world, round] {
    if (world.verdict(1) == "diverged") return;
    world.expect_healthy();
    world.expect_equal(1);
    ++*round;
    EXPECT_EQ(world.ask(1, "SET GLOBAL super_read_only=OFF"), "");
    for (int i = 0; i < 5; ++i)
      EXPECT_EQ(world.ask(1, fmt::format("INSERT INTO shop.keyless VALUES ({})", 5 * *round + i)), "");
    EXPECT_EQ(world.ask(1, "UPDATE shop.keyed SET n = n + 1"), "");
    EXPECT_EQ(world.ask(1, "SET GLOBAL super_read_only=ON"), "");
    EXPECT_EQ(world.verdict(1), "diverged");
  };
  what.mended = [&world, round, rows_of, whole](const std::string&) {
    world.expect_healthy();
    world.expect_equal(1);
    for (const int i : {0, 1}) {
      EXPECT_EQ(rows_of(i), whole());
      EXPECT_EQ(world.ask(i, "SELECT n FROM shop.keyed"), std::to_string(*round));
    }
  };
  // What was written stays, each transaction as a whole; what was not is still on the replica, and can be adopted.
  what.as_before = [&world, round, rows_of, whole](const std::string&) {
    EXPECT_EQ(rows_of(1), whole());
    EXPECT_EQ(world.ask(1, "SELECT @@super_read_only"), "1");
    const std::string there = rows_of(0);
    EXPECT_EQ(there.substr(0, there.find(' ')), there.substr(there.find(' ') + 1)) << "a row is there twice";
    const auto held = world.ask(0, "SELECT n FROM shop.keyed");
    EXPECT_EQ(held, std::to_string(there == whole() && held == std::to_string(*round) ? *round : *round - 1)) << there;
  };
  return what;
}

/// PostgreSQL: a standby that was promoted, and comes back as the replica it should be.
Sweep promoted(KillWorld& world) {
  const std::string count = "SELECT count(*) FROM pg_class WHERE relname='of_its_own'";
  Sweep what;
  what.args = {"-i", "1", "-r", world.repository};
  what.break_it = [&world, count] {
    if (world.ask(1, count) == "1") return;
    EXPECT_EQ(world.ask(1, "SELECT pg_promote()"), "t");
    EXPECT_EQ(world.ask(1, "CREATE TABLE of_its_own AS SELECT generate_series(1, 2) AS i"), "");
    world.agent(1, "stop");
    world.agent(1, "start");
    EXPECT_EQ(world.verdict(1), "diverged");
  };
  what.mended = [&world, count](const std::string& id) {
    world.expect_healthy();
    world.expect_equal(1);
    EXPECT_EQ(world.ask(1, count), "0");
    if (id.empty()) return;
    EXPECT_GE(world.escrows(id), 1u);
    EXPECT_TRUE(world.escrow_files(id).contains("PG_VERSION"));
  };
  what.as_before = [&world](const std::string&) {
    EXPECT_EQ(world.ask(1, "SELECT count(*) FROM of_its_own"), "2");
    world.expect_verdict(1, "diverged");
  };
  return what;
}

/// Galera: all members crashed; their positions are in InnoDB alone.
Sweep all_crashed(KillWorld& world) {
  const auto row = std::make_shared<int>(0);
  EXPECT_EQ(world.ask(0, "CREATE TABLE shop.kept (i int primary key)"), "");
  Sweep what;
  what.verb = "bootstrap";
  what.victim = 0;
  what.break_it = [&world, row] {
    if (world.triage()["healthy"].boolean()) {
      EXPECT_EQ(world.ask(2, fmt::format("INSERT INTO shop.kept VALUES ({})", ++*row)), "");
      for (int i = 0; i < 3; ++i) world.kill_server(i);
    }
    const auto inspected = world.run("inspect", {"--fence"});
    EXPECT_EQ(inspected.exit_code, 4) << inspected.out << inspected.err;
  };
  what.mended = [&world, row](const std::string&) {
    world.expect_healthy();
    for (int i = 0; i < 3; ++i) {
      EXPECT_EQ(world.ask(i,
                          "SELECT variable_value FROM information_schema.global_status WHERE "
                          "variable_name='wsrep_cluster_size'"),
                "3");
      EXPECT_EQ(world.ask(i, "SELECT count(*) FROM shop.kept"), std::to_string(*row));
      world.expect_equal(i);
    }
  };
  what.as_before = [&world](const std::string&) {
    const Value seen = world.triage();
    for (int i = 0; i < 3; ++i) EXPECT_EQ(world.agent(i, "status")["server"]["pid"].integer(), -1) << i;
    EXPECT_TRUE(world.says(seen, "galera-no-primary-component", 0)) << codec::to_json(seen);
  };
  return what;
}

constexpr SweepKind kKinds[] = {
    {"MariadbErrantMember", Engine::mariadb, "mariadbd", "shop-mariadb", errant},
    {"MysqlErrantMember", Engine::mysql, "mysqld", "shop-mysql", errant},
    {"MysqlAdoptedTransactions", Engine::mysql, "mysqld", "shop-mysql", adopted},
    {"PostgresPromotedStandby", Engine::postgres, "postgres", "shop-postgres", promoted},
    {"GaleraBootstrapAfterACrashOfAll", Engine::galera, "mariadbd", "shop-galera", all_crashed},
};

}  // namespace

void PrintTo(Ending ending, std::ostream* out) {
  *out << (ending == Ending::resume ? "resume" : "undo");
}

void PrintTo(const SweepKind& kind, std::ostream* out) {
  *out << kind.name;
}

std::span<const SweepKind> sweep_kinds() {
  return kKinds;
}

const SweepKind& sweep_kind(std::string_view name) {
  return *std::ranges::find(kKinds, name, &SweepKind::name);
}

RunResult end_operation(KillWorld& world, const std::string& id, Ending ending, std::string& how) {
  how = ending == Ending::resume ? "resumed" : "undone";
  RunResult ended = ending == Ending::resume ? world.resume(id) : world.undo(id);
  if (ending == Ending::undo && KillWorld::error_id(ended) == "operation.past_no_return") {
    EXPECT_EQ(ended.exit_code, 3);
    how = "resumed, past no return";
    ended = world.resume(id);
  }
  return ended;
}

}  // namespace holdfast::test

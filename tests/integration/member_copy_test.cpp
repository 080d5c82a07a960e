// A member is rebuilt from a running one while the cluster is written to: a copy beside its data, proven, swapped in.
#include <gtest/gtest.h>

#include <filesystem>

#include "engine/programs.h"
#include "tests/integration/copy_world.h"
#include "tests/support/require.h"

namespace holdfast::test {
namespace {

using codec::Value;
using std::chrono::seconds;

struct Case {
  const char* cluster;
  cluster::Engine engine;
  const char* server;
  int donor, victim;
  const char* errant;  ///< what the victim wrote alone
};

void PrintTo(const Case& c, std::ostream* out) {
  *out << c.cluster;
}

const Case kCases[] = {
    {"shop-mariadb", cluster::Engine::mariadb, "mariadbd", 1, 2, "CREATE DATABASE errant"},
    {"shop-galera", cluster::Engine::galera, "mariadbd", 1, 2, nullptr},
    {"shop-mysql", cluster::Engine::mysql, "mysqld", 0, 1, "CREATE DATABASE errant"},
    {"shop-postgres", cluster::Engine::postgres, "postgres", 0, 1, nullptr},
};

class MemberCopy : public ::testing::TestWithParam<Case> {};

/// What must be the same on the donor afterwards, whatever was copied from it.
std::string donor_facts(const CopyWorld& world, const Case& c) {
  switch (c.engine) {
    case cluster::Engine::mysql:
      return world.ask(c.donor,
                       "SELECT concat_ws(' ', @@read_only, @@super_read_only, (SELECT group_concat(PLUGIN_NAME "
                       "ORDER BY 1) FROM information_schema.PLUGINS))");
    case cluster::Engine::postgres:
      return world.ask(c.donor,
                       "SELECT concat(pg_is_in_recovery(), ' ', string_agg(slot_name, ',')) FROM "
                       "pg_replication_slots");
    default:
      return world.ask(c.donor, "SELECT concat_ws(' ', @@read_only, @@wsrep_desync, @@server_id)");
  }
}

std::string log_of(const CopyWorld& world, int ordinal) {
  auto text = sys::read_file(world.dir(ordinal) + "/log/server.log");
  return text ? std::string(as_text(text->span())) : "";
}

TEST_P(MemberCopy, KeepsToARate) {
  const Case& c = GetParam();
  HOLDFAST_NEED(c.cluster, engine::find_program(c.engine, c.server).has_value(), "no server of it here");
  CopyWorld world(c.cluster);
  ASSERT_NO_FATAL_FAILURE(world.up());
  world.must(c.victim, "stop", Value::object({{"mode", "immediate"}}));
  constexpr int64_t kRate = 8 << 20;
  const Value copy =
      world.must(c.victim, "initialise",
                 Value::object({{"from", "donor"}, {"donor", world.name(c.donor)}, {"side", true}, {"rate", kRate}}));
  // Space that a file has and nobody wrote is not read.
  const double at_least = 0.5 * static_cast<double>(copy["bytes"].integer()) / static_cast<double>(kRate);
  EXPECT_GE(copy["seconds"].number(), at_least) << copy["bytes"].integer() << " bytes";
  EXPECT_LT(copy["seconds"].number(), 4 * at_least + 30) << copy["bytes"].integer() << " bytes: it is not held up";
}

TEST_P(MemberCopy, RebuildUnderAWriter) {
  const Case& c = GetParam();
  HOLDFAST_NEED(c.cluster, engine::find_program(c.engine, c.server).has_value(), "no server of it here");
  CopyWorld world(c.cluster);
  ASSERT_NO_FATAL_FAILURE(world.up());
  const bool mariadb = c.engine == cluster::Engine::mariadb, mysql = c.engine == cluster::Engine::mysql;
  // The victim goes its own way, and dies.
  if (c.errant) {
    EXPECT_EQ(world.ask(c.victim, mysql ? "SET GLOBAL super_read_only=OFF" : "SET GLOBAL read_only=OFF"), "");
    EXPECT_EQ(world.ask(c.victim, c.errant), "");
  }
  ASSERT_NO_FATAL_FAILURE(world.start_writer(c.victim));
  const std::string facts = donor_facts(world, c);
  const auto donor_pid = world.server(c.donor)["pid"].integer();
  world.must(c.victim, "stop", Value::object({{"mode", "immediate"}}));

  const Value copy = world.must(c.victim, "initialise",
                                Value::object({{"from", "donor"}, {"donor", world.name(c.donor)}, {"side", true}}));
  EXPECT_NE(copy["position"].text(), "");
  EXPECT_GT(copy["bytes"].integer(), 10'000'000);
  EXPECT_TRUE(copy["donorRestored"].boolean()) << copy["donorProblem"].text();
  EXPECT_EQ(donor_facts(world, c), facts);
  EXPECT_EQ(world.server(c.donor)["pid"].integer(), donor_pid);
  EXPECT_TRUE(world.exists(c.victim, "data.new"));
  EXPECT_FALSE(world.exists(c.victim, "initialising.new"));
  EXPECT_FALSE(world.exists(c.victim, "data.helper"));

  // In isolation it stands exactly where the copy was taken, and adds nothing.
  world.must(c.victim, "start", Value::object({{"data", "side"}, {"mode", "isolated"}}));
  EXPECT_EQ(world.server(c.victim)["data"].text(), "side");
  EXPECT_EQ(world.call(c.victim, "discard_side").error().id, "agent.running");
  EXPECT_EQ(world.call(c.victim, "swap_side").error().id, "agent.running");
  if (mariadb) {
    EXPECT_EQ(world.ask(c.victim, "SELECT @@gtid_current_pos"), copy["position"].text());
    EXPECT_EQ(world.position(c.victim), copy["binlogState"].text());
    EXPECT_EQ(world.ask(c.victim, "SELECT @@server_id"), std::to_string(c.victim + 1));
  }
  if (mysql) {
    EXPECT_EQ(world.ask(c.victim, "SELECT @@gtid_executed"), copy["position"].text());
    EXPECT_EQ(world.ask(c.victim, "SELECT @@gtid_purged"), copy["position"].text()) << "no file would say so";
    EXPECT_EQ(copy["way"].text(), "files");
    EXPECT_NE(world.ask(c.victim, "SELECT @@server_uuid"), world.ask(c.donor, "SELECT @@server_uuid"));
  }
  if (c.engine == cluster::Engine::postgres) {
    EXPECT_EQ(world.ask(c.victim, "SELECT pg_is_in_recovery()"), "t") << "a proof must not begin a timeline";
    EXPECT_EQ(world.ask(c.victim, "SELECT pg_last_wal_replay_lsn() >= '" + copy["position"].text() + "'"), "t");
  }
  world.must(c.victim, "stop");

  const size_t log_before = log_of(world, c.victim).size();
  // In service, on its own ports, before it takes the place of the old one.
  world.must(c.victim, "start", Value::object({{"data", "side"}}));
  world.follow(c.victim, 0);
  world.stop_writer();
  world.expect_equal(0, c.victim);
  if (c.errant) {
    EXPECT_EQ(world.ask(c.victim, "SHOW DATABASES LIKE 'errant'"), "");
  }
  if (c.engine == cluster::Engine::galera) {
    const std::string log = log_of(world, c.victim).substr(log_before);
    // A full transfer would begin where the donor stands, IST begins behind the copy.
    const std::string at = copy["position"].text();
    const auto next = std::stoll(at.substr(at.find(':') + 1)) + 1;
    EXPECT_NE(log.find("seqnos " + std::to_string(next) + "-"), std::string::npos) << at << ": " << log;
  }
  world.must(c.victim, "stop");
  const std::string old = world.must(c.victim, "swap_side")["path"].text();
  EXPECT_TRUE(old.starts_with(world.dir(c.victim) + "/data.replaced-")) << old;
  EXPECT_FALSE(world.exists(c.victim, "data.new"));
  ASSERT_NO_FATAL_FAILURE(world.start_writer(c.victim));
  world.must(c.victim, "start");
  EXPECT_EQ(world.server(c.victim)["data"].text(), "main");
  auto running = sys::wait_until(
      [&] {
        return mariadb ? world.ask(c.victim,
                                   "SELECT VARIABLE_VALUE FROM information_schema.GLOBAL_STATUS WHERE "
                                   "VARIABLE_NAME = 'SLAVE_RUNNING'") == "ON"
                       : true;
      },
      Deadline::in(seconds(20)));
  EXPECT_TRUE(*running) << "what it knew of its source did not survive the swap";
  world.stop_writer();
  world.expect_equal(0, c.victim);
  world.expect_equal(0, c.donor);
  EXPECT_EQ(donor_facts(world, c), facts);
  if (mariadb) {
    EXPECT_EQ(world.position(0).find("-3-"), std::string::npos) << "the victim's own transactions spread";
    EXPECT_EQ(world.ask(c.victim, "FLUSH BINARY LOGS"), "");
  }
  // The old one is there until it is dropped.
  ASSERT_TRUE(std::filesystem::exists(old));
  world.must(c.victim, "drop_aside", Value::object({{"path", old}}));
  EXPECT_FALSE(std::filesystem::exists(old));
}

INSTANTIATE_TEST_SUITE_P(Engines, MemberCopy, ::testing::ValuesIn(kCases), [](const auto& info) {
  std::string name = info.param.cluster;
  return name.substr(name.find('-') + 1);
});

TEST(MemberCopyRefusals, NothingIsTouched) {
  HOLDFAST_NEED("postgres", engine::find_program(cluster::Engine::postgres, "postgres").has_value(), "no postgres");
  CopyWorld world("shop-postgres");
  ASSERT_NO_FATAL_FAILURE(world.up("2MB"));
  auto refusal = [&](Value arguments) {
    auto reply = world.call(1, "initialise", std::move(arguments));
    EXPECT_FALSE(world.exists(1, "data.new"));
    EXPECT_EQ(world.ask(1, "SELECT 1"), "1");
    return reply ? std::string("no refusal") : reply.error().id;
  };
  EXPECT_EQ(refusal(Value::object({{"from", "donor"}, {"donor", world.name(1)}, {"side", true}})), "agent.donor");
  EXPECT_EQ(refusal(Value::object({{"from", "donor"}, {"donor", "../shop-postgres-0"}, {"side", true}})),
            "agent.donor");
  EXPECT_EQ(refusal(Value::object({{"from", "donor"}, {"donor", world.name(0)}})), "agent.running");
  EXPECT_EQ(refusal(Value::object(
                {{"from", "donor"}, {"donor", world.name(0)}, {"side", true}, {"reserve", int64_t{1} << 50}})),
            "agent.no_space");
  EXPECT_EQ(world.call(1, "swap_side").error().id, "agent.running");
  EXPECT_FALSE(world.must(1, "cancel")["cancelled"].boolean());
  world.must(0, "stop");
  EXPECT_EQ(refusal(Value::object({{"from", "donor"}, {"donor", world.name(0)}, {"side", true}})), "sql.unreachable");
}

}  // namespace
}  // namespace holdfast::test

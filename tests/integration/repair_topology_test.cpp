// Replication as it is configured survives a repair: its TLS, its delay, its other connections, who follows whom.
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <sstream>

#include "agent/client.h"
#include "agent/config.h"
#include "sql/mariadb.h"
#include "tests/integration/repair_world.h"
#include "tests/support/member_sql.h"
#include "tests/support/program.h"

namespace holdfast::test {
namespace {

using cluster::Engine;
using codec::Value;
using std::chrono::seconds;

#define NEED(which, server) \
  HOLDFAST_NEED(std::string(cluster::engine_name(which)), engine::find_program(which, server).has_value(), "no " server)

/// A cluster of the lab, and another one that is no part of it.
class Topology {
 public:
  Topology(Engine engine, const std::string& cluster) : world(engine, cluster), engine_(engine), cluster_(cluster) {}

  void run(int i, const std::vector<std::string>& statements) {
    for (const auto& statement : statements) EXPECT_EQ(world.ask(i, statement), "") << statement;
  }
  /// A member's statement gives this, sooner or later.
  void comes_to(int i, const std::string& statement, const std::string& wanted) {
    std::string is;
    (void)sys::wait_until([&] { return (is = world.ask(i, statement)) == wanted; }, Deadline::in(seconds(30)));
    EXPECT_EQ(is, wanted) << "member " << i << ": " << statement;
  }
  /// Columns of the replication status, a line for each connection.
  std::string status(int i, const std::vector<std::string>& columns) {
    auto connection = sql::MariadbConnection::connect(target_of(world.member(i)), Deadline::in(seconds(20)));
    if (!connection) return connection.error().to_string();
    const auto rows =
        connection->query(mysql() ? "SHOW REPLICA STATUS" : "SHOW ALL SLAVES STATUS", Deadline::in(seconds(20)));
    if (!rows) return rows.error().to_string();
    std::string text;
    for (size_t row = 0; row < rows->rows.size(); ++row) {
      for (const auto& column : columns) text += column + "=" + rows->text(column, row) + " ";
      text += "\n";
    }
    return text;
  }
  std::string dir(int i) { return world.lab.state_dir() + "/lab/" + cluster_ + "/" + world.name(i); }
  /// Waits until the member's agent has seen this.
  void is_noted(int i, const std::string& text) {
    std::string noted;
    const auto seen = [&] {
      std::ifstream in(dir(i) + "/channels.json");
      noted.assign(std::istreambuf_iterator<char>(in), {});
      return noted.find(text) != std::string::npos;
    };
    EXPECT_TRUE(*sys::wait_until(seen, Deadline::in(seconds(30)))) << text << " is not in " << noted;
  }
  int port(int i) { return static_cast<int>(world.member(i)["port"].integer()); }

  /// Another cluster's primary.
  void up_elsewhere() {
    elsewhere.emplace();
    const auto up = elsewhere->holdfast({"lab", "up", cluster_});
    ASSERT_EQ(up.exit_code, 0) << up.err;
    if (mysql()) return;
    // Its own replicas have server ids that ours have too: a source throws one of two such out. It keeps semi-sync: a
    // replica of two sources of which only one has it mistakes the packets of the other.
    EXPECT_EQ(ask_elsewhere("SET GLOBAL rpl_semi_sync_master_timeout = 1"), "");
    for (int i : {1, 2}) {
      const auto target = target_of(elsewhere->member(fmt::format("{}-{}", cluster_, i)));
      EXPECT_EQ(test::ask(engine_, target, "STOP SLAVE"), "");
    }
  }
  std::string ask_elsewhere(const std::string& statement) {
    return test::ask(engine_, target_of(elsewhere->member(cluster_ + "-0")), statement);
  }
  int port_elsewhere() { return static_cast<int>(elsewhere->member(cluster_ + "-0")["port"].integer()); }

  /// Of the replication account, as the member's agent has it.
  std::string password_of(int i) {
    const auto config = agent::read_config(dir(i));
    EXPECT_TRUE(config);
    return config ? std::string(agent::read_password(config->replication_password_file).value_or(Secret()).reveal())
                  : "";
  }

  bool mysql() const { return engine_ == Engine::mysql; }

  RepairWorld world;
  std::optional<LabGuard> elsewhere;

 private:
  const Engine engine_;
  const std::string cluster_;
};

/// "kind of kind of": of the plan's steps.
std::string kinds(const Value& plan) {
  std::string kinds;
  for (const Value& step : plan["steps"].items()) kinds += step["kind"].text() + " ";
  return kinds;
}

// ---------------------------------------------------------------- what a rebuild brings back

TEST(Topology, MysqlARebuiltReplicaReplicatesAsItDid) {
  NEED(Engine::mysql, "mysqld");
  Topology t(Engine::mysql, "shop-mysql");
  ASSERT_NO_FATAL_FAILURE(t.world.up());
  ASSERT_NO_FATAL_FAILURE(t.up_elsewhere());
  EXPECT_EQ(t.ask_elsewhere("CREATE USER feed@'%' IDENTIFIED BY 'of the feed'"), "");
  EXPECT_EQ(t.ask_elsewhere("GRANT REPLICATION SLAVE ON *.* TO feed@'%'"), "");
  EXPECT_EQ(t.ask_elsewhere("RESET BINARY LOGS AND GTIDS"), "");  // it has nothing to give
  t.run(0, {"ALTER USER replicator@'%' REQUIRE SSL"});
  t.run(1, {"STOP REPLICA",
            fmt::format("CHANGE REPLICATION SOURCE TO SOURCE_SSL = 1, SOURCE_SSL_CA = '{}/data/ca.pem', "
                        "SOURCE_TLS_VERSION = 'TLSv1.3', SOURCE_DELAY = 2, SOURCE_CONNECT_RETRY = 7",
                        t.dir(0)),
            fmt::format("CHANGE REPLICATION SOURCE TO SOURCE_HOST = '127.0.0.1', SOURCE_PORT = {}, SOURCE_USER = "
                        "'feed', SOURCE_PASSWORD = 'of the feed', SOURCE_AUTO_POSITION = 1, GET_SOURCE_PUBLIC_KEY = 1, "
                        "SOURCE_CONNECT_RETRY = 9 FOR CHANNEL 'feed'",
                        t.port_elsewhere()),
            "CHANGE REPLICATION FILTER REPLICATE_IGNORE_DB = (`not here`) FOR CHANNEL 'feed'", "START REPLICA"});
  const char* settings =
      "SELECT GROUP_CONCAT(CONCAT_WS('|', Channel_name, Host, User_name, User_password, m.Port, Connect_retry, "
      "Enabled_ssl, Ssl_ca, Ssl_verify_server_cert, Retry_count, Enabled_auto_position, Tls_version, Sql_delay) ORDER "
      "BY "
      "1) FROM mysql.slave_master_info m JOIN mysql.slave_relay_log_info USING (Channel_name)";
  const std::vector<std::string> shown = {"Channel_Name", "Replicate_Ignore_DB", "Replica_IO_Running",
                                          "Replica_SQL_Running"};
  const std::string before = t.world.ask(1, settings);
  EXPECT_NE(before.find("TLSv1.3|2"), std::string::npos) << before;
  t.is_noted(1, "\"delaySeconds\":2");
  t.is_noted(1, "not here");
  t.world.expect_healthy();

  // A restore into the cluster says beforehand that the other cluster's connection goes with the old data.
  const auto kept = t.world.run("backup", {"-r", t.world.repository});
  EXPECT_EQ(kept.exit_code, 0) << kept.out << kept.err;
  const auto would = t.world.run("restore", {"-r", t.world.repository, "--accept=replace-data", "--dry-run"});
  EXPECT_EQ(would.exit_code, 0) << would.out << would.err;
  EXPECT_EQ(codec::to_json(RepairWorld::data(would)["replicationNotRestored"]),
            fmt::format("[\"{} replicates (connection 'feed') from 127.0.0.1:{}, which is not a member\"]",
                        t.world.name(1), t.port_elsewhere()));

  t.world.break_member("delete-data", 1);
  t.world.expect_repaired(1);
  EXPECT_EQ(t.world.ask(1, settings), before);
  const std::string runs = t.status(1, shown);
  EXPECT_NE(runs.find("Channel_Name=feed Replicate_Ignore_DB=not here Replica_IO_Running=Yes"), std::string::npos)
      << runs;

  // Detached: it follows with the settings it had, though its agent has noted by then what is left.
  t.run(1, {"STOP REPLICA FOR CHANNEL ''", "RESET REPLICA ALL FOR CHANNEL ''", "STOP REPLICA FOR CHANNEL 'feed'",
            "CHANGE REPLICATION SOURCE TO SOURCE_CONNECT_RETRY = 11 FOR CHANNEL 'feed'",
            "START REPLICA FOR CHANNEL 'feed'"});
  t.is_noted(1, R"("SOURCE_CONNECT_RETRY":"11")");
  t.world.expect_repaired(1);
  t.run(1,
        {"STOP REPLICA FOR CHANNEL 'feed'", "CHANGE REPLICATION SOURCE TO SOURCE_CONNECT_RETRY = 9 FOR CHANNEL 'feed'",
         "START REPLICA FOR CHANNEL 'feed'"});
  EXPECT_EQ(t.world.ask(1, settings), before);
}

/// A key, and a certificate of it for 127.0.0.1, that the owner of `like` may read.
void make_certificate(const std::string& folder, const std::string& like) {
  const auto made =
      run_program({find_program("openssl"), "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
                   "-nodes", "-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1", "-days", "50",
                   "-keyout", folder + "/tls.key", "-out", folder + "/tls.crt"});
  ASSERT_EQ(made.exit_code, 0) << made.err;
  struct stat owner{};
  ASSERT_EQ(::stat(like.c_str(), &owner), 0);
  ASSERT_EQ(::chmod((folder + "/tls.crt").c_str(), 0644), 0);
  if (::geteuid() == 0) {
    ASSERT_EQ(::chown((folder + "/tls.key").c_str(), owner.st_uid, owner.st_gid), 0);
  }
}

TEST(Topology, MariadbARebuiltReplicaReplicatesAsItDid) {
  NEED(Engine::mariadb, "mariadbd");
  Topology t(Engine::mariadb, "shop-mariadb");
  ASSERT_NO_FATAL_FAILURE(t.world.up());
  ASSERT_NO_FATAL_FAILURE(t.up_elsewhere());
  EXPECT_EQ(t.ask_elsewhere("GRANT REPLICATION SLAVE ON *.* TO feed@'%' IDENTIFIED BY 'of the feed'"), "");
  EXPECT_EQ(t.ask_elsewhere("RESET MASTER"), "");  // it has nothing to give
  const std::string certificates = t.world.lab.state_dir();
  ASSERT_NO_FATAL_FAILURE(make_certificate(certificates, t.dir(0) + "/data"));
  t.world.agent_stop(0);
  t.world.agent(0, "start",
                Value::object({{"extraArgs",
                                Value::list_of(std::vector<std::string>{"--ssl-cert=" + certificates + "/tls.crt",
                                                                        "--ssl-key=" + certificates + "/tls.key"})}}));
  // MASTER_SSL alone encrypts nothing with this release.
  t.run(2, {"STOP SLAVE", fmt::format("CHANGE MASTER TO MASTER_SSL = 1, MASTER_SSL_CA = '{}/tls.crt'", certificates),
            "START SLAVE"});
  t.run(0, {"ALTER USER replicator@'%' REQUIRE SSL"});
  t.run(1,
        {"STOP SLAVE",
         fmt::format("CHANGE MASTER TO MASTER_SSL = 1, MASTER_SSL_CA = '{}/tls.crt', MASTER_SSL_VERIFY_SERVER_CERT = "
                     "1, MASTER_DELAY = 2, MASTER_CONNECT_RETRY = 7, IGNORE_SERVER_IDS = (77)",
                     certificates),
         fmt::format("CHANGE MASTER 'feed' TO MASTER_HOST = '127.0.0.1', MASTER_PORT = {}, MASTER_USER = 'feed', "
                     "MASTER_PASSWORD = 'of the feed', MASTER_USE_GTID = slave_pos, MASTER_CONNECT_RETRY = 9",
                     t.port_elsewhere()),
         "SET GLOBAL feed.replicate_ignore_db = 'not here'", "START ALL SLAVES"});
  const std::vector<std::string> shown = {"Connection_name",
                                          "Master_Port",
                                          "Master_User",
                                          "Connect_Retry",
                                          "Master_SSL_Allowed",
                                          "Master_SSL_CA_File",
                                          "Using_Gtid",
                                          "SQL_Delay",
                                          "Master_SSL_Verify_Server_Cert",
                                          "Replicate_Ignore_DB",
                                          "Slave_IO_Running",
                                          "Slave_SQL_Running",
                                          "Replicate_Ignore_Server_Ids"};
  std::string before;
  (void)sys::wait_until(
      [&] {
        before = t.status(1, shown);  // not yet, or not any more, "Connecting" or "Preparing"
        return before.find("IO_Running=Yes") != before.rfind("IO_Running=Yes");
      },
      Deadline::in(seconds(20)));
  EXPECT_NE(before.find("SQL_Delay=2 Master_SSL_Verify_Server_Cert=Yes"), std::string::npos) << before;
  EXPECT_NE(before.find("Replicate_Ignore_DB=not here Slave_IO_Running=Yes"), std::string::npos) << before;
  t.is_noted(1, "not here");
  t.is_noted(1, "of the feed");
  t.world.expect_healthy();

  t.world.break_member("delete-data", 1);
  t.world.expect_repaired(1);
  std::string after;
  (void)sys::wait_until([&] { return (after = t.status(1, shown)) == before; }, Deadline::in(seconds(20)));
  EXPECT_EQ(after, before);

  t.run(1, {"STOP SLAVE ''", "RESET SLAVE '' ALL"});
  t.world.expect_repaired(1);
  (void)sys::wait_until([&] { return (after = t.status(1, shown)) == before; }, Deadline::in(seconds(20)));
  EXPECT_EQ(after, before);
}

// ---------------------------------------------------------------- the account is tried as the replica uses it

TEST(Topology, MysqlTheAccountIsTriedFromTheReplicasAddress) {
  NEED(Engine::mysql, "mysqld");
  Topology t(Engine::mysql, "shop-mysql");
  ASSERT_NO_FATAL_FAILURE(t.world.up());
  // Another source of trust than the caller's: only the replica comes from there.
  t.run(0, {"RENAME USER replicator@'%' TO replicator@'127.0.0.3'"});
  t.run(1, {"STOP REPLICA", "CHANGE REPLICATION SOURCE TO SOURCE_BIND = '127.0.0.3'", "START REPLICA"});
  t.is_noted(1, "127.0.0.3");
  t.comes_to(1, "SELECT SERVICE_STATE FROM performance_schema.replication_connection_status", "ON");
  t.world.break_member("delete-data", 1);
  t.world.expect_repaired(1);

  // A source that nobody reaches proves nothing, and that is said.
  const auto config = agent::read_config(t.dir(1));
  ASSERT_TRUE(config);
  auto client = agent::Client::connect(config->agent_socket(), Deadline::in(seconds(5)));
  ASSERT_TRUE(client);
  const auto said =
      client->call("check_account", Value::object({{"host", "127.0.0.1"}, {"port", 9}}), Deadline::in(seconds(20)));
  ASSERT_TRUE(said) << said.error().to_string();
  EXPECT_FALSE((*said)["checked"].boolean(true)) << codec::to_json(*said);
  EXPECT_NE((*said)["why"].text(), "");
}

// ---------------------------------------------------------------- connections beside the replica's own

/// Finds the diagnosis "side-channel" of member 1 and nothing else that is an error; then the plan is one step.
void expect_only_the_channel_goes(Topology& t, const std::string& channel) {
  Value data;
  const auto told = [&] {
    data = RepairWorld::data(t.world.run("triage"));
    for (const Value& d : data["diagnoses"].items())
      if (d["id"].text() == "side-channel" && d["severity"].text() == "error") return true;
    return false;
  };
  EXPECT_TRUE(*sys::wait_until(told, Deadline::in(seconds(30)))) << codec::to_json(data["diagnoses"]);
  for (const Value& d : data["diagnoses"].items()) {
    const bool grave = d["severity"].text() == "error" || d["severity"].text() == "critical";
    EXPECT_EQ(grave, d["id"].text() == "side-channel") << codec::to_json(d);
  }
  for (const Value& m : data["members"].items()) EXPECT_EQ(m["verdict"].text(), "healthy") << codec::to_json(m);

  const auto dry = RepairWorld::data(t.world.repair({"--dry-run", "-r", t.world.repository}));
  EXPECT_EQ(kinds(dry["plan"]), "drop_channel ");
  RepairWorld::expect_refused(t.world.repair({"-r", t.world.repository}), "operation.not_accepted", 3);
  EXPECT_NE(t.status(1, {t.mysql() ? "Channel_Name" : "Connection_name"}).find("=" + channel + " "), std::string::npos);
  const auto done = t.world.repair({"-i", "1", t.world.acceptance({"-i", "1"})});
  EXPECT_EQ(done.exit_code, 0) << done.out << done.err;
  EXPECT_EQ(t.status(1, {t.mysql() ? "Channel_Name" : "Connection_name"}).find("=" + channel + " "), std::string::npos);
  t.world.expect_mended(1);
}

TEST(Topology, MysqlABrokenSecondChannelIsRemovedAndNothingElse) {
  NEED(Engine::mysql, "mysqld");
  Topology t(Engine::mysql, "shop-mysql");
  ASSERT_NO_FATAL_FAILURE(t.world.up());
  t.run(1, {"CHANGE REPLICATION SOURCE TO SOURCE_HOST = '127.0.0.1', SOURCE_PORT = 9, SOURCE_USER = 'x', "
            "SOURCE_PASSWORD = 'x', SOURCE_CONNECT_RETRY = 1, SOURCE_AUTO_POSITION = 1 FOR CHANNEL 'x'",
            "START REPLICA FOR CHANNEL 'x'"});
  expect_only_the_channel_goes(t, "x");

  // One that cannot apply what it gets, before it has applied anything.
  ASSERT_NO_FATAL_FAILURE(t.up_elsewhere());
  EXPECT_EQ(t.ask_elsewhere("CREATE USER feed@'%' IDENTIFIED BY 'of the feed'"), "");
  EXPECT_EQ(t.ask_elsewhere("GRANT REPLICATION SLAVE ON *.* TO feed@'%'"), "");
  EXPECT_EQ(t.ask_elsewhere("RESET BINARY LOGS AND GTIDS"), "");
  EXPECT_EQ(t.ask_elsewhere("CREATE DATABASE shop"), "");
  t.run(1, {fmt::format("CHANGE REPLICATION SOURCE TO SOURCE_HOST = '127.0.0.1', SOURCE_PORT = {}, SOURCE_USER = "
                        "'feed', SOURCE_PASSWORD = 'of the feed', SOURCE_AUTO_POSITION = 1, GET_SOURCE_PUBLIC_KEY = 1 "
                        "FOR CHANNEL 'feed'",
                        t.port_elsewhere()),
            "START REPLICA FOR CHANNEL 'feed'"});
  expect_only_the_channel_goes(t, "feed");

  // One beside it is no reason for its own to be told anything but to start.
  t.run(1, {"CHANGE REPLICATION SOURCE TO SOURCE_HOST = '127.0.0.1', SOURCE_PORT = 9, SOURCE_USER = 'x', "
            "SOURCE_PASSWORD = 'x', SOURCE_AUTO_POSITION = 1 FOR CHANNEL 'resting'",
            "STOP REPLICA FOR CHANNEL ''"});
  t.world.expect_repaired(1);
  const std::string status = t.status(1, {"Channel_Name", "Replica_IO_Running"});
  EXPECT_NE(status.find("Channel_Name= Replica_IO_Running=Yes"), std::string::npos) << status;
  EXPECT_NE(status.find("Channel_Name=resting Replica_IO_Running=No"), std::string::npos) << status;
}

TEST(Topology, MariadbABrokenSecondConnectionIsRemovedAndNothingElse) {
  NEED(Engine::mariadb, "mariadbd");
  Topology t(Engine::mariadb, "shop-mariadb");
  ASSERT_NO_FATAL_FAILURE(t.world.up());
  t.run(1,
        {"CHANGE MASTER 'x' TO MASTER_HOST = '127.0.0.1', MASTER_PORT = 9, MASTER_USER = 'x', MASTER_PASSWORD = 'x', "
         "MASTER_CONNECT_RETRY = 1, MASTER_USE_GTID = slave_pos",
         "START SLAVE 'x'"});
  expect_only_the_channel_goes(t, "x");
}

// ---------------------------------------------------------------- chains

class Chain : public testing::Test {
 protected:
  void SetUp() override {
    NEED(Engine::mariadb, "mariadbd");
    ASSERT_NO_FATAL_FAILURE(t.world.up());
    t.run(2, {"STOP SLAVE"});
    t.comes_to(1, "SELECT MASTER_GTID_WAIT('" + t.world.ask(2, "SELECT @@gtid_slave_pos") + "', 20)", "0");
    t.run(2, {fmt::format("CHANGE MASTER TO MASTER_PORT = {}", t.port(1)), "START SLAVE"});
    t.comes_to(2, "SELECT VARIABLE_VALUE FROM information_schema.GLOBAL_STATUS WHERE VARIABLE_NAME = 'SLAVE_RUNNING'",
               "ON");
    t.is_noted(2, fmt::format("\"port\":{}", t.port(1)));
  }
  void expect_chain() {
    const std::string status = t.status(2, {"Master_Port", "Slave_IO_Running", "Slave_SQL_Running"});
    EXPECT_EQ(status, fmt::format("Master_Port={} Slave_IO_Running=Yes Slave_SQL_Running=Yes \n", t.port(1)));
    const auto seen = t.world.run("triage");
    EXPECT_EQ(seen.exit_code, 0) << seen.out;
    const Value data = RepairWorld::data(seen);
    EXPECT_EQ(severity(data, "replica-chained"), "info");
    for (const Value& m : data["members"].items()) {
      const bool last = m["name"].text() == t.world.name(2);
      EXPECT_EQ(m["sentence"].text().find("which follows " + t.world.name(0)) != std::string::npos, last)
          << m["sentence"].text();
    }
  }
  static std::string severity(const Value& data, const std::string& diagnosis) {
    for (const Value& d : data["diagnoses"].items())
      if (d["id"].text() == diagnosis) return d["severity"].text();
    return "";
  }

  Topology t{Engine::mariadb, "shop-mariadb"};
};

TEST_F(Chain, IsHealthyAndStaysWhateverIsRepaired) {
  expect_chain();
  t.run(2, {"STOP SLAVE"});
  t.world.expect_repaired(2);
  expect_chain();
  t.world.break_member("kill", 2);
  t.world.expect_repaired(2);
  expect_chain();
  t.run(2, {"STOP SLAVE", "CHANGE MASTER TO MASTER_PASSWORD = 'wrong'", "START SLAVE"});
  t.world.expect_repaired(2);
  expect_chain();
  t.run(2, {"STOP SLAVE", "RESET SLAVE ALL"});
  t.world.expect_repaired(2);
  expect_chain();

  // The middle stops: what is behind it shows no lag, and gets nothing.
  t.run(1, {"STOP SLAVE"});
  Value data;
  (void)sys::wait_until(
      [&] {
        data = RepairWorld::data(t.world.run("triage"));
        return !severity(data, "replica-chain-broken").empty();
      },
      Deadline::in(seconds(20)));
  EXPECT_EQ(severity(data, "replica-chain-broken"), "error") << codec::to_json(data["diagnoses"]);
  t.world.expect_repaired(2);
  expect_chain();
  t.world.break_member("kill", 1);
  t.world.expect_repaired(1);
  t.world.expect_equal(2);
  expect_chain();

  t.world.break_member("delete-data", 2);
  t.world.expect_repaired(2);
  expect_chain();
}

TEST_F(Chain, WithItsMiddleLostItsEndFollowsThePrimaryAndThatIsSaid) {
  t.world.break_member("delete-data", 1);
  const auto dry = t.world.repair({"-i", "2", "--dry-run"});
  EXPECT_EQ(kinds(RepairWorld::data(dry)["plan"]), "follow_source prove_member ") << dry.out;
  EXPECT_NE(dry.out.find(fmt::format("{} was configured to follow {}, which cannot be its source", t.world.name(2),
                                     t.world.name(1))),
            std::string::npos)
      << dry.out;
  RepairWorld::expect_refused(t.world.repair({"-i", "2"}), "repair.partial", 5);  // the middle is still to be rebuilt
  EXPECT_EQ(t.status(2, {"Master_Port"}), fmt::format("Master_Port={} \n", t.port(0)));
  t.world.expect_repaired(1);
  t.world.expect_equal(2);
}

// ---------------------------------------------------------------- several sources

TEST(Topology, MariadbEachConnectionIsHandledByItsName) {
  NEED(Engine::mariadb, "mariadbd");
  Topology t(Engine::mariadb, "shop-mariadb");
  ASSERT_NO_FATAL_FAILURE(t.world.up());
  ASSERT_NO_FATAL_FAILURE(t.up_elsewhere());
  EXPECT_EQ(t.ask_elsewhere("GRANT REPLICATION SLAVE ON *.* TO feed@'%' IDENTIFIED BY 'of the feed'"), "");
  EXPECT_EQ(t.ask_elsewhere("RESET MASTER"), "");
  EXPECT_EQ(t.ask_elsewhere("SET GLOBAL gtid_domain_id = 7"), "");
  for (const char* statement : {"CREATE DATABASE away", "CREATE TABLE away.t (a INT PRIMARY KEY)",
                                "INSERT INTO away.t VALUES (1), (2)", "CREATE DATABASE hidden"})
    EXPECT_EQ(t.ask_elsewhere(statement), "") << statement;
  const std::string password = t.password_of(0);
  t.run(1, {"STOP SLAVE", "RESET SLAVE ALL",
            fmt::format("CHANGE MASTER 'main' TO MASTER_HOST = '127.0.0.1', MASTER_PORT = {}, MASTER_USER = "
                        "'replicator', MASTER_PASSWORD = '{}', MASTER_USE_GTID = slave_pos, MASTER_CONNECT_RETRY = 1",
                        t.port(0), password),
            fmt::format("CHANGE MASTER 'feed' TO MASTER_HOST = '127.0.0.1', MASTER_PORT = {}, MASTER_USER = 'feed', "
                        "MASTER_PASSWORD = 'of the feed', MASTER_USE_GTID = slave_pos, MASTER_CONNECT_RETRY = 1",
                        t.port_elsewhere()),
            "SET GLOBAL feed.replicate_wild_do_table = 'away.%'", "START ALL SLAVES"});
  t.comes_to(1, "SELECT COUNT(*) FROM away.t", "2");
  t.comes_to(1, "SELECT COUNT(*) FROM information_schema.SCHEMATA WHERE SCHEMA_NAME = 'hidden'", "0");
  t.is_noted(1, "\"7\"");
  const std::vector<std::string> shown = {"Connection_name", "Slave_IO_Running", "Replicate_Wild_Do_Table"};
  const std::string runs =
      "Connection_name=feed Slave_IO_Running=Yes Replicate_Wild_Do_Table=away.% \n"
      "Connection_name=main Slave_IO_Running=Yes Replicate_Wild_Do_Table= \n";
  const auto status = [&] {
    auto text = t.status(1, shown);
    std::vector<std::string> lines;
    std::istringstream in(text);
    for (std::string line; std::getline(in, line);) lines.push_back(line + "\n");
    std::ranges::sort(lines);
    text.clear();
    for (const auto& line : lines) text += line;
    return text;
  };
  EXPECT_EQ(status(), runs);
  const auto seen = t.world.run("triage");
  EXPECT_EQ(seen.exit_code, 0) << seen.out;
  EXPECT_EQ(RepairWorld::data(seen)["authority"].text(), "provable") << seen.out;

  // It has more tables than the others.
  const auto repaired = [&] {
    EXPECT_NE(t.world.triage(), 0) << "nothing is broken";
    const auto done = t.world.repair();
    EXPECT_EQ(done.exit_code, 0) << done.out << done.err;
    t.world.expect_healthy();
  };
  // Its own is started; one that was stopped on purpose stays so. (MariaDB 10.11 has one state of semi-sync for all of
  // a server's connections: starting one of them breaks another that runs.)
  const std::string rests =
      "Connection_name=feed Slave_IO_Running=No Replicate_Wild_Do_Table=away.% \n"
      "Connection_name=main Slave_IO_Running=Yes Replicate_Wild_Do_Table= \n";
  t.run(1, {"STOP SLAVE 'feed'"});
  t.is_noted(1, "\"receiving\":false");
  for (const std::vector<std::string>& broken :
       {std::vector<std::string>{"STOP SLAVE 'main'"},
        {"STOP SLAVE 'main'", "CHANGE MASTER 'main' TO MASTER_PASSWORD = 'wrong'", "START SLAVE 'main'"},
        {"STOP SLAVE 'main'", "RESET SLAVE 'main' ALL"}}) {
    t.run(1, broken);
    repaired();
    EXPECT_EQ(status(), rests) << broken.back();
  }

  // Down, its position is judged without what came from elsewhere. The filter is in no configuration file.
  t.world.break_member("kill", 1);
  EXPECT_EQ(RepairWorld::data(t.world.run("triage"))["authority"].text(), "provable");
  repaired();
  EXPECT_EQ(status(), rests);

  // A rebuilt one has both again; that it is without the other's rows until they came again is asked for.
  t.run(0, {"CREATE TABLE shop.late (a INT PRIMARY KEY)"});
  t.comes_to(1, "SELECT COUNT(*) FROM information_schema.TABLES WHERE TABLE_NAME = 'late'", "1");
  t.run(1, {"SET STATEMENT sql_log_bin = 0 FOR INSERT INTO shop.late VALUES (1)"});
  t.run(0, {"INSERT INTO shop.late VALUES (1)"});
  (void)sys::wait_until([&] { return t.status(1, {"Last_SQL_Errno"}).find("=1062") != std::string::npos; },
                        Deadline::in(seconds(30)));
  const std::vector<std::string> arguments = {"-i", "1", "-r", t.world.repository};
  RepairWorld::expect_refused(t.world.repair(arguments), "operation.not_accepted", 3);
  auto accepting = arguments;
  accepting.push_back(t.world.acceptance(arguments));
  const auto done = t.world.repair(accepting);
  EXPECT_EQ(done.exit_code, 0) << done.out << done.err;
  t.world.expect_healthy();
  EXPECT_EQ(status(), rests);
  t.run(1, {"START SLAVE 'feed'"});
  t.comes_to(1, "SELECT COUNT(*) FROM away.t", "2");
}

}  // namespace
}  // namespace holdfast::test

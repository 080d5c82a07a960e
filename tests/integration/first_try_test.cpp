// What a new user types first, at a server as a distribution sets it up: found, judged, backed up and restored without
// a password and without a word of configuration. And the clusters of the lab, found from each of their members.
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <fstream>
#include <map>
#include <set>

#include "cluster/resource.h"
#include "codec/value.h"
#include "engine/programs.h"
#include "tests/integration/distribution_server.h"
#include "tests/support/lab_guard.h"
#include "tests/support/require.h"

namespace holdfast::test {
namespace {

using cluster::Engine;
using std::chrono::seconds;

struct Kind {
  const char* name;
  Engine engine;
  const char* server;
};

class FirstTry : public testing::TestWithParam<Kind> {
 protected:
  void SetUp() override {
    HOLDFAST_NEED(GetParam().name, engine::find_program(GetParam().engine, GetParam().server).has_value(),
                  "its server is not installed");
    ::chmod(dir_.path().c_str(), 0755);  // a restore's server runs as another user
  }

  /// As a person types it, in an empty directory.
  RunResult shell(const std::string& script) {
    const std::string binary = holdfast_binary(), file = dir_.path() + "/script";
    std::ofstream(file) << script;
    RunOptions options;
    options.directory = dir_.path() + "/here";
    ::mkdir(options.directory.c_str(), 0755);
    options.limit = seconds(200);
    const char* path = std::getenv("PATH");
    options.env = {{"PATH", binary.substr(0, binary.rfind('/')) + ":" + (path ? path : "/usr/bin:/bin")},
                   {"HOME", dir_.path()},
                   {"HOLDFAST_PEERS", peers_folder()},
                   {"HOLDFAST_STATE_DIR", dir_.path() + "/state"}};
    for (const char* variable : {"RESTIC_REPOSITORY", "RESTIC_PASSWORD", "RESTIC_PASSWORD_FILE", "HOLDFAST_OUTPUT",
                                 "HOLDFAST_CONFIG", "XDG_CACHE_HOME", "HOLDFAST_BACKUPS_PATH"})
      options.env[variable] = "";
    return run_program({"/bin/sh", "-eu", file}, options);
  }
  std::string who(const DistributionServer& server) const {
    const bool usual = GetParam().engine != Engine::postgres || server.account() == "postgres";
    return usual ? "" : " --user " + server.account();
  }
  std::string discover(const DistributionServer& server) const {
    return fmt::format("holdfast cluster discover -e {} --socket {} --name orders{} > orders.yaml\n",
                       cluster::engine_name(GetParam().engine), server.socket(), who(server));
  }
  static codec::Value data_of(const RunResult& result) {
    auto value = codec::parse_value(result.out);
    EXPECT_TRUE(value) << result.out << result.err;
    return value ? (*value)["data"] : codec::Value();
  }

  const sys::TempDir dir_ = sys::TempDir::create("first-try").value();
};

void fill(DistributionServer& server, Engine engine) {
  if (engine == Engine::postgres)
    server.run({"CREATE TABLE orders (id int PRIMARY KEY, what text)",
                "INSERT INTO orders SELECT i, 'order ' || i FROM generate_series(1, 500) AS i"});
  else
    server.run({"CREATE DATABASE shop", "CREATE TABLE shop.orders (id INT PRIMARY KEY, what VARCHAR(40))",
                "INSERT INTO shop.orders VALUES (1, 'one'), (2, 'two'), (3, 'three')"});
}

TEST_P(FirstTry, AServerOfADistributionWorksAsTyped) {
  DistributionServer server(GetParam().engine);
  ASSERT_FALSE(HasFatalFailure());
  fill(server, GetParam().engine);
  const auto found = shell(discover(server) + "cat orders.yaml\n");
  ASSERT_EQ(found.exit_code, 0) << found.out << found.err;
  const auto read = cluster::parse_clusters(found.out, "/");
  ASSERT_TRUE(read) << found.out << read.error().to_string();
  ASSERT_EQ(read->size(), 1u);
  const auto& described = (*read)[0];
  EXPECT_EQ(described.engine, GetParam().engine);
  EXPECT_EQ(described.replication, cluster::ReplicationMode::standalone);
  EXPECT_TRUE(described.credentials.by_socket()) << found.out;
  ASSERT_EQ(described.members.size(), 1u);
  EXPECT_EQ(described.members[0].socket, server.socket());

  const auto judged = shell("holdfast triage -c orders --config orders.yaml\n");
  EXPECT_EQ(judged.exit_code, 0) << judged.out << judged.err;
  EXPECT_NE(judged.out.find("1 of 1 members healthy"), std::string::npos) << judged.out;
  const auto report = data_of(shell("holdfast triage -c orders --config orders.yaml -o json\n"));
  EXPECT_TRUE(report["healthy"].boolean()) << judged.out;
  EXPECT_EQ(report["authority"].text(), "provable");
  ASSERT_EQ(report["members"].items().size(), 1u);
  EXPECT_EQ(report["members"].items()[0]["verdict"].text(), "healthy");
  for (const auto& diagnosis : report["diagnoses"].items())
    EXPECT_EQ(diagnosis["severity"].text(), "info") << codec::to_json(diagnosis);

  const auto rest = shell(
      "export HOLDFAST_CONFIG=orders.yaml\n"
      "holdfast get status\n"
      "holdfast repair -c orders --dry-run\n"
      "echo 'correct horse battery staple' > password\n"
      "export RESTIC_REPOSITORY=./repo RESTIC_PASSWORD_FILE=./password\n"
      "holdfast repo init\n"
      "holdfast backup -c orders\n"
      "holdfast get backups\n"
      "holdfast restore -c orders --snapshot latest --into ./restored\n"
      "holdfast export -c orders -o dump.sql\n"
      "grep -c 'orders' dump.sql\n");
  EXPECT_EQ(rest.exit_code, 0) << rest.out << rest.err;
  EXPECT_NE(rest.out.find("orders-0"), std::string::npos) << rest.out;
}

/// Each refused login is a line in the server's log, of every look.
TEST_P(FirstTry, NoLoginIsRefused) {
  DistributionServer server(GetParam().engine);
  ASSERT_FALSE(HasFatalFailure());
  const size_t started = server.log().size();
  const auto looked = shell(discover(server) +
                            "holdfast triage -c orders --config orders.yaml\n"
                            "holdfast get status --config orders.yaml\n");
  EXPECT_EQ(looked.exit_code, 0) << looked.out << looked.err;
  for (const char* word : {"Access denied", "FATAL", "authentication failed"})
    EXPECT_EQ(server.log().find(word, started), std::string::npos) << server.log();
}

TEST_P(FirstTry, AnotherUserIsRefusedWithWhatToDo) {
  HOLDFAST_NEED("root", ::geteuid() == 0, "only root may act as another user");
  DistributionServer server(GetParam().engine);
  ASSERT_FALSE(HasFatalFailure());
  ::chmod(dir_.path().c_str(), 0777);
  const auto refused =
      shell(fmt::format("su nobody -s /bin/sh -c 'holdfast cluster discover -e {} --socket {} --name orders'\n",
                        cluster::engine_name(GetParam().engine), server.socket()));
  EXPECT_EQ(refused.exit_code, 3) << refused.out << refused.err;
  EXPECT_NE(refused.err.find("HINT: without a password a server lets in the unix user"), std::string::npos)
      << refused.err;
}

INSTANTIATE_TEST_SUITE_P(Engines, FirstTry,
                         testing::Values(Kind{"mariadb", Engine::mariadb, "mariadbd"},
                                         Kind{"galera", Engine::galera, "mariadbd"},
                                         Kind{"mysql", Engine::mysql, "mysqld"},
                                         Kind{"postgres", Engine::postgres, "postgres"}),
                         [](const auto& info) { return std::string(info.param.name); });

/// MariaDB and MySQL speak one protocol.
class FirstTryOther : public FirstTry {};

TEST_P(FirstTryOther, AServerOfAnotherEngineIsNamed) {
  DistributionServer server(GetParam().engine);
  ASSERT_FALSE(HasFatalFailure());
  const bool mysql = GetParam().engine == Engine::mysql;
  for (const char* other : {mysql ? "mariadb" : "mysql", "galera"}) {
    const auto refused = shell(
        fmt::format("holdfast cluster discover -e {} --socket {} -o json || test $? = 2\n", other, server.socket()));
    ASSERT_EQ(refused.exit_code, 0) << refused.out << refused.err;
    const auto error = (*codec::parse_value(refused.out))["errors"].items().at(0);
    EXPECT_EQ(error["id"].text(), "discover.engine");
    EXPECT_EQ(error["hint"].text(), mysql ? "--engine mysql" : "--engine mariadb");
  }
}

INSTANTIATE_TEST_SUITE_P(Engines, FirstTryOther,
                         testing::Values(Kind{"mariadb", Engine::mariadb, "mariadbd"},
                                         Kind{"mysql", Engine::mysql, "mysqld"}),
                         [](const auto& info) { return std::string(info.param.name); });

/// docs/guide/your-own-cluster.md as it is written, but for the place of the server's socket.
class FirstTryGuide : public FirstTry {
 protected:
  /// The blocks fenced with ```sh and, among other words, the engine's.
  static std::string script_of(const std::string& engine) {
    std::ifstream page(std::string(HOLDFAST_SOURCE_DIR) + "/docs/guide/your-own-cluster.md");
    std::string script;
    bool taken = false;
    for (std::string line; std::getline(page, line);) {
      if (!line.starts_with("```"))
        script += taken ? line + "\n" : "";
      else
        taken = !taken && line.starts_with("```sh ") && (line + " ").find(" " + engine + " ") != std::string::npos;
    }
    return script;
  }
};

TEST_P(FirstTryGuide, WorksAsWritten) {
  HOLDFAST_NEED("root", ::geteuid() == 0, "the page is written for root");
  DistributionServer server(GetParam().engine);
  ASSERT_FALSE(HasFatalFailure());
  fill(server, GetParam().engine);
  std::string script = script_of(GetParam().name);
  const std::string usual = cluster::usual_socket(GetParam().engine);
  const size_t at = script.find(usual);
  ASSERT_NE(at, std::string::npos) << script;
  script.replace(at, usual.size(), server.socket());
  EXPECT_NE(script.find("holdfast restore"), std::string::npos) << script;
  const auto done = shell("set -x\n" + script);
  EXPECT_EQ(done.exit_code, 0) << done.out << done.err;
}

INSTANTIATE_TEST_SUITE_P(Engines, FirstTryGuide,
                         testing::Values(Kind{"mariadb", Engine::mariadb, "mariadbd"},
                                         Kind{"postgres", Engine::postgres, "postgres"}),
                         [](const auto& info) { return std::string(info.param.name); });

/// A standby beside it, over the socket too: no server says its port, and its socket is found.
class FirstTryPair : public FirstTry {};

TEST_P(FirstTryPair, AStandbyOfThisMachineIsFoundByItsSocket) {
  DistributionServer primary(Engine::postgres);
  ASSERT_FALSE(HasFatalFailure());
  fill(primary, Engine::postgres);
  const auto standby = DistributionServer::standby_of(primary);
  ASSERT_FALSE(HasFatalFailure());
  for (const DistributionServer* start : std::initializer_list<const DistributionServer*>{&primary, standby.get()}) {
    const auto streams = [&] {
      const auto looked = shell(discover(*start) + "holdfast triage -c orders --config orders.yaml -o json\n");
      auto value = codec::parse_value(looked.out);
      return value && (*value)["data"]["healthy"].boolean() && (*value)["data"]["members"].items().size() == 2;
    };
    const auto healthy = sys::wait_until(streams, Deadline::in(seconds(60)));
    const auto shown = shell("cat orders.yaml; holdfast triage -c orders --config orders.yaml || true\n");
    EXPECT_TRUE(healthy && *healthy) << shown.out << shown.err;
  }
  // A comparison and pg_dump log in to the standby by peer, too.
  const auto compared = shell("holdfast compare -c orders --config orders.yaml\n");
  EXPECT_EQ(compared.exit_code, 0) << compared.out << compared.err;
  primary.run({"CHECKPOINT"});  // reading has logged hint bits, which nothing flushes: the standby would not have them
  const auto backup = shell(
      "export HOLDFAST_CONFIG=orders.yaml RESTIC_REPOSITORY=./repo RESTIC_PASSWORD=x\n"
      "holdfast repo init\n"
      "holdfast backup -c orders --verify=checksums\n");
  EXPECT_EQ(backup.exit_code, 0) << backup.out << backup.err;
  EXPECT_NE(backup.out.find("(replica)"), std::string::npos) << backup.out << backup.err;
}

INSTANTIATE_TEST_SUITE_P(Engines, FirstTryPair, testing::Values(Kind{"postgres", Engine::postgres, "postgres"}),
                         [](const auto& info) { return std::string(info.param.name); });

struct LabCluster {
  const char* name;
  const char* cluster;
  Engine engine;
  const char* server;
  const char* mode;
};

class DiscoverLab : public testing::TestWithParam<LabCluster> {};

TEST_P(DiscoverLab, FindsAllMembersFromEach) {
  const auto& c = GetParam();
  HOLDFAST_NEED(c.name, engine::find_program(c.engine, c.server).has_value(), "its server is not installed");
  LabGuard lab;
  const auto up = lab.holdfast({"lab", "up", c.cluster});
  ASSERT_EQ(up.exit_code, 0) << up.err;
  const auto own = lab.holdfast({"triage", "-c", c.cluster, "-o", "json"});
  const auto own_report = (*codec::parse_value(own.out))["data"];
  EXPECT_TRUE(own_report["healthy"].boolean()) << own.out;
  const codec::Value members = lab.members();
  std::set<std::string> addresses;
  for (const auto& member : members.items())
    addresses.insert(fmt::format("{}:{}", member["host"].text(), member["port"].integer()));
  ASSERT_GE(addresses.size(), 2u);
  for (const auto& member : members.items()) {
    for (const bool by_socket : {false, true}) {
      std::vector<std::string> argv = {"cluster",
                                       "discover",
                                       "-e",
                                       std::string(cluster::engine_name(c.engine)),
                                       "--user",
                                       member["user"].text(),
                                       "--password-file",
                                       member["passwordFile"].text(),
                                       "--name",
                                       "found"};
      if (by_socket)
        argv.insert(argv.end(), {"--socket", member["socket"].text()});
      else
        argv.insert(argv.end(), {"--host", member["host"].text(), "--port", std::to_string(member["port"].integer())});
      const auto found = lab.holdfast(argv);
      ASSERT_EQ(found.exit_code, 0) << found.out << found.err;
      const auto read = cluster::parse_clusters(found.out, "/");
      ASSERT_TRUE(read) << found.out << read.error().to_string();
      std::set<std::string> seen;
      for (const auto& m : (*read)[0].members) seen.insert(fmt::format("{}:{}", m.host, m.port));
      EXPECT_EQ(seen, addresses) << "from " << member["member"].text() << "\n" << found.out;
      EXPECT_EQ(cluster::replication_mode_name((*read)[0].replication), c.mode) << found.out;
      EXPECT_EQ(found.out.find("did not answer"), std::string::npos) << found.out;

      const std::string file = lab.state_dir() + "/found.yaml";
      std::ofstream(file) << found.out;
      const auto judged = lab.holdfast({"triage", "-c", "found", "--config", file, "-o", "json"});
      EXPECT_EQ(judged.exit_code, 0) << judged.out << judged.err;
      const auto report = (*codec::parse_value(judged.out))["data"];
      EXPECT_EQ(report["healthy"].boolean(), own_report["healthy"].boolean()) << judged.out;
      EXPECT_EQ(report["authority"].text(), own_report["authority"].text());
      EXPECT_EQ(report["sentence"].text(), own_report["sentence"].text());
      const auto roles = [](const codec::Value& of) {
        std::map<std::string, std::string> by_address;
        for (const auto& m : of["members"].items())
          by_address[m["address"].text()] = m["role"].text() + " " + m["verdict"].text();
        return by_address;
      };
      EXPECT_EQ(roles(report), roles(own_report));
      // As data it is the same resource.
      argv.insert(argv.end(), {"-o", "json"});
      const auto as_data = (*codec::parse_value(lab.holdfast(argv).out))["data"];
      const auto again = cluster::parse_cluster(as_data, "/");
      ASSERT_TRUE(again) << again.error().to_string();
      EXPECT_EQ(cluster::print_cluster(*again), cluster::print_cluster((*read)[0]));
    }
  }
}

INSTANTIATE_TEST_SUITE_P(
    Engines, DiscoverLab,
    testing::Values(LabCluster{"mariadb", "shop-mariadb", Engine::mariadb, "mariadbd", "semi-sync"},
                    LabCluster{"galera", "shop-galera", Engine::galera, "mariadbd", "galera"},
                    LabCluster{"mysql", "shop-mysql", Engine::mysql, "mysqld", "async"},
                    LabCluster{"postgres", "shop-postgres", Engine::postgres, "postgres", "streaming"}),
    [](const auto& info) { return std::string(info.param.name); });

}  // namespace
}  // namespace holdfast::test

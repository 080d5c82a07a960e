// The lab: four real clusters come up, replicate, survive restarts, and leave nothing behind.
#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

#include <fmt/format.h>

#include <filesystem>
#include <set>

#include "cluster/resource.h"
#include "engine/programs.h"
#include "sql/mariadb.h"
#include "sql/postgres.h"
#include "sys/any_process.h"
#include "tests/support/lab_guard.h"
#include "tests/support/member_sql.h"
#include "tests/support/require.h"

namespace holdfast::test {
namespace {

using codec::Value;
using std::chrono::seconds;

bool have(cluster::Engine engine, const char* program) {
  return engine::find_program(engine, program).has_value();
}

#define NEED_ALL_ENGINES()                                                                    \
  HOLDFAST_NEED("mariadb", have(cluster::Engine::mariadb, "mariadbd"), "no mariadbd");        \
  HOLDFAST_NEED("mysql", have(cluster::Engine::mysql, "mysqld"), "no mysqld of tools/peers"); \
  HOLDFAST_NEED("postgres", have(cluster::Engine::postgres, "postgres"), "no postgres")

/// First column of the first row, or the error.
std::string ask(const Value& member, const std::string& statement) {
  const Deadline deadline = Deadline::in(seconds(15));
  Result<sql::Rows> rows = fail(ErrorClass::bug, "", "");
  if (member["engine"].text() == "postgres") {
    auto connection = sql::PostgresConnection::connect(target_of(member), deadline);
    if (!connection) return connection.error().to_string();
    rows = connection->query(statement, deadline);
  } else {
    auto connection = sql::MariadbConnection::connect(target_of(member), deadline);
    if (!connection) return connection.error().to_string();
    rows = connection->query(statement, deadline);
  }
  if (!rows) return rows.error().to_string();
  return rows->empty() ? "" : rows->rows[0][0].value_or("NULL");
}

std::set<std::string> uids_of(const LabGuard& lab) {
  std::set<std::string> uids;
  for (const char* cluster : {"shop-mariadb", "shop-galera", "shop-mysql", "shop-postgres"}) {
    const std::string file = lab.state_dir() + "/clusters/" + cluster + ".yaml";
    const auto text = sys::read_file(file);
    const auto described = cluster::parse_clusters(text ? as_text(text->span()) : "", "/");
    EXPECT_TRUE(described && described->size() == 1) << file;
    if (!described || described->empty()) continue;
    EXPECT_EQ(described->at(0).uid.size(), 36u) << file;
    uids.insert(described->at(0).uid);
  }
  return uids;
}

TEST(Lab, FourClustersReplicateAndGoWithoutATrace) {
  NEED_ALL_ENGINES();
  LabGuard lab;
  ::setenv("RESTIC_PASSWORD", "nobodys business", 1);
  auto up = lab.holdfast({"lab", "up"});
  ::unsetenv("RESTIC_PASSWORD");
  ASSERT_EQ(up.exit_code, 0) << up.out << up.err;
  Value members = lab.members();
  ASSERT_EQ(members.items().size(), 10u);
  for (const auto& m : members.items()) {
    EXPECT_EQ(m["state"].text(), "running") << m["member"].text();
    EXPECT_TRUE(sys::process_start_time(static_cast<pid_t>(m["pid"].integer()))) << m["member"].text();
    EXPECT_EQ(::access(m["socket"].text().c_str(), F_OK), 0) << m["socket"].text();
    // Who lives on has inherited no password of the one who started it.
    for (const char* pid : {"agentPid", "pid"}) {
      const auto environment = sys::read_file(fmt::format("/proc/{}/environ", m[pid].integer()));
      if (environment) {
        EXPECT_EQ(as_text(environment->span()).find("PASSWORD"), std::string_view::npos) << pid;
      }
    }
  }
  auto status = lab.holdfast({"get", "status"});
  EXPECT_EQ(status.exit_code, 0) << status.out << status.err;
  const auto uids = uids_of(lab);
  EXPECT_EQ(uids.size(), 4u) << "each has one of its own";

  for (const char* cluster : {"shop-mariadb", "shop-galera", "shop-mysql", "shop-postgres"}) {
    const std::string name(cluster);
    const bool postgres = name == "shop-postgres";
    const Value primary = lab.member(name + "-0");
    if (!postgres) {
      EXPECT_EQ(ask(primary, "CREATE DATABASE t"), "");
    }
    const std::string table = postgres ? "t" : "t.t";
    EXPECT_EQ(ask(primary, "CREATE TABLE " + table + " (a int primary key)"), "") << name;
    EXPECT_EQ(ask(primary, "INSERT INTO " + table + " VALUES (42)"), "") << name;
    for (const auto& m : members.items()) {
      if (m["cluster"].text() != name) continue;
      std::string seen;
      auto arrived =
          sys::wait_until([&] { return (seen = ask(m, "SELECT a FROM " + table)) == "42"; }, Deadline::in(seconds(20)));
      EXPECT_TRUE(*arrived) << m["member"].text() << ": " << seen;
    }
  }
  // A replica refuses writes.
  EXPECT_NE(ask(lab.member("shop-mysql-1"), "INSERT INTO t.t VALUES (1)").find("read-only"), std::string::npos);

  // The server goes with its agent, and up brings both back.
  const Value victim = lab.member("shop-mariadb-1");
  auto server = sys::open_pidfd(static_cast<pid_t>(victim["pid"].integer()));
  ASSERT_TRUE(server);
  ASSERT_EQ(::kill(static_cast<pid_t>(victim["agentPid"].integer()), SIGKILL), 0);
  EXPECT_TRUE(*sys::wait_fd(server->get(), 1 /* POLLIN */, Deadline::in(seconds(10))))
      << "the server outlived its agent";
  status = lab.holdfast({"get", "status"});
  EXPECT_EQ(status.exit_code, 4) << status.out;
  up = lab.holdfast({"lab", "up"});
  ASSERT_EQ(up.exit_code, 0) << up.err;
  EXPECT_EQ(lab.member("shop-mariadb-0")["pid"].integer(), members.items()[0]["pid"].integer())
      << "a healthy member was touched";
  EXPECT_EQ(ask(lab.member("shop-mariadb-1"), "SELECT a FROM t.t"), "42");

  // A restart finds everything again.
  ASSERT_EQ(lab.holdfast({"lab", "down", "--keep-data"}).exit_code, 0);
  EXPECT_TRUE(lab.processes().empty());
  up = lab.holdfast({"lab", "up"});
  ASSERT_EQ(up.exit_code, 0) << up.err;
  for (const char* name : {"shop-mariadb-2", "shop-galera-2", "shop-mysql-1"})
    EXPECT_EQ(ask(lab.member(name), "SELECT a FROM t.t"), "42") << name;
  EXPECT_EQ(ask(lab.member("shop-postgres-1"), "SELECT a FROM t"), "42");
  EXPECT_EQ(uids_of(lab), uids);

  ASSERT_EQ(lab.holdfast({"lab", "down"}).exit_code, 0);
  EXPECT_TRUE(lab.processes().empty());
}

TEST(Lab, KilledUpLeavesNoOrphan) {
  HOLDFAST_NEED("mariadb", have(cluster::Engine::mariadb, "mariadbd"), "no mariadbd");
  LabGuard lab;
  // Killed at different depths: as soon as there are so many processes of it.
  for (size_t depth : {2u, 5u}) {
    sys::Command command;
    command.argv = {holdfast_binary(), "lab", "up", "shop-mariadb", "--quiet", "--state-dir", lab.state_dir()};
    auto up = sys::spawn(command);
    ASSERT_TRUE(up);
    ASSERT_TRUE(
        *sys::wait_until([&] { return lab.processes().size() >= depth || up->poll(); }, Deadline::in(seconds(30))));
    ASSERT_FALSE(up->poll()) << "up ended before it could be killed";
    ASSERT_TRUE(up->kill());
    EXPECT_TRUE(*sys::wait_until([&] { return lab.processes().empty(); }, Deadline::in(seconds(10))))
        << "after depth " << depth;
  }
  auto again = lab.holdfast({"lab", "up", "shop-mariadb"});
  EXPECT_EQ(again.exit_code, 0) << again.err;
}

TEST(Lab, TwoLabsSideBySide) {
  HOLDFAST_NEED("postgres", have(cluster::Engine::postgres, "postgres"), "no postgres");
  LabGuard one, two;
  ASSERT_EQ(one.holdfast({"lab", "up", "shop-postgres"}).exit_code, 0);
  ASSERT_EQ(two.holdfast({"lab", "up", "shop-postgres"}).exit_code, 0);
  EXPECT_NE(one.member("shop-postgres-0")["port"].integer(), two.member("shop-postgres-0")["port"].integer());
  EXPECT_EQ(ask(one.member("shop-postgres-0"), "CREATE TABLE only_one (a int)"), "");
  EXPECT_EQ(ask(two.member("shop-postgres-0"), "SELECT to_regclass('only_one')"), "NULL");
  ASSERT_EQ(one.holdfast({"lab", "down"}).exit_code, 0);
  EXPECT_EQ(two.holdfast({"get", "status"}).exit_code, 0);
}

TEST(Lab, HungMemberIsUnhealthyAndHealed) {
  HOLDFAST_NEED("postgres", have(cluster::Engine::postgres, "postgres"), "no postgres");
  LabGuard lab;
  ASSERT_EQ(lab.holdfast({"lab", "up", "shop-postgres"}).exit_code, 0);
  ASSERT_EQ(lab.holdfast({"lab", "load", "-c", "shop-postgres", "--size", "2MB"}).exit_code, 0);
  auto wrote = lab.holdfast({"lab", "load", "-c", "shop-postgres", "--write", "--seconds", "1"});
  EXPECT_EQ(wrote.exit_code, 0) << wrote.err;
  auto journal = sys::read_file(lab.state_dir() + "/lab/shop-postgres/acknowledged.journal");
  ASSERT_TRUE(journal);
  const auto lines = std::count(journal->data(), journal->data() + journal->size(), '\n');
  EXPECT_GT(lines, 0);
  ASSERT_EQ(lab.holdfast({"lab", "break", "delete-data", "shop-postgres-1"}).exit_code, 0);
  ASSERT_EQ(lab.holdfast({"lab", "break", "stop", "shop-postgres-0"}).exit_code, 0);
  auto begun = std::chrono::steady_clock::now();
  EXPECT_EQ(lab.holdfast({"get", "status"}).exit_code, 4);
  EXPECT_LT(std::chrono::steady_clock::now() - begun, seconds(15));
  ASSERT_EQ(lab.holdfast({"lab", "heal", "shop-postgres-0"}).exit_code, 0);
  auto healed = lab.holdfast({"lab", "heal", "shop-postgres-1"});
  ASSERT_EQ(healed.exit_code, 0) << healed.err;
  EXPECT_EQ(lab.holdfast({"get", "status"}).exit_code, 0);
}

TEST(Lab, AKilledServerIsKnownToBeDeadBeforeAnybodyHealsIt) {
  HOLDFAST_NEED("postgres", have(cluster::Engine::postgres, "postgres"), "no postgres");
  LabGuard lab;
  ASSERT_EQ(lab.holdfast({"lab", "up", "shop-postgres"}).exit_code, 0);
  for (int round = 0; round < 5; ++round) {
    ASSERT_EQ(lab.holdfast({"lab", "break", "kill", "shop-postgres-1"}).exit_code, 0);
    EXPECT_EQ(lab.member("shop-postgres-1")["state"].text(), "failed");
    ASSERT_EQ(lab.holdfast({"lab", "heal", "shop-postgres-1"}).exit_code, 0);
    EXPECT_EQ(lab.member("shop-postgres-1")["state"].text(), "running");
  }
}

/// Whether this machine is a container that may not do it; where `what` is required that is a failure.
bool refused_by_container(const RunResult& result, const char* what) {
  if (result.exit_code != 3 || result.err.find("container") == std::string::npos) return false;
  EXPECT_NE(result.err.find("HINT:"), std::string::npos) << result.err;
  EXPECT_FALSE(is_required(what)) << "HOLDFAST_REQUIRE asks for " << what << ": " << result.err;
  return true;
}

TEST(Lab, AFullDiskAndACutNetworkAreRealAndHealed) {
  HOLDFAST_NEED("postgres", have(cluster::Engine::postgres, "postgres"), "no postgres");
  HOLDFAST_NEED("root", ::geteuid() == 0, "it mounts a file system and drops packets");
  LabGuard lab;
  ASSERT_EQ(lab.holdfast({"lab", "up", "shop-postgres"}).exit_code, 0);
  const Value primary = lab.member("shop-postgres-0"), replica = lab.member("shop-postgres-1");
  ASSERT_EQ(ask(primary, "CREATE TABLE t (a text)"), "");

  // The network: what the primary commits does not arrive, and what the replica is asked over TCP is not answered.
  const auto cut = lab.holdfast({"lab", "break", "partition", "shop-postgres-1"});
  const bool no_cut = refused_by_container(cut, "network");
  if (!no_cut) {
    ASSERT_EQ(cut.exit_code, 0) << cut.err;
    EXPECT_EQ(ask(primary, "INSERT INTO t VALUES ('while cut')"), "");
    sql::Target over_tcp = target_of(replica);
    over_tcp.socket.clear();
    EXPECT_FALSE(sql::PostgresConnection::connect(over_tcp, Deadline::in(seconds(2))));
    sql::Target by_socket = target_of(replica);
    by_socket.socket = replica["socket"].text();
    auto inside = sql::PostgresConnection::connect(by_socket, Deadline::in(seconds(10)));
    ASSERT_TRUE(inside) << inside.error().to_string();
    EXPECT_EQ(inside->query("SELECT count(*) AS n FROM t", Deadline::in(seconds(10)))->text("n"), "0");
    const auto mended = lab.holdfast({"lab", "heal", "shop-postgres-1"});
    ASSERT_EQ(mended.exit_code, 0) << mended.err;
    std::string seen;
    auto arrived = sys::wait_until([&] { return (seen = ask(replica, "SELECT a FROM t")) == "while cut"; },
                                   Deadline::in(seconds(60)));
    EXPECT_TRUE(*arrived) << seen;
  }

  // The disk: writes fail for want of space; healed, what was acknowledged is there and writing goes on.
  const auto filled = lab.holdfast({"lab", "break", "fill-disk", "shop-postgres-0"});
  const bool no_disk = refused_by_container(filled, "disk");
  if (!no_disk) {
    ASSERT_EQ(filled.exit_code, 0) << filled.err;
    std::string refused;
    auto full = sys::wait_until(
        [&] {
          refused = ask(primary, "INSERT INTO t SELECT repeat(md5(i::text), 300) FROM generate_series(1, 3000) i");
          return !refused.empty();
        },
        Deadline::in(seconds(60)));
    EXPECT_TRUE(*full) << "the disk never became full";
    const auto healed = lab.holdfast({"lab", "heal", "shop-postgres-0"});
    ASSERT_EQ(healed.exit_code, 0) << healed.err;
    EXPECT_EQ(ask(primary, "SELECT a FROM t WHERE a LIKE 'while%' OR a = 'x' LIMIT 1"),
              cut.exit_code == 0 ? "while cut" : "");
    EXPECT_EQ(ask(primary, "INSERT INTO t VALUES ('afterwards')"), "");
    auto healthy =
        sys::wait_until([&] { return lab.holdfast({"get", "status"}).exit_code == 0; }, Deadline::in(seconds(60)));
    EXPECT_TRUE(*healthy) << lab.holdfast({"get", "status"}).out;
    // Down also takes a disk away that nobody healed.
    ASSERT_EQ(lab.holdfast({"lab", "break", "fill-disk", "shop-postgres-1"}).exit_code, 0);
    ASSERT_EQ(lab.holdfast({"lab", "down"}).exit_code, 0);
    const auto mounts = sys::read_file("/proc/self/mountinfo");
    ASSERT_TRUE(mounts);
    EXPECT_EQ(as_text(mounts->span()).find(lab.state_dir()), std::string_view::npos);
  }
  if ((no_cut || no_disk) && !HasFailure()) GTEST_SKIP() << cut.err << filled.err;
}

TEST(Lab, BreakingDiskAndNetworkIsRefusedWithoutRoot) {
  LabGuard lab;
  std::vector<std::string> argv;
  const std::string copy = lab.state_dir() + "/holdfast";
  if (::geteuid() == 0) {
    std::filesystem::copy_file(holdfast_binary(), copy);  // the build may lie where nobody else may look
    argv = {"setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", copy};
  } else {
    argv = {holdfast_binary()};
  }
  for (const char* kind : {"fill-disk", "partition"}) {
    auto words = argv;
    words.insert(words.end(), {"lab", "break", kind, "shop-postgres-1", "--state-dir", lab.state_dir()});
    const auto refused = run_program(words);
    EXPECT_EQ(refused.exit_code, 3) << refused.err;
    EXPECT_NE(refused.err.find("needs root"), std::string::npos) << refused.err;
    EXPECT_NE(refused.err.find("HINT:"), std::string::npos) << refused.err;
  }
}

}  // namespace
}  // namespace holdfast::test

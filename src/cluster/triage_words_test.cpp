// What triage says of a breakage: the useful thing first, in the server's own dialect, naming who is in the way.
#include <gtest/gtest.h>

#include "cluster/triage.h"
#include "tests/support/triage_world.h"

namespace holdfast::cluster {
namespace {

using test::healthy;
using test::kUuid;
using test::take_down;
using test::World;

const Diagnosis& diagnosis_of(const TriageReport& report, std::string_view id) {
  static const Diagnosis none;
  for (const auto& d : report.diagnoses)
    if (d.id == id) return d;
  return none;
}

bool has(const std::string& text, std::string_view part) {
  return text.find(part) != std::string::npos;
}

/// A replica that reads a file which is there, beside others that are gone, has another trouble.
TEST(TriageWords, ASourceThatAnswersIsNotUnreachable) {
  World w = healthy(Engine::mariadb);
  auto& f = w[1].following[0];
  f.receiving = false;
  f.receive_state = "Connecting";
  f.source_log = "binlog.000007";
  w[0].lost_logs = {"binlog.000001"};
  w[0].tcp = true;
  const auto report = w.report();
  EXPECT_FALSE(report.has("replica-log-purged"));
  const auto& said = diagnosis_of(report, "replica-source-unreachable");
  EXPECT_FALSE(has(said.summary, "cannot reach")) << said.summary;
  EXPECT_TRUE(has(said.remedy, "error log of m0")) << said.remedy;
}

TEST(TriageWords, TheHolderOfALockIsNamedWithItsCommand) {
  World w = healthy(Engine::mariadb);
  StuckCommit wait{7, 9, "Waiting for table metadata lock", "2026-11-23 06:20:05 UTC", {{12, "app@10.0.0.5"}}, true};
  w[1].applier_waits.push_back(wait);
  auto report = w.report();
  EXPECT_TRUE(
      has(report.members[1].sentence, "waits for the lock of session 12 (app@10.0.0.5), since 2026-11-23 06:20:05 UTC"))
      << report.members[1].sentence;
  EXPECT_TRUE(has(diagnosis_of(report, "applier-waits-for-lock").remedy, "KILL 12"));
  EXPECT_FALSE(report.has("replica-lagging"));
  // Not proven, and several: one of them.
  w[1].applier_waits[0].proven = false;
  w[1].applier_waits[0].holders.push_back({14, "report@10.0.0.6"});
  report = w.report();
  EXPECT_TRUE(has(report.members[1].sentence, "one of session 12 (app@10.0.0.5), session 14 (report@10.0.0.6)"))
      << report.members[1].sentence;
  // Left by its coordinator: no session to end.
  w[1].applier_waits[0].holders = {{0, "a prepared transaction (XA)"}};
  report = w.report();
  EXPECT_TRUE(has(diagnosis_of(report, "applier-waits-for-lock").remedy, "XA RECOVER"));
}

TEST(TriageWords, APrimaryWhoseWritesWaitDoesNotSoundAsIfItTookThem) {
  World w = healthy(Engine::mariadb);
  w[0].locked_writes.push_back({7, 20, "Waiting for backup lock", "", {{12, "dump@localhost, asleep for 30 s"}}});
  const auto report = w.report();
  EXPECT_TRUE(report.sentence.starts_with("writes wait;")) << report.sentence;
  EXPECT_TRUE(has(diagnosis_of(report, "writes-locked").summary, "session 12 (dump@localhost, asleep for 30 s)"));
}

/// What must be done first is said first; what only follows from the rest, last.
TEST(TriageWords, TheFirstNextIsTheUsefulOne) {
  World w = healthy(Engine::mariadb);
  w[1].reach = Reach::unreachable;
  w[1].agent.answers = false;
  auto report = w.report();
  ASSERT_FALSE(report.diagnoses.empty());
  EXPECT_EQ(report.diagnoses[0].id, "agent-gone");
  EXPECT_TRUE(has(report.diagnoses[0].remedy, "holdfast agent --dir"));
  w = healthy(Engine::galera);
  w[1].galera->state = "Inconsistent";
  w[1].galera->status = "Disconnected";
  w[1].executed.clear();
  report = w.report();
  ASSERT_TRUE(report.has("galera-inconsistent"));
  std::string before;
  for (const auto& d : report.diagnoses) {
    if (d.id == "galera-inconsistent") break;
    before += d.id + " ";
  }
  EXPECT_FALSE(has(before, "authority-undeterminable")) << before;
}

TEST(TriageWords, AnAgentThatCannotBeReachedIsNotSaidToBeDown) {
  World w = healthy(Engine::mariadb);
  w[1].reach = Reach::timeout;
  w[1].agent.answers = false;
  w[1].agent.silent = "no agent answers at 10.0.0.2:7420: 10.0.0.2:7420 did not answer in time";
  const auto report = w.report();
  const auto& said = diagnosis_of(report, "agent-gone");
  EXPECT_TRUE(has(said.summary, "cannot be reached")) << said.summary;
  EXPECT_TRUE(has(said.summary, "10.0.0.2:7420")) << said.summary;
  EXPECT_FALSE(has(said.summary, "no agent running")) << said.summary;
  EXPECT_TRUE(has(said.remedy, "network")) << said.remedy;
  EXPECT_EQ(report.members[1].verdict, Verdict::unknown);
}

TEST(TriageWords, AnImmutableFileIsNotAMatterOfOwners) {
  World w = healthy(Engine::mariadb);
  w[1].reach = Reach::unreachable;
  w[1].runtime.state = "failed";
  w[1].runtime.log_tail =
      "2026-11-23  6:00:00 0 [Note] Starting MariaDB\n"
      "2026-11-23  6:00:01 0 [ERROR] InnoDB: The innodb_system data file 'ibdata1' must be writable\n";
  w[1].stored.emplace();
  w[1].stored->data = StoredFacts::Data::present;
  w[1].stored->position = w[1].executed;
  w[1].stored->immutable = "/m1/data/ibdata1";
  const auto report = w.report();
  const auto& said = diagnosis_of(report, "server-crashed");
  EXPECT_TRUE(has(said.summary, "immutable")) << said.summary;
  EXPECT_TRUE(has(said.remedy, "chattr -i /m1/data/ibdata1")) << said.remedy;
}

TEST(TriageWords, AReplicaThatIsTurnedAwayIsToldWhy) {
  World w = healthy(Engine::postgres);
  auto& stream = w[1].following[0];
  stream.receiving = false;
  stream.receive_error =
      "could not connect to the primary server: connection to server at \"10.0.0.1\", port 5432 failed: FATAL:  number "
      "of requested standby connections exceeds max_wal_senders (currently 0)";
  const auto full = w.report();
  EXPECT_TRUE(has(diagnosis_of(full, "replica-source-unreachable").remedy, "raise max_wal_senders"));
  w = healthy(Engine::mysql);
  w[1].following[0].receiving = false;
  w[1].following[0].receive_errno = 1862;
  w[1].following[0].receive_error = "Your password has expired.";
  const auto expired = w.report();
  EXPECT_TRUE(has(diagnosis_of(expired, "replica-access-denied").remedy, "PASSWORD EXPIRE NEVER"));
  w[1].following[0].receive_errno = 3118;
  const auto locked = w.report();
  EXPECT_TRUE(has(diagnosis_of(locked, "replica-access-denied").remedy, "ACCOUNT UNLOCK"));
}

TEST(TriageWords, AServerThatRefusesUsMayAcceptWrites) {
  World w = healthy(Engine::mysql);
  w[0].reach = Reach::denied;
  w[0].error = "[3118] Access denied for user 'holdfast'@'localhost'. Account is locked.";
  const auto report = w.report();
  const auto& said = diagnosis_of(report, "no-writer");
  EXPECT_FALSE(has(said.remedy, "holdfast repair")) << said.remedy;
  EXPECT_TRUE(has(said.remedy, "explain access-denied")) << said.remedy;
  EXPECT_TRUE(has(diagnosis_of(report, "access-denied").remedy, "ACCOUNT UNLOCK"));
}

TEST(TriageWords, AMemberWithoutGtidsThatAnswersIsKnown) {
  World w = healthy(Engine::mysql);
  w[1].mysql.gtid_mode = false;
  const auto report = w.report();
  const auto& said = diagnosis_of(report, "authority-undeterminable");
  EXPECT_FALSE(has(said.summary, "nothing is known")) << said.summary;
  EXPECT_TRUE(has(said.remedy, "gtid_mode")) << said.remedy;
}

/// A statement that the server does not know helps nobody.
TEST(TriageWords, StatementsAreOfTheServersOwnDialect) {
  for (const auto engine : {Engine::mysql, Engine::mariadb}) {
    World w = healthy(engine);
    auto& f = w[1].following[0];
    f.uses_gtid = false;
    f.receiving = false;
    f.receive_state = "No";
    f.receive_errno = 1236;
    f.receive_error = "Could not find first log file name in binary log index file";
    const auto report = w.report();
    for (const auto* id : {"replica-log-purged", "replica-without-gtid"}) {
      const auto& remedy = diagnosis_of(report, id).remedy;
      EXPECT_EQ(has(remedy, "SOURCE_AUTO_POSITION=1"), engine == Engine::mysql) << id << ": " << remedy;
      EXPECT_EQ(has(remedy, "MASTER_USE_GTID=slave_pos"), engine == Engine::mariadb) << id << ": " << remedy;
    }
  }
}

TEST(TriageWords, AnotherHistoryIsNotDiscardedAsADivergedOne) {
  World w = healthy(Engine::postgres);
  w[1].lineage = "7000000000000000002";
  w[1].executed = w[1].received = "0/9000000";
  const auto report = w.report();
  EXPECT_TRUE(report.has("foreign-history"));
  for (const auto& d : report.diagnoses) EXPECT_FALSE(has(d.remedy, "discard-diverged")) << d.id << ": " << d.remedy;
}

TEST(TriageWords, AMarkToBootstrapFromIsNoReasonToBootstrapBesideOthers) {
  World w = healthy(Engine::galera);
  w[1].reach = Reach::unreachable;
  w[1].runtime.state = "stopped";
  w[1].runtime.pid = -1;
  w[1].stored.emplace();
  w[1].stored->data = StoredFacts::Data::present;
  w[1].stored->lineage = kUuid[0];
  w[1].stored->position = w[1].executed;
  w[1].stored->safe_to_bootstrap = true;
  const auto report = w.report();
  const auto& said = diagnosis_of(report, "galera-bootstrap-flag");
  EXPECT_FALSE(has(said.remedy, "bootstrap -c")) << said.remedy;
  EXPECT_TRUE(has(said.remedy, "holdfast repair -c shop/orders -i 1")) << said.remedy;
}

TEST(TriageWords, WhereThePrimarysDataIsLostTheFirstStepIsNoRepair) {
  for (const Engine engine : {Engine::mariadb, Engine::mysql, Engine::postgres}) {
    World w = healthy(engine);
    take_down(w[0]);
    w[0].runtime.missing_parts = {"ibdata1"};
    w[0].stored->position.clear();
    w[0].stored->position_unknown = "ibdata1 is missing";
    const auto report = w.report();
    ASSERT_TRUE(report.has("no-writer"));
    for (const char* id : {"no-writer", "data-damaged"}) {
      const std::string& next = diagnosis_of(report, id).remedy;
      EXPECT_LT(next.find("holdfast explain leader-not-primary"), next.find("holdfast repair")) << next;
      EXPECT_NE(next.find("keep its data directory"), std::string::npos) << next;
    }
  }
}

TEST(TriageWords, AServerThatRefusesItsConfigurationIsNotCalledStopped) {
  World w = healthy(Engine::postgres);
  take_down(w[1]);
  w[1].runtime.log_tail = "FATAL:  configuration file \"/d/postgresql.conf\" contains errors\n";
  const auto report = w.report();
  EXPECT_TRUE(report.has("config-refused"));
  EXPECT_FALSE(report.has("server-stopped"));
}

TEST(TriageWords, ACopiedServerUuidComesBeforeTheReceiverThatItStopped) {
  World w = healthy(Engine::mysql);
  w[0].server_uuid = w[1].server_uuid = kUuid[0];
  w[1].following[0].receiving = false;
  w[1].following[0].receive_errno = 13117;
  w[1].following[0].receive_error = "source and replica have equal MySQL server UUIDs";
  const auto report = w.report();
  ASSERT_TRUE(report.has("replica-not-receiving"));
  EXPECT_EQ(report.diagnoses[0].id, "server-id-duplicate");
}

TEST(TriageWords, AServerUuidThatIsOnNoDiskIsAWarningAndNoDamage) {
  World w = healthy(Engine::mysql);
  w[1].server_uuid = kUuid[1];
  w[1].runtime.missing_parts = {"auto.cnf"};
  const auto report = w.report();
  EXPECT_TRUE(report.healthy);
  EXPECT_FALSE(report.has("page-checksum-failures"));
  EXPECT_TRUE(has(diagnosis_of(report, "server-uuid-unsaved").remedy, kUuid[1]));
}

}  // namespace
}  // namespace holdfast::cluster

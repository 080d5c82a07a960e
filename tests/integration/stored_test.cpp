// What is read from the data directory of a hung, killed or stopped server is what the server itself says in SQL.
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/stat.h>

#include <algorithm>
#include <atomic>
#include <filesystem>
#include <fstream>
#include <map>
#include <thread>

#include "engine/binlog/transactions.h"
#include "engine/galera/stored.h"
#include "engine/mysql_family_stored.h"
#include "engine/postgres/stored.h"
#include "engine/programs.h"
#include "sql/mariadb.h"
#include "sql/postgres.h"
#include "tests/support/lab_guard.h"
#include "tests/support/member_sql.h"
#include "tests/support/require.h"

namespace holdfast::test {
namespace {

namespace fs = std::filesystem;
using codec::Value;
using std::chrono::milliseconds;
using std::chrono::seconds;

bool have(cluster::Engine engine, const char* program) {
  return engine::find_program(engine, program).has_value();
}

/// First column of the first row; fails the test when there is none.
std::string ask(const Value& member, const std::string& statement) {
  const Deadline deadline = Deadline::in(seconds(20));
  Result<sql::Rows> rows = fail(ErrorClass::bug, "", "");
  if (member["engine"].text() == "postgres") {
    auto connection = sql::PostgresConnection::connect(target_of(member), deadline);
    if (connection)
      rows = connection->query(statement, deadline);
    else
      rows = fail(connection.error());
  } else {
    auto connection = sql::MariadbConnection::connect(target_of(member), deadline);
    if (connection)
      rows = connection->query(statement, deadline);
    else
      rows = fail(connection.error());
  }
  EXPECT_TRUE(rows) << statement << ": " << rows.error().to_string();
  if (!rows) return "";
  return rows->empty() ? "" : rows->rows[0][0].value_or("NULL");
}

pid_t pid_of(const Value& member) {
  return static_cast<pid_t>(member["pid"].integer());
}

/// Path, size and times of every file: equal before and after a look that changed nothing.
std::map<std::string, std::string> fingerprint(const std::string& dir) {
  std::map<std::string, std::string> result;
  for (const auto& entry : fs::recursive_directory_iterator(dir)) {
    struct stat info{};
    if (::lstat(entry.path().c_str(), &info) != 0) continue;
    std::string text = std::to_string(info.st_size);
    for (const auto& time : {info.st_mtim, info.st_ctim})
      text += " " + std::to_string(time.tv_sec) + "." + std::to_string(time.tv_nsec);
    result[entry.path().string()] = text;
  }
  return result;
}

std::string sorted(const std::string& list) {
  std::vector<std::string> parts;
  for (size_t at = 0; at <= list.size();) {
    const size_t end = std::min(list.find(',', at), list.size());
    parts.push_back(list.substr(at, end - at));
    at = end + 1;
  }
  std::ranges::sort(parts);
  std::string text;
  for (const auto& part : parts) text += part + ",";
  return text;
}

/// Clients that insert until the server goes away.
class Load {
 public:
  Load(const Value& member, std::string statement) {
    for (int i = 0; i < 3; ++i)
      threads_.emplace_back([this, member, statement](std::stop_token stop) {
        const Deadline deadline = Deadline::in(seconds(60));
        const auto run = [&](auto connection) {
          while (connection && !stop.stop_requested() && connection->query(statement, deadline)) ++done_;
        };
        if (member["engine"].text() == "postgres")
          run(sql::PostgresConnection::connect(target_of(member), deadline));
        else
          run(sql::MariadbConnection::connect(target_of(member), deadline));
      });
  }
  bool wait_for(int count) {
    return *sys::wait_until([&] { return done_ >= count; }, Deadline::in(seconds(60)));
  }

 private:
  std::atomic<int> done_ = 0;
  std::vector<std::jthread> threads_;
};

void hang_read_kill(LabGuard& lab, const std::string& cluster, const std::string& variable) {
  const Value primary = lab.member(cluster + "-0");
  const std::string data = primary["dataDir"].text();
  ask(primary, "CREATE DATABASE t");
  ask(primary, "CREATE TABLE t.t (a int auto_increment primary key, b text)");
  for (int i = 0; i < 5; ++i) ask(primary, "INSERT INTO t.t (b) VALUES (repeat('x', 2000))");
  ask(primary, "FLUSH BINARY LOGS");
  ask(primary, "INSERT INTO t.t (b) VALUES ('y')");

  // Hung: SQL says nothing, the disk does, and is not touched by looking.
  const std::string said = ask(primary, "SELECT " + variable);
  ASSERT_FALSE(said.empty());
  ASSERT_EQ(::kill(pid_of(primary), SIGSTOP), 0);
  const auto before = fingerprint(data);
  const auto hung = engine::read_mysql_family_stored(data);
  EXPECT_EQ(fingerprint(data), before);
  ASSERT_EQ(::kill(pid_of(primary), SIGCONT), 0);
  EXPECT_EQ(hung.content, engine::StoredContent::data) << hung.why;
  ASSERT_TRUE(hung.binlog.position) << hung.binlog.unknown;
  EXPECT_EQ(sorted(hung.binlog.position->text), sorted(said));
  EXPECT_TRUE(hung.binlog.position->in_use);
  ASSERT_TRUE(hung.binlog.purged) << hung.binlog.purged_unknown;
  ASSERT_TRUE(hung.version) << hung.version.why();
  ASSERT_TRUE(hung.data_volume);
  EXPECT_GT(hung.data_volume->bytes_free, 0u);

  // What the replica has received is what it was sent.
  const Value replica = lab.member(cluster + "-1");
  EXPECT_TRUE(*sys::wait_until([&] { return sorted(ask(replica, "SELECT " + variable)) == sorted(said); },
                               Deadline::in(seconds(20))));
  const auto other = engine::read_mysql_family_stored(replica["dataDir"].text());
  ASSERT_TRUE(other.binlog.position) << other.binlog.unknown;
  EXPECT_EQ(sorted(other.binlog.position->text), sorted(said));
  EXPECT_TRUE(other.received) << other.received.why();

  // Running, under load, over and over: never trouble, never backwards; then killed in the middle of it.
  for (int round = 0; round < 3; ++round) {
    {
      Load load(primary, "INSERT INTO t.t (b) VALUES (repeat('z', 3000))");
      ASSERT_TRUE(load.wait_for(50));
      uint64_t offset = 0;
      for (int i = 0; i < 20; ++i) {
        const auto live = engine::binlog::read_binlog_position(data);
        ASSERT_TRUE(live.position) << live.unknown;
        EXPECT_GE(live.position->offset, offset);
        offset = live.position->offset;
      }
      ASSERT_EQ(lab.holdfast({"lab", "break", "kill", cluster + "-0"}).exit_code, 0);
    }
    const auto killed = engine::read_mysql_family_stored(data);
    ASSERT_TRUE(killed.binlog.position) << killed.binlog.unknown;
    EXPECT_TRUE(killed.binlog.position->in_use);
    EXPECT_FALSE(killed.binlog.position->clean);
    const auto healed = lab.holdfast({"lab", "heal", cluster + "-0"});
    ASSERT_EQ(healed.exit_code, 0) << healed.err;
    const std::string after = ask(lab.member(cluster + "-0"), "SELECT " + variable);
    if (killed.binlog.position->partial.empty()) {
      EXPECT_EQ(sorted(killed.binlog.position->text), sorted(after));
    }
  }

  // Shut down cleanly.
  const std::string last = ask(lab.member(cluster + "-0"), "SELECT " + variable);
  ASSERT_EQ(lab.holdfast({"lab", "down", "--keep-data"}).exit_code, 0);
  const auto stopped = engine::read_mysql_family_stored(data);
  ASSERT_TRUE(stopped.binlog.position) << stopped.binlog.unknown;
  EXPECT_EQ(sorted(stopped.binlog.position->text), sorted(last));
  EXPECT_TRUE(stopped.binlog.position->clean);
  EXPECT_FALSE(stopped.binlog.position->in_use);
}

TEST(Stored, MariadbOnDiskIsMariadbInSql) {
  HOLDFAST_NEED("mariadb", have(cluster::Engine::mariadb, "mariadbd"), "no mariadbd");
  LabGuard lab;
  ASSERT_EQ(lab.holdfast({"lab", "up", "shop-mariadb"}).exit_code, 0);
  const Value primary = lab.member("shop-mariadb-0");
  // Other domains and servers, XA, DDL with rows, a table without transactions.
  {
    const Deadline deadline = Deadline::in(seconds(30));
    auto connection = sql::MariadbConnection::connect(target_of(primary), deadline);
    ASSERT_TRUE(connection);
    for (const char* statement :
         {"CREATE DATABASE q", "CREATE TABLE q.t (a int primary key)", "XA START 'a'", "INSERT INTO q.t VALUES (1)",
          "XA END 'a'", "XA PREPARE 'a'", "XA COMMIT 'a'", "CREATE TABLE q.m (a int) ENGINE=Aria",
          "INSERT INTO q.m VALUES (1)", "CREATE TABLE q.c SELECT * FROM q.t", "SET gtid_domain_id=7, server_id=99",
          "INSERT INTO q.t VALUES (2)", "SET server_id=98", "INSERT INTO q.t VALUES (3)"}) {
      const auto done = connection->query(statement, deadline);
      ASSERT_TRUE(done) << statement << ": " << done.error().to_string();
    }
  }
  engine::binlog::WantedGtids wanted;
  wanted.mariadb = {{7, 99, 1}, {7, 98, 2}, {0, 1, 1}, {5, 5, 5}};
  const auto list = engine::binlog::find_transactions(primary["dataDir"].text(), wanted);
  EXPECT_EQ(list.unknown, "");
  ASSERT_EQ(list.found.size(), 3u);
  EXPECT_EQ(list.found[0].kind, engine::binlog::TransactionKind::ddl);
  EXPECT_EQ(list.found[1].tables, std::set<std::string>{"q.t"});
  ASSERT_EQ(list.missing.mariadb.size(), 1u);
  hang_read_kill(lab, "shop-mariadb", "@@gtid_binlog_state");
}

TEST(Stored, MysqlOnDiskIsMysqlInSql) {
  HOLDFAST_NEED("mysql", have(cluster::Engine::mysql, "mysqld"), "no mysqld of tools/peers");
  LabGuard lab;
  ASSERT_EQ(lab.holdfast({"lab", "up", "shop-mysql"}).exit_code, 0);
  const Value primary = lab.member("shop-mysql-0");
  {
    const Deadline deadline = Deadline::in(seconds(30));
    auto connection = sql::MariadbConnection::connect(target_of(primary), deadline);
    ASSERT_TRUE(connection);
    for (const char* statement :
         {"CREATE DATABASE q", "CREATE TABLE q.t (a int primary key, b text)", "XA START 'a'",
          "INSERT INTO q.t VALUES (1, '')", "XA END 'a'", "XA PREPARE 'a'", "XA COMMIT 'a'",
          "SET gtid_next='AUTOMATIC:blue_1'", "INSERT INTO q.t VALUES (2, '')",
          "SET gtid_next='0123abcd-ffff-eeee-8000-00000000ff01:77'", "BEGIN", "COMMIT",
          "SET gtid_next='0123abcd-ffff-eeee-8000-00000000ff01:red:500000000000'", "DROP TABLE IF EXISTS q.none",
          "SET gtid_next=AUTOMATIC", "SET binlog_transaction_compression=ON",
          "INSERT INTO q.t VALUES (3, repeat('z', 5000))", "CREATE TABLE q.c SELECT * FROM q.t"}) {
      const auto done = connection->query(statement, deadline);
      ASSERT_TRUE(done) << statement << ": " << done.error().to_string();
    }
  }
  const auto stored = engine::read_mysql_family_stored(primary["dataDir"].text());
  ASSERT_TRUE(stored.server_uuid) << stored.server_uuid.why();
  EXPECT_EQ(*stored.server_uuid, ask(primary, "SELECT @@server_uuid"));
  ASSERT_TRUE(stored.binlog.position) << stored.binlog.unknown;
  EXPECT_EQ(stored.binlog.position->text, ask(primary, "SELECT @@gtid_executed")) << "to the letter";
  engine::binlog::WantedGtids wanted;
  wanted.mysql = stored.binlog.position->gtids.mysql();
  const auto list = engine::binlog::find_transactions(primary["dataDir"].text(), wanted);
  EXPECT_TRUE(list.missing.mysql.empty());
  const auto compressed =
      std::ranges::find_if(list.found, [](const auto& t) { return t.tables == std::set<std::string>{"q.c"}; });
  EXPECT_NE(compressed, list.found.end());
  for (const auto& transaction : list.found)
    EXPECT_NE(transaction.kind, engine::binlog::TransactionKind::unknown) << transaction.gtid;
  hang_read_kill(lab, "shop-mysql", "@@gtid_executed");
}

TEST(Stored, GaleraOnDisk) {
  HOLDFAST_NEED("mariadb", have(cluster::Engine::galera, "mariadbd"), "no mariadbd");
  LabGuard lab;
  ASSERT_EQ(lab.holdfast({"lab", "up", "shop-galera"}).exit_code, 0);
  const Value node = lab.member("shop-galera-1");
  const std::string data = node["dataDir"].text();
  ask(node, "CREATE DATABASE t");
  const std::string uuid =
      ask(node,
          "SELECT variable_value FROM information_schema.global_status WHERE variable_name='wsrep_cluster_state_uuid'");
  auto state = engine::galera::read_galera_stored(data);
  ASSERT_TRUE(state.grastate) << state.grastate.why();
  EXPECT_EQ(state.grastate->uuid, uuid);
  EXPECT_EQ(state.grastate->seqno, -1) << "it runs";
  ASSERT_TRUE(state.view) << state.view.why();
  EXPECT_EQ(state.view->members.size(), 3u);
  EXPECT_FALSE(state.joiner_unfinished);
  ASSERT_TRUE(state.cache) << state.cache.why();
  EXPECT_EQ(state.cache->uuid, uuid);
  EXPECT_FALSE(state.cache->synced);
  ASSERT_EQ(lab.holdfast({"lab", "down", "--keep-data"}).exit_code, 0);
  int safe = 0;
  for (const char* member : {"0", "1", "2"}) {
    std::string other = data;
    other.replace(other.find("shop-galera-1"), 13, std::string("shop-galera-") + member);
    state = engine::galera::read_galera_stored(other);
    ASSERT_TRUE(state.grastate) << state.grastate.why();
    EXPECT_TRUE(state.grastate->is_position());
    EXPECT_EQ(state.grastate->uuid, uuid);
    safe += state.grastate->safe_to_bootstrap.value_or(false);
    ASSERT_TRUE(state.cache) << state.cache.why();
    EXPECT_TRUE(state.cache->synced);
    if (state.cache->last) {
      EXPECT_EQ(*state.cache->last, state.grastate->seqno);
    }
  }
  EXPECT_EQ(safe, 1);
}

engine::postgres::Lsn lsn_of(const std::string& text) {
  const size_t slash = text.find('/');
  return std::stoull(text.substr(0, slash), nullptr, 16) << 32 | std::stoull(text.substr(slash + 1), nullptr, 16);
}

/// End of WAL as PostgreSQL's own program finds it.
std::string waldump_end(const std::string& data, engine::postgres::Lsn from, uint32_t timeline) {
  sys::Command command;
  command.argv = {*engine::find_program(cluster::Engine::postgres, "pg_waldump"),
                  "-p",
                  data + "/pg_wal",
                  "-t",
                  std::to_string(timeline),
                  "-q",
                  "-s",
                  engine::postgres::lsn_text(from)};
  command.env = {{"LC_ALL", "C"}};
  const auto run = sys::run(command, Deadline::in(seconds(60)));
  if (!run) return run.error().to_string();
  // "error in WAL record at 0/179C9B0: invalid record length at 0/179C9E8: wanted 24, got 0"
  const size_t at = run->err.rfind(" at ");
  const size_t end = run->err.find_first_of(": \n", at + 4);
  return at == std::string::npos ? run->err : run->err.substr(at + 4, end - at - 4);
}

TEST(Stored, PostgresEndOfWalIsTheServersOwn) {
  HOLDFAST_NEED("postgres", have(cluster::Engine::postgres, "postgres"), "no postgres");
  using namespace engine::postgres;
  LabGuard lab;
  ASSERT_EQ(lab.holdfast({"lab", "up", "shop-postgres"}).exit_code, 0);
  Value primary = lab.member("shop-postgres-0");
  Value standby = lab.member("shop-postgres-1");
  const std::string data = primary["dataDir"].text(), standby_data = standby["dataDir"].text();
  ask(primary, "CREATE TABLE t (a serial primary key, b text)");
  ask(primary, "CHECKPOINT");
  ask(primary, "INSERT INTO t (b) SELECT repeat(md5(i::text), 40) FROM generate_series(1, 20000) i");

  const std::string id = ask(primary, "SELECT system_identifier FROM pg_control_system()");
  std::string said;
  PostgresStored hung;
  // Background writers may add a record between the question and the stop.
  ASSERT_TRUE(*sys::wait_until(
      [&] {
        said = ask(primary, "SELECT pg_current_wal_flush_lsn()");
        ::kill(pid_of(primary), SIGSTOP);
        hung = read_postgres_stored(data);
        ::kill(pid_of(primary), SIGCONT);
        return hung.wal.end && lsn_text(hung.wal.end->end) == said;
      },
      Deadline::in(seconds(30))))
      << said << " " << hung.wal.unknown << (hung.wal.end ? lsn_text(hung.wal.end->end) : "");
  EXPECT_EQ(std::to_string(hung.control->system_identifier), id);
  EXPECT_EQ(hung.control->state, ControlState::in_production);
  EXPECT_EQ(*hung.version, "15");
  EXPECT_EQ(hung.postmaster->pid, pid_of(primary));
  EXPECT_EQ(hung.content, engine::StoredContent::data) << hung.why;
  EXPECT_EQ(hung.slots->size(), 1u);
  EXPECT_EQ(std::to_string(*hung.segments),
            ask(primary, "SELECT count(*) FROM pg_ls_waldir() WHERE name ~ '^[0-9A-F]{24}$'"));
  EXPECT_FALSE(hung.standby_signal);

  // Killed under load, three times: recovery's first record stands where we say WAL ended.
  for (int round = 0; round < 3; ++round) {
    {
      Load load(primary, "INSERT INTO t (b) SELECT repeat(md5(i::text), 100) FROM generate_series(1, 20) i");
      ASSERT_TRUE(load.wait_for(100));
      for (int i = 0; i < 10; ++i) {
        const auto live = read_postgres_stored(data);
        EXPECT_TRUE(live.wal.end || live.wal.at_least) << live.wal.unknown;
      }
      ASSERT_EQ(lab.holdfast({"lab", "break", "kill", "shop-postgres-0"}).exit_code, 0);
    }
    const auto killed = read_postgres_stored(data);
    ASSERT_TRUE(killed.wal.end) << killed.wal.unknown;
    const Lsn end = killed.wal.end->end;
    ASSERT_EQ(lab.holdfast({"lab", "heal", "shop-postgres-0"}).exit_code, 0);
    primary = lab.member("shop-postgres-0");
    const std::string checkpoint = ask(primary, "SELECT checkpoint_lsn FROM pg_control_checkpoint()");
    const auto recovered = read_control(data);
    ASSERT_TRUE(recovered);
    EXPECT_EQ(lsn_text(recovered->checkpoint), checkpoint);
    const Lsn first = end % 8192 == 0 ? end + (end % (16 << 20) == 0 ? 40 : 24) : end;
    EXPECT_EQ(lsn_text(recovered->checkpoint), lsn_text(first)) << killed.wal.end->ended_because;
  }

  // A standby killed while it receives.
  {
    Load load(primary, "INSERT INTO t (b) SELECT repeat(md5(i::text), 100) FROM generate_series(1, 20) i");
    ASSERT_TRUE(load.wait_for(100));
    ASSERT_EQ(lab.holdfast({"lab", "break", "kill", "shop-postgres-1"}).exit_code, 0);
  }
  auto lagging = read_postgres_stored(standby_data);
  ASSERT_TRUE(lagging.wal.end) << lagging.wal.unknown;
  EXPECT_TRUE(lagging.standby_signal);
  EXPECT_EQ(lagging.control->state, ControlState::archive_recovery);
  EXPECT_GE(lagging.wal.end->end, lagging.control->minimum_recovery_point);
  EXPECT_EQ(waldump_end(standby_data, lagging.control->redo, 1), lsn_text(lagging.wal.end->end))
      << lagging.wal.end->ended_because;

  // Damage is told from an end. On a copy.
  {
    auto copy = sys::TempDir::create("stored-copy");
    const std::string broken = copy->path() + "/data";
    ask(primary, "CHECKPOINT");
    ask(primary, "INSERT INTO t (b) SELECT repeat(md5(i::text), 60) FROM generate_series(1, 30000) i");
    ASSERT_EQ(lab.holdfast({"lab", "break", "kill", "shop-postgres-0"}).exit_code, 0);
    const auto fresh = [&] {
      fs::remove_all(broken);
      fs::copy(data, broken, fs::copy_options::recursive);
    };
    fresh();
    const auto truth = read_postgres_stored(broken);
    ASSERT_TRUE(truth.wal.end) << truth.wal.unknown;
    const uint32_t size = truth.control->wal_segment_size;
    const auto segment = [&](Lsn lsn) { return broken + "/pg_wal/" + segment_file_name({1, lsn / size}, size); };
    ASSERT_GT(truth.wal.end->end / size, truth.control->redo / size + 1) << "too little WAL for this test";
    const Lsn middle = (truth.control->redo / size + 1) * size;
    const auto expect_unknown = [&](const char* what) {
      const auto reading = read_postgres_stored(broken);
      EXPECT_FALSE(reading.wal.end) << what << " gave " << lsn_text(reading.wal.end->end);
      EXPECT_FALSE(reading.wal.unknown.empty()) << what;
      fresh();
    };
    fs::remove(segment(middle));
    expect_unknown("a missing segment");
    fs::resize_file(segment(middle), 1 << 20);
    expect_unknown("a short segment");
    fs::resize_file(segment(truth.wal.end->end), truth.wal.end->end % size);
    expect_unknown("a short last segment");
    const auto scribble = [&](Lsn at, size_t count, char with) {
      std::fstream file(segment(at), std::ios::binary | std::ios::in | std::ios::out);
      file.seekp(static_cast<std::streamoff>(at % size));
      file << std::string(count, with);
    };
    scribble(middle + 5 * 8192 + 100, 1, '\x55');
    expect_unknown("a changed byte");
    scribble(middle + 3 * 8192, 4 * 8192, '\0');
    expect_unknown("zeroed pages");
    scribble(truth.wal.end->end - truth.wal.end->end % 8192 - 2 * 8192 + 500, 1, '\x55');
    expect_unknown("a changed byte two pages before the end");
    fs::remove(segment(truth.control->redo));
    expect_unknown("no segment with the redo point");
    scribble(middle, 8192, '\0');
    expect_unknown("a zeroed first page of a segment");
    fs::resize_file(broken + "/global/pg_control", 100);
    expect_unknown("a short pg_control");
    fs::remove_all(broken + "/pg_wal");
    expect_unknown("no pg_wal");
    EXPECT_EQ(lsn_text(read_postgres_stored(broken).wal.end->end), lsn_text(truth.wal.end->end));
  }

  // Promoted, killed: the end is on the new timeline.
  ASSERT_EQ(lab.holdfast({"lab", "heal", "shop-postgres-1"}).exit_code, 0);
  standby = lab.member("shop-postgres-1");
  ask(standby, "SELECT pg_promote()");
  ask(standby, "INSERT INTO t (b) SELECT 'n' FROM generate_series(1, 1000) i");
  const std::string promoted = ask(standby, "SELECT pg_current_wal_flush_lsn()");
  ASSERT_EQ(lab.holdfast({"lab", "break", "kill", "shop-postgres-1"}).exit_code, 0);
  lagging = read_postgres_stored(standby_data);
  ASSERT_TRUE(lagging.wal.end) << lagging.wal.unknown;
  EXPECT_EQ(lagging.wal.end->timeline, 2u);
  EXPECT_GE(lagging.wal.end->end, lsn_of(promoted));
  ASSERT_EQ(lagging.histories.size(), 1u);
  EXPECT_EQ(waldump_end(standby_data, lagging.histories.begin()->second.entries[0].at.value, 2),
            lsn_text(lagging.wal.end->end));
  EXPECT_EQ(lagging.histories.begin()->second.entries[0].timeline, 1u);
  EXPECT_FALSE(lagging.standby_signal);
}

}  // namespace
}  // namespace holdfast::test

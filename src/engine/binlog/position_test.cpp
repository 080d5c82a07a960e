#include "engine/binlog/position.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>

#include "engine/binlog/transactions.h"
#include "tests/support/binlog_writer.h"

namespace holdfast::engine::binlog {
namespace {

namespace fs = std::filesystem;
using test::BinlogWriter;

class BinlogPositionTest : public ::testing::Test {
 protected:
  BinlogPositionTest() : dir_(std::move(*sys::TempDir::create("binlog-position"))) {}

  std::string path(const std::string& name) const { return dir_.path() + "/" + name; }
  void put(const std::string& name, const std::string& text) const {
    std::ofstream(path(name), std::ios::binary | std::ios::trunc) << text;
  }
  BinlogReading read(const std::string& base = {}) const {
    ReadOptions options;
    options.base = base;
    return read_binlog_position(dir_.path(), options);
  }
  /// binlog.000001 (0-1-1..3, rotated) and binlog.000002 (0-1-4..5), with an index.
  void two_files() const {
    BinlogWriter first(Flavour::mariadb, true, 0), second(Flavour::mariadb);
    first.mariadb_list({});
    for (uint64_t i = 1; i <= 3; ++i) first.mariadb_transaction(0, 1, i);
    first.rotate("binlog.000002");
    second.mariadb_list({{0, 1, 3}});
    for (uint64_t i = 4; i <= 5; ++i) second.mariadb_transaction(0, 1, i);
    put("binlog.000001", first.bytes());
    put("binlog.000002", second.bytes());
    put("binlog.index", "./binlog.000001\n./binlog.000002\n");
  }

  sys::TempDir dir_;
};

TEST_F(BinlogPositionTest, TheLastFileSaysItAll) {
  two_files();
  const auto reading = read();
  ASSERT_TRUE(reading.position) << reading.unknown;
  EXPECT_EQ(reading.position->text, "0-1-5");
  EXPECT_EQ(reading.position->file, path("binlog.000002"));
  EXPECT_EQ(reading.position->offset, fs::file_size(path("binlog.000002")));
  EXPECT_TRUE(reading.position->in_use);
  EXPECT_FALSE(reading.position->clean);
  ASSERT_TRUE(reading.purged);
  EXPECT_EQ(reading.purged->text, "");
}

TEST_F(BinlogPositionTest, WhatSpeaksAgainstItMakesItUnknownAndKeepsALowerBound) {
  two_files();
  put("binlog.000003", "");
  EXPECT_NE(read().unknown.find("not in the index"), std::string::npos) << read().unknown;
  fs::remove(path("binlog.000003"));
  ASSERT_TRUE(read().position);

  // A closed log without an end was cut.
  BinlogWriter cut(Flavour::mariadb, true, 0);
  cut.mariadb_list({{0, 1, 3}});
  cut.mariadb_transaction(0, 1, 4);
  put("binlog.000002", cut.bytes());
  EXPECT_FALSE(read().position);
  ASSERT_TRUE(read().at_least);
  EXPECT_EQ(read().at_least->text, "0-1-4");
  cut.stop();
  put("binlog.000002", cut.bytes());
  ASSERT_TRUE(read().position);
  EXPECT_TRUE(read().position->clean);

  // Damage in the middle.
  two_files();
  fs::resize_file(path("binlog.000002"), fs::file_size(path("binlog.000002")) + 5000);
  EXPECT_NE(read().unknown.find("zeros"), std::string::npos) << read().unknown;
  EXPECT_EQ(read().at_least->text, "0-1-5");

  // The newest file is gone, empty, or ends where another should begin.
  fs::remove(path("binlog.000002"));
  EXPECT_FALSE(read().position);
  put("binlog.000002", "");
  EXPECT_FALSE(read().position);
  EXPECT_EQ(read().at_least->text, "0-1-3");
  fs::remove(path("binlog.000002"));
  put("binlog.index", "./binlog.000001\n");
  EXPECT_NE(read().unknown.find("continues in binlog.000002"), std::string::npos) << read().unknown;
  fs::remove(path("binlog.index"));
  EXPECT_FALSE(read().position);
  EXPECT_FALSE(read().at_least);
}

TEST_F(BinlogPositionTest, KilledWhileItBeganAFile) {
  two_files();
  BinlogWriter second(Flavour::mariadb, true, 0), begun(Flavour::mariadb);
  second.mariadb_list({{0, 1, 3}});
  second.mariadb_transaction(0, 1, 4);
  second.rotate("binlog.000003");
  put("binlog.000002", second.bytes());
  put("binlog.000003", begun.bytes());
  put("binlog.index", "./binlog.000001\n./binlog.000002\n./binlog.000003\n");
  ASSERT_TRUE(read().position) << read().unknown;
  EXPECT_EQ(read().position->text, "0-1-4");
}

TEST_F(BinlogPositionTest, TheIndexIsReadAsTheServerDoes) {
  two_files();
  put("binlog.index", path("binlog.000001") + "\n" + path("binlog.000002") + "\n");
  EXPECT_EQ(read().position->text, "0-1-5");
  EXPECT_FALSE(read().files.relocated);
  // A copy of another server's directory: its own files count, never the other's.
  put("binlog.index", "/var/lib/elsewhere/binlog.000001\n/var/lib/elsewhere/binlog.000002\n");
  EXPECT_EQ(read().position->text, "0-1-5");
  EXPECT_TRUE(read().files.relocated);
  // Both are there, and differ.
  fs::create_directory(path("other"));
  fs::copy(path("binlog.000001"), path("other/binlog.000001"));
  fs::copy(path("binlog.000002"), path("other/binlog.000002"));
  put("binlog.index", path("other/binlog.000001") + "\n" + path("other/binlog.000002") + "\n");
  EXPECT_NE(read().unknown.find("different files"), std::string::npos) << read().unknown;
  ReadOptions moved;
  moved.moved = true;
  const auto copy = read_binlog_position(dir_.path(), moved);
  ASSERT_TRUE(copy.position) << copy.unknown;
  EXPECT_EQ(copy.position->file, path("binlog.000002"));
  fs::remove(path("binlog.000001"));
  fs::remove(path("binlog.000002"));
  EXPECT_EQ(read().position->file, path("other/binlog.000002"));
  fs::remove_all(path("other"));
  two_files();
  for (const char* bad : {"./binlog.000001\n./binlog.0000", "./binlog.000002\n./binlog.000001\n", "nonsense\n", ""}) {
    put("binlog.index", bad);
    EXPECT_FALSE(read().position) << bad;
    EXPECT_FALSE(read().unknown.empty()) << bad;
  }
  put("other.index", "./binlog.000001\n./binlog.000002\n");
  fs::remove(path("binlog.index"));
  EXPECT_EQ(read("other").position->text, "0-1-5");
  EXPECT_EQ(read(path("other.log")).position->text, "0-1-5") << "the server drops an extension";
  EXPECT_FALSE(read("binlog").position);
}

TEST_F(BinlogPositionTest, AFifoNeverBlocks) {
  two_files();
  fs::remove(path("binlog.000002"));
  ASSERT_EQ(::mkfifo(path("binlog.000002").c_str(), 0600), 0);
  EXPECT_NE(read().unknown.find("not a regular file"), std::string::npos) << read().unknown;
  fs::remove(path("binlog.index"));
  ASSERT_EQ(::mkfifo(path("binlog.index").c_str(), 0600), 0);
  EXPECT_FALSE(read().position);
}

TEST_F(BinlogPositionTest, AnEncryptedLogThatWasClosedLeavesItsStateFile) {
  for (const bool closed : {true, false}) {
    BinlogWriter log(Flavour::mariadb, true, closed ? 0 : kFlagInUse);
    log.event(kStartEncryption, std::string(17, 'k'));
    log.bytes() += "xxxxxxxxxxxxxxxxxxxxxxxxxxxxx";
    put("binlog.000001", log.bytes());
    put("binlog.index", "./binlog.000001\n");
    put("binlog.state", "0-1-8\n0-2-9\n");
    EXPECT_EQ(read().position.has_value(), closed) << read().unknown;
    if (closed) {
      EXPECT_EQ(read().position->text, "0-1-8,0-2-9");
    } else {
      EXPECT_NE(read().unknown.find("encrypted"), std::string::npos);
    }
  }
}

TEST_F(BinlogPositionTest, RelayLogsAreToldApart) {
  two_files();
  BinlogWriter relay(Flavour::mysql, true, kFlagRelayLog);
  relay.previous_gtids({{0x11, "", {{1, 3}}}});
  put("x-bin.000001", relay.bytes());
  put("x-bin.index", "./x-bin.000001\n");
  ASSERT_TRUE(read().position) << read().unknown;
  EXPECT_EQ(read().position->text, "0-1-5");
  const auto received = read_received(dir_.path());
  ASSERT_TRUE(received) << received.why();
  EXPECT_EQ(received->text, "11111111-1111-1111-1111-111111111111:1-3");
}

TEST_F(BinlogPositionTest, RelayLogsOfSeveralConnectionsAddUpAndNoneIsKnownToBeNone) {
  const auto none = read_received(dir_.path());
  ASSERT_TRUE(none) << none.why();
  EXPECT_EQ(none->text, "");
  put("relay-log.info", "5\n/elsewhere/relay.000001\n4\n");
  EXPECT_FALSE(read_received(dir_.path())) << "they are somewhere else";
  for (const uint32_t server : {1U, 7U}) {
    BinlogWriter relay(Flavour::mariadb, true, kFlagRelayLog);
    relay.mariadb_list({});
    relay.mariadb_transaction(0, server, 3 + server);
    const std::string name = "relay-c" + std::to_string(server);
    put(name + ".000001", relay.bytes());
    put(name + ".index", "./" + name + ".000001\n");
  }
  const auto both = read_received(dir_.path());
  ASSERT_TRUE(both) << both.why();
  EXPECT_EQ(both->text, "0-1-4,0-7-10");
  put("relay-c7.000001", "noise that is no log at all, and long enough to be one");
  EXPECT_FALSE(read_received(dir_.path())) << "damaged is unknown, not absent";
  fs::remove(path("relay-c7.000001"));
  EXPECT_FALSE(read_received(dir_.path()));
}

TEST_F(BinlogPositionTest, RelayLogsElsewhereAreReadAndAnEmptyFolderIsNoProof) {
  const std::string data = path("data"), logs = path("logs");
  fs::create_directories(data);
  ReadOptions options;
  options.base = logs + "/relay";
  EXPECT_FALSE(read_received(data, options)) << "the folder is not there";
  fs::create_directories(logs);
  EXPECT_FALSE(read_received(data, options)) << "its volume may not be mounted";
  put("logs/error.log", "of the server");
  const auto none = read_received(data, options);
  ASSERT_TRUE(none) << none.why();
  EXPECT_EQ(none->text, "");
  put("data/relay-log.info", "5\n/elsewhere/relay.000001\n4\n");
  EXPECT_FALSE(read_received(data, options));
  for (const uint32_t server : {1U, 7U}) {
    BinlogWriter relay(Flavour::mariadb, true, kFlagRelayLog);
    relay.mariadb_list({});
    relay.mariadb_transaction(0, server, 3 + server);
    const std::string name = server == 1 ? "relay" : "relay-reports";  // the second of a named connection
    put("logs/" + name + ".000001", relay.bytes());
    put("logs/" + name + ".index", logs + "/" + name + ".000001\n");
  }
  const auto both = read_received(data, options);
  ASSERT_TRUE(both) << both.why();
  EXPECT_EQ(both->text, "0-7-10,0-1-4");
}

TEST_F(BinlogPositionTest, TransactionsAreFoundAndClassified) {
  BinlogWriter first(Flavour::mysql, true, 0), second(Flavour::mysql);
  first.previous_gtids({});
  first.mysql_transaction(0x11, 1);
  first.mysql_gtid(0x11, 2);
  first.query("CREATE USER 'a' IDENTIFIED BY 'secret'");
  first.mysql_gtid(0x11, 3);
  first.query("/* why */ alter TABLE t ADD c int");
  first.rotate("binlog.000002");
  second.previous_gtids({{0x11, "", {{1, 3}}}});
  second.mysql_gtid(0x11, 4);
  second.query("BEGIN");
  second.table_map("holdfast", "heartbeat");
  second.rows();
  second.xid();
  second.mysql_gtid(0x11, 5);
  second.query("BEGIN");
  second.query("COMMIT");
  second.mysql_gtid(0x11, 6);
  second.query("BEGIN");
  second.query("insert into t values (1)");
  second.xid();
  put("binlog.000001", first.bytes());
  put("binlog.000002", second.bytes());
  put("binlog.index", "binlog.000001\nbinlog.000002\n");
  WantedGtids wanted;
  MysqlSource source;
  source.uuid.fill(0x11);
  wanted.mysql = {{source, 1, 6}, {source, 90, 91}};
  const auto list = find_transactions(dir_.path(), wanted);
  EXPECT_EQ(list.unknown, "");
  ASSERT_EQ(list.found.size(), 6u);
  const TransactionKind kinds[] = {TransactionKind::rows, TransactionKind::account, TransactionKind::ddl,
                                   TransactionKind::rows, TransactionKind::empty,   TransactionKind::statement};
  for (size_t i = 0; i < 6; ++i) EXPECT_EQ(list.found[i].kind, kinds[i]) << list.found[i].gtid;
  EXPECT_EQ(list.found[0].tables, std::set<std::string>{"shop.orders"});
  EXPECT_FALSE(changes_only(list.found[0], {"holdfast.heartbeat"}));
  EXPECT_TRUE(changes_only(list.found[3], {"holdfast.heartbeat"}));
  EXPECT_EQ(list.found[1].verbs, std::set<std::string>{"CREATE USER"}) << "no more of a statement than that";
  EXPECT_EQ(list.found[3].offset, list.found[4].offset - list.found[3].size());
  ASSERT_EQ(list.missing.mysql.size(), 1u);
  EXPECT_EQ(list.missing.mysql[0].first, 90u);
  EXPECT_TRUE(find_transactions(dir_.path(), wanted, {}, 2).cut_short);
}

TEST_F(BinlogPositionTest, RangesFindWhatReallyExists) {
  BinlogWriter first(Flavour::mariadb, true, 0), second(Flavour::mariadb, true, 0), third(Flavour::mariadb);
  first.mariadb_list({});
  first.mariadb_transaction(0, 1, 1);
  first.mariadb_transaction(0, 2, 2);
  first.rotate("binlog.000002");
  second.mariadb_list({{0, 1, 1}, {0, 2, 2}});
  second.mariadb_transaction(0, 2, 3);
  second.mariadb_transaction(0, 1, 4);
  second.rotate("binlog.000003");
  third.mariadb_list({{0, 2, 3}, {0, 1, 4}});
  third.mariadb_transaction(0, 2, 9);
  put("binlog.000001", first.bytes());
  put("binlog.000002", second.bytes());
  put("binlog.000003", third.bytes());
  put("binlog.index", "./binlog.000001\n./binlog.000002\n./binlog.000003\n");
  WantedGtids wanted;
  wanted.ranges = {{0, 2, 0, 9}};
  auto list = find_transactions(dir_.path(), wanted);
  EXPECT_EQ(list.unknown, "");
  EXPECT_EQ(list.matched, 3u) << "0-2-2, 0-2-3 and 0-2-9, not nine";
  EXPECT_EQ(list.found[0].gtid, "0-2-2");
  EXPECT_EQ(list.found[2].gtid, "0-2-9");
  EXPECT_TRUE(list.missing.empty());
  wanted.ranges = {{0, 2, 3, 9}};
  EXPECT_EQ(find_transactions(dir_.path(), wanted).matched, 1u);
  // The state says there was a 10 (received, not logged): one that is not here must not pass for a gap.
  wanted.ranges = {{0, 2, 3, 10}};
  list = find_transactions(dir_.path(), wanted);
  ASSERT_EQ(list.missing.ranges.size(), 1u);
  EXPECT_EQ(list.missing.ranges[0], (MariadbRange{0, 2, 9, 10}));
  // The oldest is purged: what it held is not known.
  fs::remove(path("binlog.000001"));
  put("binlog.index", "./binlog.000002\n./binlog.000003\n");
  wanted.ranges = {{0, 2, 0, 9}};
  list = find_transactions(dir_.path(), wanted);
  EXPECT_EQ(list.matched, 2u);
  ASSERT_EQ(list.missing.ranges.size(), 1u);
  EXPECT_EQ(list.missing.ranges[0], (MariadbRange{0, 2, 0, 2}));
}

TEST(ChangesOnly, PatternsOfHeartbeatTables) {
  LoggedTransaction t;
  t.kind = TransactionKind::rows;
  t.tables = {"a.heartbeat"};
  EXPECT_TRUE(changes_only(t, {"*.heartbeat"}));
  EXPECT_FALSE(changes_only(t, {"b.heartbeat"}));
  t.tables = {"a.heartbeat", "a.orders"};
  EXPECT_FALSE(changes_only(t, {"*.heartbeat"}));
  t.tables = {"a.my_heartbeat"};
  EXPECT_FALSE(changes_only(t, {"*.heartbeat"}));
  t.tables.clear();
  EXPECT_FALSE(changes_only(t, {"*.heartbeat"})) << "rows of nobody knows which table";
}

TEST(StatementVerb, FirstWordsAndTheirKinds) {
  const auto kind = [](std::string_view text) { return kind_of_verb(statement_verb(text)); };
  EXPECT_EQ(statement_verb("create or replace definer=`a b`@`%` procedure p() select 1"), "CREATE PROCEDURE");
  EXPECT_EQ(statement_verb("CREATE OR REPLACE USER u"), "CREATE USER");
  EXPECT_EQ(kind("DROP ROLE r"), TransactionKind::account);
  EXPECT_EQ(kind("GRANT SELECT ON *.* TO u"), TransactionKind::account);
  EXPECT_EQ(kind("SET PASSWORD FOR u = 'x'"), TransactionKind::account);
  EXPECT_EQ(kind("FLUSH PRIVILEGES"), TransactionKind::account);
  EXPECT_EQ(kind("DROP TABLE IF EXISTS `user`"), TransactionKind::ddl);
  EXPECT_EQ(kind("/*!40000 ALTER TABLE t DISABLE KEYS */"), TransactionKind::ddl);
  EXPECT_EQ(kind("-- a comment\nTRUNCATE t"), TransactionKind::ddl);
  EXPECT_EQ(kind("XA COMMIT 'x'"), TransactionKind::statement);
  EXPECT_EQ(kind("SAVEPOINT a"), TransactionKind::empty);
  EXPECT_EQ(kind("gibberish"), TransactionKind::unknown);
  EXPECT_EQ(kind(""), TransactionKind::unknown);
}

}  // namespace
}  // namespace holdfast::engine::binlog

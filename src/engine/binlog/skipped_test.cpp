// What a replica's log passes over, in logs written byte by byte.
#include "engine/binlog/skipped.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "tests/support/binlog_writer.h"

namespace holdfast::engine::binlog {
namespace {

namespace fs = std::filesystem;
using test::BinlogWriter;

class Skipped : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string name = (fs::temp_directory_path() / "holdfast-skipped-XXXXXX").string();
    ASSERT_NE(::mkdtemp(name.data()), nullptr);
    dir_ = name;
  }
  void TearDown() override { fs::remove_all(dir_); }

  void put(const std::string& file, const std::string& bytes) {
    std::ofstream(dir_ + "/" + file, std::ios::binary) << bytes;
    std::ofstream(dir_ + "/binlog.index", std::ios::app) << "./" << file << "\n";
  }
  SkippedList find(uint64_t most = 1 << 30) { return find_skipped(dir_, most); }

  std::string dir_;
};

constexpr const char* kA = "0a0a0a0a-0a0a-0a0a-0a0a-0a0a0a0a0a0a";

TEST_F(Skipped, OnlyAFrameIsEmpty) {
  BinlogWriter log(Flavour::mysql);
  log.previous_gtids({});
  log.mysql_transaction(10, 1);
  for (uint64_t number : {2, 3}) {  // injected
    log.mysql_gtid(10, number);
    log.query("BEGIN");
    log.query("COMMIT");
  }
  log.mysql_gtid(10, 4);  // DDL: one statement
  log.query("CREATE TABLE t (a INT)");
  log.mysql_gtid(10, 5);  // by statement
  log.query("BEGIN");
  log.query("INSERT INTO t VALUES (1)");
  log.xid();
  log.mysql_gtid(10, 6);
  log.query("BEGIN");
  log.xid();
  put("binlog.000001", log.bytes());
  const auto list = find();
  EXPECT_EQ(list.unknown, "");
  EXPECT_EQ(list.transactions, std::string(kA) + ":2-3," + kA + ":6");
}

TEST_F(Skipped, NumbersThatAreLeftOut) {
  BinlogWriter first(Flavour::mariadb);
  first.mariadb_list({});
  first.mariadb_transaction(0, 1, 1);
  first.mariadb_transaction(0, 1, 3);
  first.mariadb_transaction(7, 2, 100);  // another domain counts for itself
  first.rotate("binlog.000002");
  put("binlog.000001", first.bytes());
  BinlogWriter second(Flavour::mariadb);
  second.mariadb_list({{0, 1, 3}, {7, 2, 100}});
  second.mariadb_transaction(0, 1, 7);
  second.mariadb_transaction(7, 2, 101);
  second.mariadb_transaction(0, 1, 10);
  put("binlog.000002", second.bytes());
  // Between the files it may have been started anew, and until then not have logged what it applied.
  EXPECT_EQ(find().transactions, "0-1-2,0-1-8..0-1-9");
  // Of the newest file alone the first number tells nothing.
  const auto newest = find(1);
  EXPECT_EQ(newest.transactions, "0-1-8..0-1-9");
  EXPECT_NE(newest.unknown.find("only the newest"), std::string::npos) << newest.unknown;
}

TEST_F(Skipped, NoLogIsNotKnown) {
  EXPECT_NE(find().unknown, "");
}

}  // namespace
}  // namespace holdfast::engine::binlog

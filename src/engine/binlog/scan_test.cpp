#include "engine/binlog/scan.h"

#include <gtest/gtest.h>

#include <map>

#include "tests/support/binlog_writer.h"

namespace holdfast::engine::binlog {
namespace {

using test::BinlogWriter;
using End = Scan::End;

Scan scan_text(const std::string& bytes, const ScanOptions& options = {}) {
  MemorySource source(as_bytes(bytes));
  return scan_log(source, options);
}

std::string uuid_of(char digit) {
  const std::string d(1, digit);
  std::string text;
  for (const int count : {8, 4, 4, 4, 12}) text += (text.empty() ? "" : "-") + std::string(count, digit);
  return text;
}

BinlogWriter mariadb_log(bool checksums = true) {
  BinlogWriter log(Flavour::mariadb, checksums);
  log.mariadb_list({{0, 1, 4}, {0, 2, 9}, {3, 1, 1}});
  log.event(kBinlogCheckpoint, BinlogWriter::number(13, 4) + "binlog.000001");
  return log;
}

TEST(BinlogScan, MariadbStateIsTheListAndTheTransactions) {
  auto log = mariadb_log();
  log.mariadb_transaction(0, 1, 10);
  log.mariadb_gtid(0, 1, 11, 1);
  log.query("CREATE TABLE a (b int)");
  const Scan scan = scan_text(log.bytes());
  ASSERT_EQ(scan.trouble, "");
  EXPECT_EQ(scan.end, End::open);
  EXPECT_TRUE(scan.in_use);
  EXPECT_EQ(scan.format->flavour, Flavour::mariadb);
  EXPECT_EQ(scan.at_start.text(), "0-1-4,0-2-9,3-1-1");
  EXPECT_EQ(scan.at_start.position_text(), "0-2-9,3-1-1");
  EXPECT_EQ(scan.added.text(), "0-1-11");
  EXPECT_EQ(scan.groups, 2u);
  EXPECT_EQ(scan.valid_end, log.size());
  EXPECT_EQ(scan.last_group->start.to_string(), "0-1-11");
}

TEST(BinlogScan, MysqlSetsWithTagsAndAnonymousOnes) {
  BinlogWriter log(Flavour::mysql);
  log.previous_gtids({{0x11, "", {{1, 5}, {8, 8}}}, {0x11, "blue", {{1, 2}}}}, true);
  log.mysql_transaction(0x11, 6);
  log.mysql_transaction(0x11, 7);
  log.tagged_gtid(0x11, "blue", 3);
  log.query("DROP TABLE a");
  log.event(kAnonymousGtid, std::string(42, '\0'));
  log.query("BEGIN");
  log.query("COMMIT");
  const Scan scan = scan_text(log.bytes());
  ASSERT_EQ(scan.trouble, "");
  EXPECT_EQ(scan.at_start.text(), uuid_of('1') + ":1-5:8:blue:1-2");
  EXPECT_EQ(scan.added.text(), uuid_of('1') + ":6-7:blue:3");
  EXPECT_EQ(scan.anonymous, 1u);
  Gtids all = scan.at_start;
  for (const auto& interval : scan.added.mysql()) all.add(interval);
  EXPECT_EQ(all.text(), uuid_of('1') + ":1-8:blue:1-3");
}

/// What a killed server leaves: every prefix is the position of the last transaction that is whole, or unknown.
TEST(BinlogScan, EveryPrefixGivesTheLastWholeTransactionOrNothing) {
  for (const bool checksums : {true, false}) {
    auto log = mariadb_log(checksums);
    const uint64_t list_end = log.size();
    std::map<uint64_t, std::string> state_at = {{list_end, ""}};
    for (uint64_t i = 1; i <= 3; ++i) {
      log.mariadb_transaction(0, 1, 9 + i);
      state_at[log.size()] = "0-1-" + std::to_string(9 + i);
    }
    for (size_t size = 0; size <= log.size(); ++size) {
      const Scan scan = scan_text(log.bytes().substr(0, size));
      if (scan.trouble.empty() && scan.has_list) {
        if (size < list_end) continue;  // the list is whole, the checkpoint event is not
        const auto expected = std::prev(state_at.upper_bound(size));
        EXPECT_EQ(scan.added.text(), expected->second) << size;
        EXPECT_EQ(scan.valid_end, expected->first) << size;
        EXPECT_EQ(scan.tail.empty(), size == expected->first || scan.end == End::open) << size << scan.tail;
      } else {
        EXPECT_LT(size, list_end) << scan.trouble;
      }
    }
  }
}

/// No flipped bit gives another position than the true one: it is trouble, or it is where nothing depends on it.
TEST(BinlogScan, NoFlippedBitChangesThePosition) {
  for (const auto flavour : {Flavour::mariadb, Flavour::mysql}) {
    BinlogWriter log(flavour);
    if (flavour == Flavour::mariadb) {
      log.mariadb_list({{0, 1, 4}});
      for (uint64_t i = 5; i < 8; ++i) log.mariadb_transaction(0, 1, i);
    } else {
      log.previous_gtids({{0x22, "", {{1, 4}}}});
      for (uint64_t i = 5; i < 8; ++i) log.mysql_transaction(0x22, i);
    }
    const Scan truth = scan_text(log.bytes());
    ASSERT_EQ(truth.trouble, "");
    size_t unnoticed = 0;
    for (size_t at = 0; at < log.size(); ++at) {
      for (int bit = 0; bit < 8; ++bit) {
        std::string broken = log.bytes();
        broken[at] = static_cast<char>(broken[at] ^ (1 << bit));
        const Scan scan = scan_text(broken);
        if (!scan.trouble.empty()) continue;
        ++unnoticed;
        EXPECT_EQ(scan.added.text(), truth.added.text()) << "byte " << at << " bit " << bit;
        EXPECT_EQ(scan.at_start.text(), truth.at_start.text()) << "byte " << at << " bit " << bit;
        EXPECT_EQ(scan.groups, truth.groups) << "byte " << at << " bit " << bit;
      }
    }
    EXPECT_GT(unnoticed, 0u) << "bodies of earlier transactions are not read";
    EXPECT_LT(unnoticed, log.size() * 4);
  }
}

TEST(BinlogScan, ZerosNoiseAndMissingMiddlesAreTrouble) {
  auto log = mariadb_log();
  log.mariadb_transaction(0, 1, 10);
  const size_t cut = log.size();
  log.mariadb_transaction(0, 1, 11);
  log.mariadb_transaction(0, 1, 12);
  const std::string good = log.bytes();

  std::string zeros = good.substr(0, cut) + std::string(1000, '\0');
  EXPECT_NE(scan_text(zeros).trouble, "");
  std::string zeroed_middle = good;
  for (size_t i = cut; i < cut + 40; ++i) zeroed_middle[i] = 0;
  EXPECT_NE(scan_text(zeroed_middle).trouble, "");
  std::string noise = good.substr(0, cut) + std::string(300, 'n');
  EXPECT_NE(scan_text(noise).trouble, "") << "noise whose length field is too large for the file is no partial event";
  EXPECT_NE(scan_text(good.substr(0, cut) + good.substr(cut + 7)).trouble, "");
  EXPECT_EQ(scan_text(good.substr(0, cut)).trouble, "");
  EXPECT_EQ(scan_text(zeros).added.text(), "0-1-10") << "what was read before the trouble stays";
}

TEST(BinlogScan, ClosedAndRotatedLogsAndWhatFollowsThem) {
  auto log = mariadb_log();
  log.mariadb_transaction(0, 1, 10);
  auto stopped = log, rotated = log;
  stopped.stop();
  rotated.rotate("binlog.000002");
  EXPECT_EQ(scan_text(stopped.bytes()).end, End::closed);
  const Scan scan = scan_text(rotated.bytes());
  EXPECT_EQ(scan.end, End::rotated);
  EXPECT_EQ(scan.next_file, "binlog.000002");
  stopped.mariadb_transaction(0, 1, 11);
  EXPECT_NE(scan_text(stopped.bytes()).trouble, "") << "events behind the last one";
}

TEST(BinlogScan, EncryptedLogsAreNamed) {
  BinlogWriter log(Flavour::mariadb);
  log.event(kStartEncryption, std::string(17, 'k'));
  EXPECT_TRUE(scan_text(log.bytes()).encrypted);
  EXPECT_NE(scan_text(log.bytes()).trouble, "");
  const Scan mysql = scan_text(
      "\xfd"
      "bin" +
      std::string(508, 'x'));
  EXPECT_TRUE(mysql.encrypted);
  EXPECT_FALSE(mysql.has_list);
}

TEST(BinlogScan, GrammarIsHeld) {
  auto no_gtid = mariadb_log();
  no_gtid.query("BEGIN");
  EXPECT_NE(scan_text(no_gtid.bytes()).trouble, "");
  auto no_end = mariadb_log();
  no_end.mariadb_gtid(0, 1, 10);
  no_end.mariadb_transaction(0, 1, 11);
  EXPECT_NE(scan_text(no_end.bytes()).trouble, "");
}

TEST(BinlogScan, ALargeTransactionIsSkippedNotRead) {
  auto log = mariadb_log();
  log.mariadb_transaction(0, 1, 10, 8 << 20);
  log.mariadb_transaction(0, 1, 11);
  class Counting : public Source {
   public:
    explicit Counting(ByteSpan bytes) : inner_(bytes) {}
    uint64_t size() const override { return inner_.size(); }
    Result<size_t> read(uint64_t at, MutableByteSpan into) override {
      total += into.size();
      return inner_.read(at, into);
    }
    size_t total = 0;

   private:
    MemorySource inner_;
  } source(as_bytes(log.bytes()));
  const Scan scan = scan_log(source);
  EXPECT_EQ(scan.added.text(), "0-1-11");
  EXPECT_LT(source.total, 4u << 20);
}

TEST(BinlogScan, StartOnlyStopsAtTheList) {
  auto log = mariadb_log();
  log.mariadb_transaction(0, 1, 10);
  ScanOptions options;
  options.start_only = true;
  const Scan scan = scan_text(log.bytes(), options);
  EXPECT_EQ(scan.end, End::start_only);
  EXPECT_EQ(scan.at_start.text(), "0-1-4,0-2-9,3-1-1");
  EXPECT_TRUE(scan.added.empty());
}

TEST(BinlogScan, ARelayLogTakesTheSourcesFormatAndDropsHalves) {
  BinlogWriter log(Flavour::mysql, true, kFlagRelayLog);
  log.previous_gtids({{0x11, "", {{1, 3}}}});
  BinlogWriter source(Flavour::mysql);
  source.previous_gtids({});
  std::string bytes = log.bytes() + source.bytes().substr(4);
  BinlogWriter more(Flavour::mysql);
  const size_t head = more.size();
  more.mysql_transaction(0x11, 4);
  more.mysql_gtid(0x11, 5);
  more.query("BEGIN");
  more.rotate("binlog.000009");  // a reconnect
  more.mysql_transaction(0x11, 5);
  bytes += more.bytes().substr(head);
  ScanOptions options;
  options.relay = true;
  const Scan scan = scan_text(bytes, options);
  EXPECT_EQ(scan.trouble, "");
  EXPECT_TRUE(scan.relay_log);
  EXPECT_EQ(scan.at_start.text(), uuid_of('1') + ":1-3");
  EXPECT_EQ(scan.added.text(), uuid_of('1') + ":4-5");
  EXPECT_EQ(scan.groups, 2u);
}

TEST(Gtids, IntervalsJoinInAnyOrder) {
  Gtids gtids;
  MysqlSource source;
  for (const auto& [first, last] :
       std::vector<std::pair<uint64_t, uint64_t>>{{5, 6}, {1, 2}, {9, 9}, {3, 3}, {7, 8}, {4, 4}, {2, 7}})
    gtids.add(MysqlInterval{source, first, last});
  ASSERT_EQ(gtids.mysql().size(), 1u);
  EXPECT_EQ(gtids.mysql()[0].first, 1u);
  EXPECT_EQ(gtids.mysql()[0].last, 9u);
  EXPECT_TRUE(gtids.contains({source, 9}));
  EXPECT_FALSE(gtids.contains({source, 10}));
}

TEST(Event, VariableLengthNumbersOfMysqlsSerialisation) {
  const auto read = [](std::vector<uint8_t> bytes) {
    Reader reader{ByteSpan(bytes)};
    const uint64_t value = reader.variable();
    EXPECT_TRUE(reader.ok());
    EXPECT_EQ(reader.left(), 0u);
    return value;
  };
  EXPECT_EQ(read({0x00}), 0u);
  EXPECT_EQ(read({0xfe}), 127u);
  EXPECT_EQ(read({0x31, 0x02}), 0x8cu);
  EXPECT_EQ(read({0xff, 1, 2, 3, 4, 5, 6, 7, 8}), 0x0807060504030201u);
  EXPECT_EQ(read({0x7f, 1, 0, 0, 0, 0, 0, 0}), 1u);
}

}  // namespace
}  // namespace holdfast::engine::binlog

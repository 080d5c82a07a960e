// Errant transactions with their bytes: what is read of a log, what files come of it, and what is not believed.
#include "engine/errant_log.h"

#include <gtest/gtest.h>

#include <utility>
#include <variant>

#include "engine/adoptable.h"
#include "engine/altered.h"
#include "sys/file.h"
#include "tests/support/binlog_writer.h"

namespace holdfast::engine {
namespace {

using codec::Value;
using test::BinlogWriter;

const std::string kUuid = "11111111-1111-1111-1111-111111111111";

std::string id_of(const auto& result) {
  return result ? "" : result.error().id;
}
std::string text_of(const std::string& path) {
  const auto bytes = sys::read_file(path);
  return bytes ? std::string(as_text(bytes->span())) : bytes.error().id;
}

/// A MySQL member's directory with the binary logs it is given.
class Member {
 public:
  Member() : dir_(std::move(*sys::TempDir::create("member"))) {}
  std::string log(const BinlogWriter& log) {
    const std::string name = "binlog.00000" + std::to_string(++count_);
    index_ += "./" + name + "\n";
    EXPECT_TRUE(sys::publish_file(dir_.path() + "/" + name, as_bytes(log.bytes()), 0600));
    EXPECT_TRUE(sys::publish_file(dir_.path() + "/binlog.index", as_bytes(index_), 0600));
    return dir_.path() + "/" + name;
  }
  ErrantSearch search(const std::string& numbers) const {
    ErrantSearch search;
    search.engine = cluster::Engine::mysql;
    search.data_dir = dir_.path();
    search.transactions = kUuid + ":" + numbers;
    return search;
  }

 private:
  sys::TempDir dir_;
  std::string index_;
  int count_ = 0;
};

struct Files {
  explicit Files(cluster::Engine engine = cluster::Engine::mysql, ErrantLogFiles::Limits limits = {100, 100, 1 << 20})
      : files(engine, dir.path(), limits) {}
  const sys::TempDir dir = std::move(*sys::TempDir::create("received"));
  ErrantLogFiles files;
};

Value transaction(uint64_t offset, uint64_t end) {
  return Value::object({{"id", kUuid + ":1"}, {"offset", offset}, {"end", end}});
}
Value piece(uint64_t head, uint64_t offset, uint64_t end) {
  return Value::object(
      {{"file", "/data/binlog.000001"}, {"head", head}, {"transactions", Value::list({transaction(offset, end)})}});
}

TEST(ErrantLog, ALogOfNothingButTheWantedTransactions) {
  Member member;
  BinlogWriter first(BinlogWriter::Flavour::mysql);
  const std::string head = first.bytes();
  first.previous_gtids({});
  first.mysql_transaction(0x11, 1);
  const uint64_t from = first.size();
  first.mysql_transaction(0x11, 2, 3 << 20);
  const std::string second_one = first.bytes().substr(from);
  first.rotate("binlog.000002");
  const auto path = member.log(first);
  BinlogWriter last(BinlogWriter::Flavour::mysql);
  last.previous_gtids({{0x11, "", {{1, 2}}}});
  last.mysql_transaction(0x11, 3);
  last.mysql_transaction(0x11, 4);
  member.log(last);

  Files into(cluster::Engine::mysql, {.most = 100, .most_records = 0});
  const auto result = read_errant_log(member.search("2:4"), {}, into.files);
  ASSERT_TRUE(result) << result.error().to_string();
  const auto log = std::move(into.files).finish(*result);
  ASSERT_TRUE(log) << log.error().to_string();
  EXPECT_EQ(log->list.errant.unseen, "");
  ASSERT_EQ(log->list.list.size(), 2u);
  EXPECT_EQ(log->list.list[0].id, kUuid + ":2");
  EXPECT_EQ(log->list.list[0].file, path);
  EXPECT_EQ(log->list.list[0].offset, from);
  EXPECT_EQ(log->list.list[0].tables, std::vector<std::string>{"shop.orders"});
  ASSERT_EQ(log->pieces.size(), 2u);
  EXPECT_FALSE(log->pieces[0].received);
  EXPECT_EQ(log->pieces[0].at, std::vector<uint64_t>{head.size()});
  EXPECT_EQ(text_of(log->pieces[0].path), head + second_one);
  // Its rows are not for reading here: what adopting makes of them is seen with servers.
  EXPECT_EQ(id_of(read_adoptable(*log, kUuid + ":2:4")), "adopt.unfit");
}

TEST(ErrantLog, TablesThatWereAlteredAfterwards) {
  const auto said = [](const std::string& statement, bool in_the_next_log) {
    Member member;
    BinlogWriter log(BinlogWriter::Flavour::mysql);
    log.previous_gtids({});
    log.mysql_gtid(0x11, 1);
    log.query("ALTER TABLE orders ADD before_it INT");
    log.mysql_transaction(0x11, 2);
    if (in_the_next_log) {
      log.rotate("binlog.000002");
      member.log(std::exchange(log, BinlogWriter(BinlogWriter::Flavour::mysql)));
      log.previous_gtids({{0x11, "", {{1, 2}}}});
    }
    log.mysql_gtid(0x11, 3);
    log.query(statement);
    member.log(log);
    const auto search = member.search("2");
    const auto altered = altered_afterwards(search, find_errant(search).list);
    return altered ? *altered : altered.error().to_string();
  };
  for (const bool next : {false, true}) {
    EXPECT_EQ(said("ALTER TABLE `Orders` DROP n", next), "shop.orders was altered after it (ALTER TABLE)");
    EXPECT_EQ(said("ALTER TABLE people DROP n", next), "");
    EXPECT_EQ(said("INSERT INTO orders VALUES (1)", next), "");
    // Too long to be looked at whole: it may name any table.
    EXPECT_NE(said("ALTER TABLE people COMMENT '" + std::string(2 << 20, 'x') + "'", next), "");
  }
}

/// What is sent is not believed.
TEST(ErrantLogFiles, HoldWhatWasAnnouncedAndNothingElse) {
  const auto after = [](cluster::Engine engine, const std::vector<std::variant<Value, std::string>>& sent) {
    Files into(engine, {.most = 2, .most_records = 2, .most_bytes = 100});
    for (const auto& one : sent) {
      const auto* bytes = std::get_if<std::string>(&one);
      const auto taken = bytes ? into.files.bytes(as_bytes(*bytes)) : into.files.item(std::get<Value>(one));
      if (!taken) return taken.error().id;
    }
    return id_of(std::move(into.files).finish(Value::object()));
  };
  using enum cluster::Engine;
  const std::string five = "12345";
  EXPECT_EQ(after(mysql, {}), "");
  EXPECT_EQ(after(mysql, {piece(2, 10, 13), five}), "");
  EXPECT_EQ(after(mysql, {piece(2, 10, 13), std::string("12"), std::string("345")}), "");
  EXPECT_EQ(after(mysql, {piece(2, 10, 12), five}), "divergence.log") << "more than was announced";
  EXPECT_EQ(after(mysql, {piece(2, 10, 14), five}), "divergence.log") << "less";
  EXPECT_EQ(after(mysql, {piece(2, 10, 14), five, piece(2, 10, 14)}), "divergence.log");
  EXPECT_EQ(after(mysql, {five}), "divergence.log") << "bytes of nothing";
  EXPECT_EQ(after(mysql, {piece(2, 13, 10)}), "divergence.log") << "an end before its beginning";
  EXPECT_EQ(after(mysql, {Value::object({{"transactions", Value::list({transaction(1, 2)})}})}), "divergence.log");
  EXPECT_EQ(after(mysql, {piece(0, 0, 90), std::string(90, 'x'), piece(0, 0, 11)}), "adopt.unfit");
  EXPECT_EQ(after(mysql, {piece(0, 0, 0), piece(0, 0, 0), piece(0, 0, 0)}), "divergence.log") << "too many";
  const auto segment = [](const std::string& name) { return Value::object({{"segment", name}}); };
  EXPECT_EQ(after(postgres, {segment("000000010000000000000002"), five, segment("00000002.history"), five}), "");
  for (const char* name :
       {"../x", "", ".", "/etc/passwd", "00000001000000000000000a", "000000010000000000000002.partial"})
    EXPECT_EQ(after(postgres, {segment(name)}), "divergence.log") << name;
  EXPECT_NE(after(postgres, {segment("00000002.history"), segment("00000002.history")}), "") << "twice";
  EXPECT_EQ(after(postgres, {Value::object({{"records", Value::list({1, 2, 3})}})}), "divergence.log");
}

}  // namespace
}  // namespace holdfast::engine

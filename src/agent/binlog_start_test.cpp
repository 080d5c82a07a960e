#include "agent/binlog_start.h"

#include <gtest/gtest.h>

#include <fstream>

#include "engine/binlog/position.h"
#include "sys/file.h"
#include "tests/support/binlog_writer.h"

namespace holdfast::agent {
namespace {

using engine::binlog::Flavour;
using position::GtidSet;
using test::BinlogWriter;

constexpr const char* kSet =
    "11111111-1111-1111-1111-111111111111:1-20537:20540,22222222-2222-2222-2222-222222222222:7";

class BinlogStart : public ::testing::Test {
 protected:
  BinlogStart() : dir_(std::move(*sys::TempDir::create("binlog-start"))) {}

  void put(const std::string& body) const {
    std::ofstream(dir_.path() + "/binlog.000001", std::ios::binary | std::ios::trunc) << body;
    std::ofstream(dir_.path() + "/binlog.index", std::ios::trunc) << "./binlog.000001\n";
  }
  std::string file() const { return std::string(as_text(sys::read_file(dir_.path() + "/binlog.000001")->span())); }
  bool begin(const char* set = kSet) const {
    const auto done = begin_binlog_behind(dir_.path() + "/binlog.000001", *GtidSet::parse(set));
    EXPECT_TRUE(done);
    return done && *done;
  }

  sys::TempDir dir_;
};

TEST_F(BinlogStart, TheCopyTellsItsPositionWithoutAServer) {
  for (const bool checked : {true, false}) {
    SCOPED_TRACE(checked);
    BinlogWriter log(Flavour::mysql, checked);
    log.previous_gtids({});
    put(log.bytes());
    ASSERT_TRUE(begin());
    const auto reading = engine::binlog::read_binlog_position(dir_.path());
    ASSERT_TRUE(reading.position) << reading.unknown;
    EXPECT_EQ(GtidSet::parse(reading.position->text)->to_string(","), kSet);
    ASSERT_TRUE(reading.purged) << reading.purged_unknown;
    EXPECT_EQ(GtidSet::parse(reading.purged->text)->to_string(","), kSet);
    EXPECT_FALSE(begin()) << "it says so already";
  }
}

TEST_F(BinlogStart, AnythingElseIsLeftAlone) {
  BinlogWriter log(Flavour::mysql, true);
  log.previous_gtids({});
  const std::string empty = log.bytes();
  put(empty);
  EXPECT_FALSE(begin(""));
  EXPECT_FALSE(begin("11111111-1111-1111-1111-111111111111:blue:1-3")) << "tags";
  EXPECT_EQ(file(), empty);

  for (size_t length = 0; length < empty.size(); ++length) {
    put(empty.substr(0, length));
    EXPECT_FALSE(begin()) << length;
    EXPECT_EQ(file().size(), length);
  }
  log.rotate("binlog.000002");
  put(log.bytes());
  EXPECT_FALSE(begin()) << "something is behind the list";
  EXPECT_EQ(file(), log.bytes());
  BinlogWriter mariadb(Flavour::mariadb, true);
  mariadb.mariadb_list({});
  put(mariadb.bytes());
  EXPECT_FALSE(begin());
  EXPECT_EQ(file(), mariadb.bytes());
}

}  // namespace
}  // namespace holdfast::agent

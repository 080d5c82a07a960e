#include "agent/page_watch.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "sys/file.h"
#include "sys/process.h"
#include "tests/support/page_writer.h"

namespace holdfast::agent {
namespace {

using std::chrono::seconds;

constexpr size_t kPage = 16384;

/// A table's file of eight pages, as MySQL writes it.
std::string table_file() {
  return test::innodb_file(test::InnodbSeal::classic, 8);
}

class PageWatchTest : public ::testing::Test {
 protected:
  PageWatchTest() {
    config_.engine = cluster::Engine::mysql;
    config_.member = "m1";
    config_.dir = dir_.path();
    std::filesystem::create_directories(config_.data_dir() + "/shop");
    std::ofstream file(table(), std::ios::binary);
    file << table_file();
  }
  std::string table() const { return config_.data_dir() + "/shop/t.ibd"; }
  void write_page(uint32_t number, const std::string& bytes) const {
    std::fstream file(table(), std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(static_cast<std::streamoff>(number * kPage)) << bytes;
  }
  cluster::PageCheck told() {
    cluster::MemberFacts facts;
    watch_.tell(facts, config_);
    return facts.runtime.page_check.value_or(cluster::PageCheck());
  }
  cluster::PageCheck told_after_a_start() {
    watch_.begin(config_);
    EXPECT_TRUE(sys::wait_until([&] { return !told().running; }, Deadline::in(seconds(60))).value_or(false));
    return told();
  }

  sys::TempDir dir_ = std::move(*sys::TempDir::create("page-watch"));
  MemberConfig config_;
  PageWatch watch_;
};

TEST_F(PageWatchTest, NothingIsToldBeforeAStart) {
  cluster::MemberFacts facts;
  watch_.tell(facts, config_);
  EXPECT_FALSE(facts.runtime.page_check);
}

TEST_F(PageWatchTest, TellsDamagedPagesForAsLongAsTheyAre) {
  auto check = told_after_a_start();
  EXPECT_TRUE(check.complete);
  EXPECT_EQ(check.bytes, 8 * kPage);
  EXPECT_TRUE(check.bad.empty());

  write_page(3, std::string(kPage, '\xa5'));
  EXPECT_TRUE(told().bad.empty()) << "read only after a start";
  EXPECT_EQ(told_after_a_start().bad, std::vector<std::string>{"page 3 of shop/t.ibd"});
  write_page(3, table_file().substr(3 * kPage, kPage));  // as recovery does
  EXPECT_TRUE(told().bad.empty());
}

TEST_F(PageWatchTest, ACheckThatFailedIsNotOneThatFoundNothing) {
  config_.engine = cluster::Engine::postgres;  // and there is no pg_control
  (void)told_after_a_start();
  cluster::MemberFacts facts;
  watch_.tell(facts, config_);
  EXPECT_FALSE(facts.runtime.page_check);
  ASSERT_EQ(facts.readings.size(), 1u);
  EXPECT_FALSE(facts.readings[0].unknown.empty());
}

TEST_F(PageWatchTest, StartsAtTheSameTimeDoNotWaitForEachOtherForEver) {
  std::vector<std::jthread> starts;
  for (int i = 0; i < 8; ++i) starts.emplace_back([&] { watch_.begin(config_); });
  starts.clear();
  EXPECT_TRUE(told_after_a_start().complete);
}

TEST_F(PageWatchTest, AFileThatEndsTooEarlyIsDamaged) {
  std::filesystem::resize_file(table(), 5 * kPage);
  EXPECT_EQ(told_after_a_start().bad, std::vector<std::string>{"page 5 of shop/t.ibd"});
}

}  // namespace
}  // namespace holdfast::agent

// The frames that carry errant transactions and their bytes.
#include "agent/errant_log.h"

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <filesystem>
#include <thread>

#include "tests/support/binlog_writer.h"

namespace holdfast::agent {
namespace {

using codec::Value;
using std::chrono::seconds;
using test::BinlogWriter;

struct Pair {
  Pair() {
    std::array<int, 2> fds{};
    EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds.data()), 0);
    here = std::make_unique<net::SocketStream>(sys::Fd(fds[0]));
    there = std::make_unique<net::SocketStream>(sys::Fd(fds[1]));
  }
  std::unique_ptr<net::SocketStream> here, there;
};

class Seen : public engine::ErrantLogSink {
 public:
  Status item(const Value& item) override {
    items.push_back(item);
    return {};
  }
  Status bytes(ByteSpan bytes) override {
    content += as_text(bytes);
    return {};
  }
  std::vector<Value> items;
  std::string content;
};

MemberConfig mysql_member(const std::string& dir) {
  MemberConfig config;
  config.engine = cluster::Engine::mysql;
  config.member = "db-0";
  config.dir = dir;
  config.uid = ::geteuid();
  config.gid = ::getegid();
  std::filesystem::create_directories(config.data_dir());
  return config;
}

TEST(AgentErrantLog, CarriesItemsAndBytesLongerThanAFrame) {
  const auto dir = std::move(*sys::TempDir::create("member"));
  const auto config = mysql_member(dir.path());
  BinlogWriter log(BinlogWriter::Flavour::mysql);
  log.previous_gtids({});
  const uint64_t from = log.size();
  for (uint64_t i = 1; i <= 100; ++i) {
    log.mysql_gtid(0x11, i);
    log.query("BEGIN");
    // As many as are listed, with names as long as they can be: the list is longer than a frame.
    for (int table = 0; table < 100; ++table) log.table_map("shop", std::string(200, 'x') + std::to_string(table));
    log.rows(i == 50 ? 3 << 20 : 20);
    log.xid();
  }
  ASSERT_TRUE(sys::publish_file(config.data_dir() + "/binlog.000001", as_bytes(log.bytes()), 0600));
  ASSERT_TRUE(sys::publish_file(config.data_dir() + "/binlog.index", as_bytes(std::string("./binlog.000001\n")), 0600));
  const auto request = Value::object({{"transactions", "11111111-1111-1111-1111-111111111111:1-100"}});
  Pair pair;
  Status served;
  Seen seen;
  {
    std::jthread agent([&] {
      bool answered = false;
      served = serve_errant_log(config, request, *pair.here, answered, Deadline::in(seconds(60)), {});
      pair.here.reset();
    });
    std::array<uint8_t, 12> answer{};
    ASSERT_EQ(pair.there->read_some(answer, Deadline::in(seconds(60))).value_or(0), 12u);
    const auto result = receive_errant_log(*pair.there, seen, {});
    ASSERT_TRUE(result) << result.error().to_string();
  }
  EXPECT_TRUE(served) << served.error().to_string();
  ASSERT_EQ(seen.items.size(), 2u);
  EXPECT_EQ(seen.items[0]["errant"]["count"].integer(), 100);
  EXPECT_EQ(seen.items[1]["transactions"].items().size(), 100u);
  EXPECT_GT(codec::to_json(seen.items[1]).size(), kMostInFrame);
  const size_t head = seen.items[1]["head"].unsigned_integer();
  EXPECT_TRUE(seen.content.substr(head) == log.bytes().substr(from)) << seen.content.size();
}

TEST(AgentErrantLog, IsNotSearchedForWhoHasGone) {
  const auto dir = std::move(*sys::TempDir::create("member"));
  Pair pair;
  pair.there.reset();
  bool answered = false;
  const auto request = Value::object({{"transactions", "11111111-1111-1111-1111-111111111111:1"}});
  const auto served =
      serve_errant_log(mysql_member(dir.path()), request, *pair.here, answered, Deadline::in(seconds(20)), {});
  ASSERT_FALSE(served);
  EXPECT_EQ(served.error().id, "cli.interrupted");
  EXPECT_FALSE(answered);
}

TEST(AgentErrantLog, ThatIsCutOffOrStrangeIsNoLog) {
  const auto after = [](const std::vector<std::string>& frames, bool ended) {
    Pair pair;
    std::jthread agent([&] {
      for (const auto& frame : frames) (void)write_frame(*pair.here, as_bytes(frame), Deadline::in(seconds(20)), {});
      if (ended) (void)write_end(*pair.here, Value::object({{"ok", true}}), Deadline::in(seconds(20)), {});
      pair.here.reset();
    });
    Seen seen;
    const auto result = receive_errant_log(*pair.there, seen, {});
    pair.there.reset();
    return result ? "" : result.error().id;
  };
  EXPECT_EQ(after({"N{\"file\":\"x\"}", "Dbytes"}, true), "");
  EXPECT_EQ(after({"M{\"file\":", "M\"x\"", "N}", "Dbytes"}, true), "");
  EXPECT_EQ(after({"N{\"file\":\"x\"}", "Dbytes"}, false), "agent.cut_off");
  EXPECT_EQ(after({"M{\"file\":\"x\"}"}, true), "agent.frame") << "an item without an end";
  EXPECT_EQ(after({"M{\"file\":", "Dbytes"}, true), "agent.frame");
  EXPECT_EQ(after({"Xbytes"}, true), "agent.frame");
  EXPECT_EQ(after({"N{\"file\":"}, true), "codec.json");
  EXPECT_EQ(after(std::vector<std::string>(17, "M" + std::string(kMostInFrame - 1, ' ')), false), "agent.frame")
      << "an item without limits";
}

}  // namespace
}  // namespace holdfast::agent

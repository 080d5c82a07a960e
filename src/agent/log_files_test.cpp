#include "agent/log_files.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <set>

#include "agent/data_dir.h"
#include "sys/file.h"

namespace holdfast::agent {
namespace {

namespace fs = std::filesystem;
using cluster::Engine;

/// A member whose logs are in logs/, beside those of another server.
struct Logs : testing::Test {
  Logs() {
    for (const char* folder : {"", "/member", "/logs", "/data"}) fs::create_directories(root + folder);
    c.engine = Engine::mysql;
    c.member = "m0";
    c.dir = root + "/member";
    c.uid = ::getuid();
    c.gid = ::getgid();
    c.existing = Existing{};
    c.existing->data_dir = root + "/data";
    c.existing->binlog_base = root + "/logs/bin";
    c.existing->relay_base = root + "/logs/relay";
    for (const char* name : {"bin.000007", "bin.000008", "bin.index", "relay.000002", "relay.index"})
      write("logs/" + std::string(name), "old");
    for (const char* name : {"bin.second.000001", "bin2.000001", "bin.index.save", "error.log"})
      write("logs/" + std::string(name), "another's");
    write("data/ibdata1", "old");
  }
  void write(const std::string& name, const std::string& text) const { std::ofstream(root + "/" + name) << text; }
  std::string text(const std::string& name) const {
    const auto bytes = sys::read_file(root + "/" + name);
    return bytes ? std::string(as_text(bytes->span())) : "(none)";
  }
  std::set<std::string> names(const std::string& folder) const {
    std::set<std::string> found;
    for (const auto& entry : fs::directory_iterator(root + "/" + folder))
      found.insert(entry.path().filename().string());
    return found;
  }
  /// A copy stands where the data was, which is aside, as after the renames of a swap.
  std::string swapped_data() const {
    const std::string aside = root + "/data.replaced-1";
    fs::rename(root + "/data", aside);
    fs::create_directories(root + "/data");
    for (const char* name : {"ibdata1", "bin.000001", "bin.index", "relay.000001", "relay.index", "relay-log.info"})
      write("data/" + std::string(name), "new");
    return aside;
  }

  const sys::TempDir dir = std::move(*sys::TempDir::create("log-files"));
  const std::string root = fs::canonical(dir.path()).string();
  MemberConfig c;
  const std::set<std::string> others = {"bin.second.000001", "bin2.000001", "bin.index.save", "error.log"};
};

TEST(LogPlaces, AreThoseOutsideOfTheData) {
  const auto dir = sys::TempDir::create("log-places").value();
  const std::string data = fs::canonical(dir.path()).string() + "/data";
  fs::create_directories(data);
  auto places = log_places(data, {{"log_bin_basename", data + "/bin"},
                                  {"log_bin_index", data + "/bin.index"},
                                  {"relay_log_basename", data + "/relay"},
                                  {"relay_log_index", data + "/other.index"}});
  EXPECT_EQ(places.binlog + places.relay, "");
  EXPECT_TRUE(places.unfit.empty());
  places = log_places(
      data,
      {{"log_bin_basename", "/srv/bin"}, {"log_bin_index", "/srv/bin.index"}, {"relay_log_basename", "/srv/relay"}});
  EXPECT_EQ(places.binlog, "/srv/bin");
  EXPECT_EQ(places.relay, "/srv/relay");
  EXPECT_TRUE(places.unfit.empty());
  places = log_places(data, {{"log_bin_basename", "/srv/bin"}, {"log_bin_index", data + "/bin.index"}});
  EXPECT_EQ(places.binlog, "");
  EXPECT_EQ(places.unfit.size(), 1u) << "in two places";
  std::ofstream(data + "/multi-master.info") << "named\n";
  EXPECT_EQ(log_places(data, {{"relay_log_basename", "/srv/relay"}}).unfit.size(), 1u);
}

TEST_F(Logs, FollowTheirDirectoryWhateverStopsThem) {
  const std::string aside = swapped_data();
  // As if it had stopped in the middle of the first move: one log is there already.
  fs::create_directories(root + "/logs/bin.replaced-1");
  fs::rename(root + "/logs/bin.000007", root + "/logs/bin.replaced-1/bin.000007");
  for (int times = 0; times < 2; ++times) {
    ASSERT_TRUE(swap_logs(c, aside));
    auto here = others;
    here.insert({"bin.replaced-1", "relay.replaced-1"});
    EXPECT_EQ(names("logs"), here);
    EXPECT_EQ(names("data"), std::set<std::string>{"ibdata1"});
    EXPECT_EQ(text("logs/bin.replaced-1/bin.000007") + text("logs/bin.replaced-1/bin.index"), "oldold");
  }
  EXPECT_EQ(logs_of(c, aside)->size(), 5u);
  EXPECT_TRUE(logs_of(c, root + "/data")->empty());
  // The server has begun new ones.
  write("logs/bin.000001", "newer");
  write("logs/bin.index", "newer");
  ASSERT_TRUE(swap_logs(c, aside)) << "what is whole takes no more";
  EXPECT_EQ(text("logs/bin.000001"), "newer");
  EXPECT_EQ(logs_of(c, root + "/data")->size(), 2u);

  ASSERT_TRUE(put_logs_back(c, aside, root + "/data.replaced-2"));
  EXPECT_EQ(text("logs/bin.000007") + text("logs/relay.000002") + text("logs/bin.index"), "oldoldold");
  EXPECT_EQ(text("logs/bin.000001"), "(none)");
  EXPECT_EQ(text("logs/bin.replaced-2/bin.000001"), "newer");
  ASSERT_TRUE(put_logs_back(c, aside, ""));
  EXPECT_EQ(text("logs/bin.000008"), "old");

  ASSERT_TRUE(remove_logs(c, root + "/data.replaced-2"));
  ASSERT_TRUE(remove_logs(c, aside));
  auto whole = others;
  whole.insert({"bin.000007", "bin.000008", "bin.index", "relay.000002", "relay.index"});
  EXPECT_EQ(names("logs"), whole);
}

TEST_F(Logs, ComeBackWhateverStopsThem) {
  const std::string aside = swapped_data();
  ASSERT_TRUE(swap_logs(c, aside));
  // As if it had stopped after the first file.
  fs::remove(root + "/logs/bin.replaced-1/holdfast.whole");
  fs::rename(root + "/logs/bin.replaced-1/bin.000007", root + "/logs/bin.000007");
  ASSERT_TRUE(put_logs_back(c, aside, ""));
  for (const char* name : {"bin.000007", "bin.000008", "bin.index", "relay.000002", "relay.index"})
    EXPECT_EQ(text("logs/" + std::string(name)), "old") << name;
}

TEST_F(Logs, OfADirectoryThatIsGoneAreNotTheCopys) {
  swapped_data();
  fs::remove_all(root + "/data.replaced-1");
  ASSERT_TRUE(swap_logs(c, ""));
  EXPECT_EQ(text("logs/bin.left-1/bin.000007"), "old");
  EXPECT_EQ(text("logs/bin.index"), "(none)");
}

TEST_F(Logs, OfAMariadbCopyAreReadBeforeTheyGo) {
  c.engine = Engine::mariadb;
  const std::string aside = swapped_data();
  const auto refused = swap_logs(c, aside);
  ASSERT_FALSE(refused) << "that log is none";
  EXPECT_EQ(refused.error().id, "agent.log_files");
  EXPECT_EQ(text("data/bin.000001"), "new");
}

TEST_F(Logs, OfACopyAreAmongItsData) {
  EXPECT_TRUE(logs_among_data(c).empty());
  EXPECT_EQ(logs_among_data(side_of(c)),
            (std::vector<std::string>{"--log-bin=bin", "--log-bin-index=bin.index", "--relay-log=relay",
                                      "--relay-log-index=relay.index"}));
}

}  // namespace
}  // namespace holdfast::agent

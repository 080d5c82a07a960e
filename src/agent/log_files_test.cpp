#include "agent/log_files.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "agent/data_dir.h"
#include "sys/file.h"

namespace holdfast::agent {
namespace {

namespace fs = std::filesystem;

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
  using Settings = std::map<std::string, std::string>;
  for (const Settings& unfit : {Settings{{"log_bin_basename", "/srv/bin"}, {"log_bin_index", data + "/bin.index"}},
                                Settings{{"log_bin_basename", data + "/bin"}, {"log_bin_index", "/srv/bin.index"}},
                                Settings{{"log_bin_basename", "/srv/my.bin"}},
                                Settings{{"log_bin_basename", "/srv/a/log"}, {"relay_log_basename", "/srv/b/log"}}}) {
    places = log_places(data, unfit);
    EXPECT_EQ(places.binlog + places.relay, "") << unfit.begin()->second;
    EXPECT_EQ(places.unfit.size(), 1u) << unfit.begin()->second;
  }
}

TEST(LogFiles, OfACopyAreAmongItsData) {
  MemberConfig c;
  c.existing.emplace().binlog_base = "/srv/bin";
  c.existing->relay_base = "/srv/relay";
  EXPECT_TRUE(logs_among_data(c).empty());
  EXPECT_EQ(logs_among_data(side_of(c)),
            (std::vector<std::string>{"--log-bin=bin", "--log-bin-index=bin.index", "--relay-log=relay",
                                      "--relay-log-index=relay.index"}));
}

TEST(LogFiles, OfAMariadbCopyAreReadBeforeItTakesThePlace) {
  const auto dir = sys::TempDir::create("log-files").value();
  MemberConfig c;
  c.engine = cluster::Engine::mariadb;
  c.uid = ::getuid();
  c.gid = ::getgid();
  c.existing.emplace().data_dir = dir.path() + "/data";
  c.existing->binlog_base = dir.path() + "/logs/bin";
  fs::create_directories(dir.path() + "/data");
  fs::create_directories(dir.path() + "/logs");
  EXPECT_TRUE(check_logs_of_copy(c, c.existing->data_dir)) << "it never logged";
  std::ofstream(dir.path() + "/data/bin.000001") << "no log";
  std::ofstream(dir.path() + "/data/bin.index") << "./bin.000001\n";
  const auto refused = check_logs_of_copy(c, c.existing->data_dir);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().id, "agent.log_files");
  EXPECT_FALSE(leave_logs_of_copy(c));
  MemberConfig side = side_of(c);
  fs::create_directories(side.data_dir());
  std::ofstream(side.data_dir() + "/bin.index") << "";
  EXPECT_TRUE(leave_logs_of_copy(side));
  EXPECT_TRUE(fs::exists(side.data_dir() + "/bin.index")) << "it has not taken the place yet";
  EXPECT_TRUE(fs::exists(dir.path() + "/data/bin.000001"));
}

}  // namespace
}  // namespace holdfast::agent

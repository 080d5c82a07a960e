#include "agent/log_files.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "agent/data_dir.h"
#include "sys/file.h"

namespace holdfast::agent {
namespace {

namespace fs = std::filesystem;

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

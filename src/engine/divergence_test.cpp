// Files of what only one member has: by which user the servers' programs read a log.
#include "engine/divergence.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>

#include "sys/file.h"
#include "tests/support/require.h"

namespace holdfast::engine {
namespace {

namespace fs = std::filesystem;
using codec::Value;

TEST(Divergence, AsRootTheProgramsOwnNothingAndReadOneLog) {
  HOLDFAST_NEED("root", ::geteuid() == 0, "only root can become another user");
  const auto peers = std::move(*sys::TempDir::create("peers")), out = std::move(*sys::TempDir::create("out"));
  ASSERT_EQ(::chmod(peers.path().c_str(), 0755), 0);
  ASSERT_TRUE(sys::make_directories(peers.path() + "/mysql/bin", 0755));
  const std::string program = "#!/bin/sh\nid -u; id -G; cat; ls " + out.path() + " && echo it sees all\nexit 0\n";
  ASSERT_TRUE(sys::publish_file(peers.path() + "/mysql/bin/mysqlbinlog", as_bytes(program), 0755));

  DivergenceOptions options;
  options.engine = cluster::Engine::mysql;
  options.member = "db-1";
  const std::string logs = out.path() + "/" + divergence_log(options);
  ASSERT_TRUE(sys::make_directories(logs));
  ErrantLogFiles files(options.engine, logs, {.most = 10, .most_records = 0});
  const auto transaction = Value::object({{"id", "a:1"}, {"offset", 4}, {"end", 9}});
  ASSERT_TRUE(files.item(
      Value::object({{"file", "/data/binlog.000001"}, {"head", 4}, {"transactions", Value::list({transaction})}})));
  ASSERT_TRUE(files.bytes(as_bytes(std::string_view("head12345"))));
  const auto log = std::move(files).finish(Value::object());
  ASSERT_TRUE(log);

  ASSERT_EQ(::setenv("HOLDFAST_PEERS", peers.path().c_str(), 1), 0);
  const auto written = write_divergence(*log, options, out.path());
  ::unsetenv("HOLDFAST_PEERS");
  ASSERT_TRUE(written) << written.error().to_string();
  EXPECT_EQ(written->files, (std::vector<std::string>{"db-1.json", "db-1.sql"}));
  const auto sql = sys::read_file(out.path() + "/db-1.sql");
  ASSERT_TRUE(sql);
  EXPECT_NE(as_text(sql->span()).find("65534\n65534\nhead12345\n"), std::string_view::npos) << as_text(sql->span());
  EXPECT_EQ(as_text(sql->span()).find("it sees all"), std::string_view::npos);
  EXPECT_FALSE(fs::exists(logs)) << "what came of the log is left";
}

}  // namespace
}  // namespace holdfast::engine

// `lab down` and a server that was started by hand: its directory is not taken from under it.
#include <gtest/gtest.h>

#include <filesystem>

#include "engine/programs.h"
#include "tests/integration/patient.h"
#include "tests/support/require.h"

namespace holdfast::test {
namespace {

TEST(LabDown, PostgresStartedByHandKeepsItsDirectory) {
  HOLDFAST_NEED("postgres", engine::find_program(cluster::Engine::postgres, "postgres").has_value(), "no postgres");
  LabGuard lab;
  Patient p(lab, "shop-postgres");
  ASSERT_TRUE(p.bring_up());
  const pid_t pid = p.start_outside(1);
  ASSERT_GT(pid, 1);
  const auto refused = lab.holdfast({"lab", "down", "shop-postgres"});
  EXPECT_EQ(refused.exit_code, 3) << refused.out << refused.err;
  EXPECT_NE(refused.err.find(std::to_string(pid)), std::string::npos) << refused.err;
  EXPECT_NE(refused.err.find("lab down"), std::string::npos) << refused.err;
  EXPECT_TRUE(std::filesystem::exists(p.data(1) + "/PG_VERSION"));
  EXPECT_EQ(p.try_sql(1, {"SELECT 1"}, std::chrono::seconds(5)), "1") << "it still serves";
  EXPECT_EQ(p.try_sql(0, {"SELECT 1"}, std::chrono::seconds(5)), "1") << "nothing else was stopped";
  // Its agent is gone as well: nobody says so any more but the kernel.
  p.kill_agent(0);
  EXPECT_EQ(lab.holdfast({"lab", "down", "shop-postgres"}).exit_code, 3);
  p.stop_outside(1);
  const auto down = lab.holdfast({"lab", "down", "shop-postgres"});
  EXPECT_EQ(down.exit_code, 0) << down.err;
  EXPECT_FALSE(std::filesystem::exists(p.data(1)));
}

}  // namespace
}  // namespace holdfast::test

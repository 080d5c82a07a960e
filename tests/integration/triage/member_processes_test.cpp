// What is done to processes of a member: `lab down` takes no directory from under a server that was started by hand,
// and an agent continues what a signal has stopped.
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <signal.h>

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
  const auto refused = lab.holdfast({"lab", "down", "shop-postgres", "-o", "json"});
  EXPECT_EQ(refused.exit_code, 3) << refused.out << refused.err;
  EXPECT_NE(refused.out.find("\"lab.in_use\""), std::string::npos) << refused.out;
  EXPECT_NE(refused.out.find(std::to_string(pid)), std::string::npos) << refused.out;
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

/// PostgreSQL's sessions are processes of their own: all that a signal has stopped go on, and nothing else is touched.
TEST(AgentContinue, PostgresGoesOnWithAllItsProcesses) {
  HOLDFAST_NEED("postgres", engine::find_program(cluster::Engine::postgres, "postgres").has_value(), "no postgres");
  LabGuard lab;
  Patient p(lab, "shop-postgres");
  ASSERT_TRUE(p.bring_up());
  p.sql(0, {"CREATE DATABASE shop"});
  const auto held = p.hold(0, {"SELECT pg_backend_pid()"});
  const auto session =
      static_cast<pid_t>(std::stol(p.sql(0, {"SELECT max(pid) FROM pg_stat_activity WHERE state = 'idle' "
                                             "AND backend_type = 'client backend'"})));
  const auto server = static_cast<pid_t>(p.agent(0, "status")["server"]["pid"].integer());
  ASSERT_GT(server, 1);
  for (const pid_t pid : {session, server}) {
    ASSERT_EQ(::kill(pid, SIGSTOP), 0);
    await(
        "the kernel has stopped it", [&] { return text_of(fmt::format("/proc/{}/stat", pid)).contains(") T "); },
        std::chrono::seconds(10));
  }
  EXPECT_EQ(p.agent(0, "continue")["continued"].integer(), 2);
  EXPECT_EQ(p.agent(0, "continue")["continued"].integer(), 0) << "nothing is stopped any more";
  EXPECT_EQ(p.agent(0, "status")["server"]["pid"].integer(), server);
  EXPECT_EQ(p.sql(0, {fmt::format("SELECT count(*) FROM pg_stat_activity WHERE pid = {}", session)}), "1");
  p.stop(0);
  EXPECT_EQ(p.agent(0, "continue", codec::Value::object(), true)["error"]["id"].text(), "agent.not_running");
}

}  // namespace
}  // namespace holdfast::test

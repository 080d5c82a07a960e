// What the program asks of a member through its agent.
#include <gtest/gtest.h>

#include "cluster/resource.h"
#include "engine/programs.h"
#include "provider/member_agent.h"
#include "tests/support/lab_guard.h"
#include "tests/support/require.h"

namespace holdfast::test {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

TEST(MemberControl, AStopWaitsForTheDeathOfAServerThatHadToBeKilled) {
  HOLDFAST_NEED("postgres", engine::find_program(cluster::Engine::postgres, "postgres").has_value(), "no postgres");
  LabGuard lab;
  const auto up = lab.holdfast({"lab", "up", "shop-postgres"});
  ASSERT_EQ(up.exit_code, 0) << up.err;
  const std::string folder = lab.state_dir() + "/clusters";
  const auto text = sys::read_file(folder + "/shop-postgres.yaml");
  ASSERT_TRUE(text) << folder;
  const auto described = cluster::parse_clusters(as_text(text->span()), folder);
  ASSERT_TRUE(described && described->size() == 1);
  auto controls = provider::control_members(described->at(0), {});
  ASSERT_TRUE(controls) << controls.error().to_string();
  auto& standby = *controls->at(1);
  ASSERT_TRUE(*standby.is_running(Deadline::in(seconds(10))));
  // No server ends by then. Its agent still has to see it die, which nobody may miss.
  const auto stopped = standby.stop(Deadline::in(milliseconds(1)));
  EXPECT_TRUE(stopped) << stopped.error().to_string();
  EXPECT_FALSE(*standby.is_running(Deadline::in(seconds(10))));
}

}  // namespace
}  // namespace holdfast::test

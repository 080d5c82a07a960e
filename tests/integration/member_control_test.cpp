// What the program asks of a member through its agent.
#include <gtest/gtest.h>
#include <signal.h>

#include "cluster/resource.h"
#include "engine/programs.h"
#include "provider/member_access.h"
#include "tests/support/lab_guard.h"
#include "tests/support/require.h"

namespace holdfast::test {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

/// A lab of PostgreSQL and the control of its standby.
class MemberControl : public testing::Test {
 protected:
  void SetUp() override {
    HOLDFAST_NEED("postgres", engine::find_program(cluster::Engine::postgres, "postgres").has_value(), "no postgres");
    const auto up = lab_.holdfast({"lab", "up", "shop-postgres"});
    ASSERT_EQ(up.exit_code, 0) << up.err;
    const std::string folder = lab_.state_dir() + "/clusters";
    const auto text = sys::read_file(folder + "/shop-postgres.yaml");
    ASSERT_TRUE(text) << folder;
    const auto described = cluster::parse_clusters(as_text(text->span()), folder);
    ASSERT_TRUE(described && described->size() == 1);
    auto controls = provider::ClusterMembers(described->at(0)).control({}, std::make_shared<std::atomic<uint64_t>>(1));
    ASSERT_TRUE(controls) << controls.error().to_string();
    standby_ = std::move(controls->at(1));
    ASSERT_TRUE(*standby_->is_running(Deadline::in(seconds(10))));
  }

  LabGuard lab_;
  std::unique_ptr<engine::MemberControl> standby_;
};

TEST_F(MemberControl, AStopWaitsForTheDeathOfAServerThatHadToBeKilled) {
  // No server ends by then. Its agent still has to see it die, which nobody may miss.
  const auto stopped = standby_->stop(Deadline::in(milliseconds(1)));
  EXPECT_TRUE(stopped) << stopped.error().to_string();
  EXPECT_FALSE(*standby_->is_running(Deadline::in(seconds(10))));
}

TEST_F(MemberControl, AServerThatWasKilledAMomentAgoIsStartedAgain) {
  for (int i = 0; i < 20; ++i) {
    SCOPED_TRACE(i);
    const auto pid = static_cast<pid_t>(lab_.member("shop-postgres-1")["pid"].integer());
    ASSERT_GT(pid, 1);
    ASSERT_EQ(::kill(pid, SIGKILL), 0);
    // Its process is there until the kernel is done with it, and its agent sees the end later still.
    const auto started = standby_->start({}, Deadline::in(seconds(60)));
    ASSERT_TRUE(started) << started.error().to_string();
    EXPECT_NE(lab_.member("shop-postgres-1")["pid"].integer(), pid);
  }
}

}  // namespace
}  // namespace holdfast::test

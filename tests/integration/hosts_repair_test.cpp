// Clusters on three hosts, repaired from a fourth: the copies go from host to host.
#include <gtest/gtest.h>

#include "lab/hosts.h"
#include "tests/integration/repair_world.h"

namespace holdfast::test {

using cluster::Engine;

namespace {

struct Case {
  Engine engine;
  const char* cluster;
};

class HostsRepair : public testing::TestWithParam<Case> {
 protected:
  HostsRepair() : world_(GetParam().engine, GetParam().cluster) {}
  RepairWorld world_;
};

TEST_P(HostsRepair, AMemberWithoutDataIsCopiedFromAnotherHost) {
  HOLDFAST_NEED("root", lab::can_have_hosts(), "network namespaces need root, and a container that allows them");
  ASSERT_NO_FATAL_FAILURE(world_.up({"--hosts", "3"}));
  world_.break_member("delete-data", 1);
  const auto refused = world_.repair({"-i", "1", "--copy-rate", "10k"});
  EXPECT_NE(refused.out.find("\"repair.copy_rate\""), std::string::npos) << refused.out << refused.err;
  const auto planned = world_.repair({"-i", "1", "--copy-rate", "40M", "--dry-run"});
  EXPECT_NE(planned.out.find("\"rate\": 41943040"), std::string::npos) << planned.out << planned.err;
  ASSERT_NO_FATAL_FAILURE(world_.expect_repaired(1));
  // A slow network with losses makes it slower, and nothing else.
  world_.break_member("host-slow", 2);
  world_.break_member("kill", 2);
  ASSERT_NO_FATAL_FAILURE(world_.expect_repaired(2));
}

TEST_P(HostsRepair, AHostThatIsCutOffIsNotTakenForAServerThatIsDown) {
  HOLDFAST_NEED("root", lab::can_have_hosts(), "network namespaces need root, and a container that allows them");
  ASSERT_NO_FATAL_FAILURE(world_.up({"--hosts", "3"}));
  world_.break_member("host-cut", 1);
  const auto seen = world_.run("triage");
  EXPECT_EQ(seen.exit_code, 4) << seen.out;
  const auto done = world_.repair({"-i", "1"});
  EXPECT_NE(done.exit_code, 0) << done.out;
  EXPECT_EQ(RepairWorld::data(done)["operation"].text(), "") << "something was done to a host that nobody can see";
  const auto healed = world_.lab.holdfast({"lab", "heal", world_.name(1)});
  ASSERT_EQ(healed.exit_code, 0) << healed.err;
  const auto well = sys::wait_until([&] { return world_.triage() == 0; }, Deadline::in(std::chrono::seconds(90)));
  EXPECT_TRUE(well && *well) << world_.run("triage").out;
  world_.expect_equal(1);
}

INSTANTIATE_TEST_SUITE_P(Engines, HostsRepair,
                         testing::Values(Case{Engine::mariadb, "shop-mariadb"}, Case{Engine::galera, "shop-galera"},
                                         Case{Engine::mysql, "shop-mysql"}, Case{Engine::postgres, "shop-postgres"}),
                         [](const auto& info) { return std::string(cluster::engine_name(info.param.engine)); });

}  // namespace

}  // namespace holdfast::test

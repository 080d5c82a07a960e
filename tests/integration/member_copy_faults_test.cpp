// Copies that die: with their agent, with their donor, on request, on a full disk. The old data is as before, nothing
// half made counts, nothing goes on behind anybody's back, the donor is as it was, and the next copy succeeds.
#include <gtest/gtest.h>
#include <sys/mount.h>
#include <unistd.h>

#include <filesystem>
#include <future>

#include "engine/programs.h"
#include "tests/integration/copy_world.h"
#include "tests/support/require.h"

namespace holdfast::test {
namespace {

using codec::Value;
using std::chrono::seconds;
using Answer = std::future<Result<Value>>;

struct Case {
  const char* cluster;
  cluster::Engine engine;
  const char* server;
  int donor, victim;
  std::vector<const char*> steps;
};

void PrintTo(const Case& c, std::ostream* out) {
  *out << c.cluster;
}

const Case kCases[] = {
    {"shop-mariadb", cluster::Engine::mariadb, "mariadbd", 1, 2, {"copy", "prepare", "position"}},
    {"shop-galera", cluster::Engine::galera, "mariadbd", 1, 2, {"copy", "prepare"}},
    {"shop-mysql", cluster::Engine::mysql, "mysqld", 0, 1, {"helper", "copy", "position"}},
    {"shop-postgres", cluster::Engine::postgres, "postgres", 0, 1, {"copy"}},
};

class MemberCopyFaults : public ::testing::TestWithParam<Case> {};

Answer copy_in_background(const CopyWorld& world, int victim, int donor) {
  return std::async(std::launch::async, [&world, victim, donor] {
    return world.call(victim, "initialise",
                      Value::object({{"from", "donor"}, {"donor", world.name(donor)}, {"side", true}}));
  });
}

/// False when the copy ended before it was seen there.
bool reaches(const CopyWorld& world, int victim, const std::string& step, const Answer& answer) {
  for (const Deadline deadline = Deadline::in(seconds(60)); !deadline.passed();) {
    if (world.must(victim, "status")["server"]["progress"]["step"].text() == step) return true;
    if (answer.wait_for(seconds(0)) == std::future_status::ready) return false;
  }
  return false;
}

bool counts(const CopyWorld& world, int victim) {
  return world.exists(victim, "data.new") && !world.exists(victim, "initialising.new");
}

TEST_P(MemberCopyFaults, NothingIsLostAndNothingGoesOn) {
  const Case& c = GetParam();
  HOLDFAST_NEED(c.cluster, engine::find_program(c.engine, c.server).has_value(), "no server of it here");
  CopyWorld world(c.cluster);
  ASSERT_NO_FATAL_FAILURE(world.up());
  ASSERT_NO_FATAL_FAILURE(world.start_writer());
  const auto donor_pid = world.server(c.donor)["pid"].integer();

  int killed = 0;
  for (const std::string step : c.steps) {
    SCOPED_TRACE(step);
    auto answer = copy_in_background(world, c.victim, c.donor);
    const bool there = reaches(world, c.victim, step, answer);
    if (there) {
      world.kill_agent(c.victim);
      const auto ended = answer.get();
      if (!ended) {
        ++killed;
        EXPECT_FALSE(counts(world, c.victim));
      }
      auto gone = sys::wait_until([&] { return world.processes_of(c.victim, "") == 0; }, Deadline::in(seconds(10)));
      EXPECT_TRUE(*gone) << "something of the copy outlived its agent";
      const auto up = world.lab.holdfast({"lab", "up", c.cluster});
      ASSERT_EQ(up.exit_code, 0) << up.err;
    } else {
      (void)answer.get();
    }
    EXPECT_EQ(world.server(c.victim)["state"].text(), "running") << "its old data serves as before";
    EXPECT_EQ(world.server(c.donor)["pid"].integer(), donor_pid);
    world.must(c.victim, "discard_side");
    EXPECT_FALSE(world.exists(c.victim, "data.new"));
    EXPECT_FALSE(world.exists(c.victim, "initialising.new"));
    auto swept = sys::wait_until([&] { return !world.exists(c.victim, "data.helper"); }, Deadline::in(seconds(10)));
    EXPECT_TRUE(*swept);
  }
  EXPECT_GT(killed, 0);

  // On request.
  auto answer = copy_in_background(world, c.victim, c.donor);
  if (reaches(world, c.victim, "copy", answer)) {
    EXPECT_GE(world.server(c.victim)["progress"]["total"].integer(), 1'000'000);
    EXPECT_TRUE(world.must(c.victim, "cancel")["cancelled"].boolean());
    auto cancelled = answer.get();
    ASSERT_FALSE(cancelled);
    EXPECT_EQ(cancelled.error().error_class, ErrorClass::interrupted) << cancelled.error().to_string();
    EXPECT_FALSE(world.exists(c.victim, "data.new"));
    EXPECT_TRUE(world.server(c.victim)["progress"].is_null());
  }

  // The donor dies under it. A copy that was quicker is whole.
  bool orphaned = false;
  for (int attempt = 0; attempt < 4 && !orphaned; ++attempt) {
    answer = copy_in_background(world, c.victim, c.donor);
    const bool there = reaches(world, c.victim, "copy", answer);
    world.must(c.donor, "stop", Value::object({{"mode", "immediate"}}));
    const bool failed = !answer.get();
    orphaned = there && failed;  // only then it died in the middle of the copy
    EXPECT_EQ(counts(world, c.victim), !failed);
    EXPECT_EQ(world.exists(c.victim, "data.new"), !failed);
    EXPECT_EQ(world.processes_of(c.victim, "data.new"), 0u);
    world.must(c.victim, "discard_side");
    auto up = world.lab.holdfast({"lab", "up", c.cluster});
    ASSERT_EQ(up.exit_code, 0) << up.err;
  }
  EXPECT_TRUE(orphaned) << "the donor never died in time";

  // A full disk, where the copy is being written.
  if (::geteuid() == 0) {
    std::filesystem::create_directory(world.dir(c.victim) + "/data.new");
    const std::string place = world.dir(c.victim) + "/data.new";
    sys::Command janitor;
    janitor.argv = {"/bin/sh", "-c", "read ignored; exec umount -l \"$0\"", place};
    janitor.in = sys::Stdio::pipe();
    janitor.new_session = true;
    if (::mount("tmpfs", place.c_str(), "tmpfs", 0, "size=8m,mode=0700") == 0) {
      auto unmount = sys::spawn(janitor);
      ASSERT_TRUE(unmount);
      auto full = world.call(c.victim, "initialise",
                             Value::object({{"from", "donor"}, {"donor", world.name(c.donor)}, {"side", true}}));
      EXPECT_FALSE(full);
      EXPECT_FALSE(world.server(c.victim)["side"].boolean());
      unmount->take_stdin().reset();
      EXPECT_TRUE(unmount->wait(Deadline::in(seconds(10))));
    }
    EXPECT_EQ(world.server(c.victim)["state"].text(), "running");
  }
  // And then it works.
  EXPECT_TRUE(copy_in_background(world, c.victim, c.donor).get());
  EXPECT_TRUE(counts(world, c.victim));
  world.stop_writer();
  world.expect_equal(0, c.victim);
  world.must(c.victim, "discard_side");
}

INSTANTIATE_TEST_SUITE_P(Engines, MemberCopyFaults, ::testing::ValuesIn(kCases), [](const auto& info) {
  std::string name = info.param.cluster;
  return name.substr(name.find('-') + 1);
});

/// MySQL's donor may lack the plug-in and refuse writes even of administrators: it is as before afterwards, also when
/// the agent dies in between.
TEST(MemberCopyDonor, AReadOnlyDonorWithoutThePluginIsGivenBackAsItWas) {
  HOLDFAST_NEED("mysql", engine::find_program(cluster::Engine::mysql, "mysqld").has_value(), "no mysqld");
  CopyWorld world("shop-mysql");
  ASSERT_NO_FATAL_FAILURE(world.up("2MB"));
  const auto has_plugin = [&] {
    return world.ask(1, "SELECT count(*) FROM information_schema.PLUGINS WHERE PLUGIN_NAME = 'clone'");
  };
  EXPECT_EQ(world.ask(1, "SET GLOBAL super_read_only = OFF"), "");
  EXPECT_EQ(world.ask(1, "UNINSTALL PLUGIN clone"), "");
  EXPECT_EQ(world.ask(1, "SET GLOBAL super_read_only = ON"), "");
  ASSERT_EQ(has_plugin(), "0");
  auto level = sys::wait_until([&] { return world.position(1) == world.position(0); }, Deadline::in(seconds(60)));
  ASSERT_TRUE(*level);
  const std::string executed = world.position(1);

  auto answer = copy_in_background(world, 0, 1);
  ASSERT_TRUE(reaches(world, 0, "copy", answer));
  EXPECT_EQ(has_plugin(), "1");
  EXPECT_EQ(world.ask(1, "SELECT @@super_read_only"), "1");
  world.kill_agent(0);
  (void)answer.get();
  EXPECT_TRUE(world.exists(0, "donor-undo.shop-mysql-1.json"));
  ASSERT_EQ(world.lab.holdfast({"lab", "up", "shop-mysql"}).exit_code, 0);
  EXPECT_EQ(has_plugin(), "0") << "a crashed copy left its plug-in";
  EXPECT_EQ(world.ask(1, "SELECT @@super_read_only"), "1");
  EXPECT_FALSE(world.exists(0, "donor-undo.shop-mysql-1.json"));

  // A donor that runs as another user cannot write into our directory: it sends the copy over the network.
  auto config = world.config(1);
  config.uid += 1;
  ASSERT_TRUE(agent::write_config(config));
  auto copy = copy_in_background(world, 0, 1).get();
  ASSERT_TRUE(copy) << copy.error().to_string();
  EXPECT_EQ((*copy)["way"].text(), "network");
  EXPECT_EQ(has_plugin(), "0");
  EXPECT_EQ(world.ask(1, "SELECT @@super_read_only"), "1");
  EXPECT_EQ(world.position(1), executed) << "the donor has a transaction more";
  world.must(0, "stop");
  world.must(0, "start", Value::object({{"data", "side"}, {"mode", "isolated"}}));
  EXPECT_EQ(world.ask(0, "SHOW REPLICA STATUS"), "") << "a copy of a replica has no source configured";
  EXPECT_EQ(world.position(0), executed);
  world.must(0, "stop");
}

}  // namespace
}  // namespace holdfast::test

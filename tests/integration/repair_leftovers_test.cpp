// What a repair left behind whose journal is gone: triage says what it is, repair goes on from there, and nothing that
// may be unique is removed.
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <signal.h>

#include <filesystem>
#include <thread>

#include "engine/programs.h"
#include "tests/integration/kill_world.h"
#include "tests/support/require.h"

namespace holdfast::test {
namespace {

using cluster::Engine;
using codec::Value;
using std::chrono::seconds;
namespace fs = std::filesystem;

class Leftovers : public testing::Test {
 protected:
  void SetUp() override {
    HOLDFAST_NEED("mariadb", engine::find_program(Engine::mariadb, "mariadbd").has_value(), "no mariadbd");
    world_.emplace(Engine::mariadb, "shop-mariadb");
    ASSERT_NO_FATAL_FAILURE(world_->up());
  }
  KillWorld& world() { return *world_; }

  std::vector<std::string> args() {
    std::vector<std::string> args = {"-i", "1", "-r", world().repository}, accept;
    world().plan_steps("repair", args, &accept);
    args.insert(args.end(), accept.begin(), accept.end());
    return args;
  }
  void make_errant() {
    EXPECT_EQ(world().ask(1, "SET GLOBAL read_only=OFF"), "");
    EXPECT_EQ(world().ask(1, "CREATE TABLE shop.errant (i int primary key)"), "");
    EXPECT_EQ(world().ask(1, "SET GLOBAL read_only=ON"), "");
    EXPECT_EQ(world().verdict(1), "diverged");
  }
  /// A repair killed there, and every trace of it but what it did gone.
  void killed_and_forgotten(const Cut& cut) {
    std::vector<std::string> words = {"repair", "-c", world().cluster()};
    const auto more = args();
    words.insert(words.end(), more.begin(), more.end());
    const auto killed = world().cut_off(words, cut);
    EXPECT_EQ(killed.exit_code, 128 + SIGKILL) << killed.out;
    std::error_code error;
    fs::remove_all(world().lab.state_dir() + "/operations", error);
    ASSERT_FALSE(error) << error.message();
  }
  const Value* diagnosis(const Value& triage, const std::string& id) {
    for (const auto& d : triage["diagnoses"].items())
      if (d["id"].text() == id) return &d;
    ADD_FAILURE() << "no " << id << " in " << codec::to_json(triage["diagnoses"]);
    return nullptr;
  }
  std::string evidence(const Value& triage, const std::string& id) {
    const Value* found = diagnosis(triage, id);
    return found ? codec::to_json((*found)["evidence"]) : "";
  }
  void expect_mended() {
    const auto done = world().run("repair", args());
    EXPECT_EQ(done.exit_code, 0) << done.out << done.err;
    world().expect_healthy();
    world().expect_equal(1);
  }

  std::optional<KillWorld> world_;
};

TEST_F(Leftovers, OfACopyAreAdoptedByTheNextRepair) {
  const std::string victim = world().name(1);
  {
    SCOPED_TRACE("half made");
    make_errant();
    killed_and_forgotten({"step_started", "copy-" + victim, "60"});
    world().crash_agent(1);  // nobody goes on with it
    if (world().leftovers(1).empty()) fs::create_directory(world().dir(1) + "/data.new");
    const Value seen = world().triage();
    EXPECT_NE(evidence(seen, "side-directory-left").find("data.new: a copy that was never finished"), std::string::npos)
        << evidence(seen, "side-directory-left");
    expect_mended();
    world().expect_nothing_left();
  }
  {
    SCOPED_TRACE("whole");
    make_errant();
    killed_and_forgotten({"step_done", "copy-" + victim, "before"});
    const Value seen = world().triage();
    EXPECT_NE(evidence(seen, "side-directory-left").find("a whole copy of another member"), std::string::npos);
    EXPECT_EQ(world().report_of(1, seen)["verdict"].text(), "diverged") << "the old directory is the member's";
  }
  {
    SCOPED_TRACE("a server runs on it");
    world().agent(1, "start", Value::object({{"data", "side"}}));
    const Value seen = world().triage();
    EXPECT_TRUE(world().says(seen, "server-on-side-directory", 1)) << codec::to_json(seen["diagnoses"]);
    EXPECT_EQ(world().report_of(1, seen)["action"].text(), "rebuild");
    const auto done = world().run("repair", args());
    EXPECT_EQ(done.exit_code, 0) << done.out << done.err;
    world().expect_healthy();
    world().expect_equal(1);
    world().expect_nothing_left();
    // What the old directory had of its own was kept.
    EXPECT_TRUE(world().escrow_files(KillWorld::data(done)["operation"].text()).contains("errant.ibd"));
  }
}

TEST_F(Leftovers, AnOldDirectoryIsToldAndNeverRemoved) {
  make_errant();
  killed_and_forgotten({"step_done", "swap-" + world().name(1), "after"});
  const Value seen = world().triage();
  const std::string told = evidence(seen, "replaced-directory-left");
  EXPECT_NE(told.find("/data.replaced-"), std::string::npos) << told;
  EXPECT_EQ(world().report_of(1, seen)["action"].text(), "restart");
  const auto done = world().run("repair");
  EXPECT_EQ(done.exit_code, 0) << done.out << done.err;
  world().expect_healthy();
  world().expect_equal(1);
  const auto left = world().leftovers(1);
  ASSERT_EQ(left.size(), 1u);
  EXPECT_TRUE(fs::exists(world().dir(1) + "/" + *left.begin() + "/shop/errant.ibd"));
  EXPECT_EQ(evidence(world().triage(), "replaced-directory-left"), told);
}

/// The healthy member's agent copies for an operation that is no more; its donor is frozen, so it would do so for long.
TEST_F(Leftovers, ACopyUnderWayIsEnded) {
  const int64_t epoch = world().agent(1, "status")["epoch"].integer() + 1;
  bool caught = false;
  for (int attempt = 0; attempt < 5 && !caught; ++attempt) {
    world().agent(1, "discard_side");
    std::jthread copier([&] {
      (void)world().agent(
          1, "initialise",
          Value::object({{"from", "donor"}, {"donor", world().name(2)}, {"side", true}, {"epoch", epoch}}), true);
    });
    auto begun =
        sys::wait_until([&] { return world().agent(1, "status")["server"]["progress"]["step"].text() == "copy"; },
                        Deadline::in(seconds(5)));
    if (!begun || !*begun) continue;
    world().break_member("stop", 2);
    caught = !world().agent(1, "status")["server"]["progress"].is_null();
    if (caught) {
      const Value seen = world().triage();
      EXPECT_TRUE(world().says(seen, "agent-at-work", 1)) << codec::to_json(seen["diagnoses"]);
      EXPECT_EQ(world().report_of(1, seen)["verdict"].text(), "healthy");
      const auto done = world().run("repair", {"-i", "1"});
      EXPECT_NE(done.out.find("tidy-" + world().name(1)), std::string::npos) << done.out;
      EXPECT_EQ(KillWorld::data(done)["operation"].text().empty(), false) << done.out;
    }
    world().break_member("continue", 2);
  }
  EXPECT_TRUE(caught) << "the copy was over each time before it was seen";
  world().expect_healthy();
  world().expect_nothing_left();
}

}  // namespace
}  // namespace holdfast::test

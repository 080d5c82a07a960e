// A second caller of the steward beside the command line: it repairs real clusters with an observer of its own, a
// repository that it opens itself, and no word printed.
#include "steward/repair.h"

#include <gtest/gtest.h>

#include "engine/login.h"
#include "operation/file_store.h"
#include "provider/provider.h"
#include "repo/lock.h"
#include "steward/triage.h"
#include "store/open_store.h"
#include "sys/environment.h"
#include "tests/integration/repair_world.h"
#include "tests/support/recording_observer.h"

namespace holdfast::test {
namespace {

using cluster::Engine;
using std::chrono::seconds;
using Lines = std::vector<std::string>;

class TestRepository : public steward::CopyRepository {
 public:
  static Result<std::unique_ptr<CopyRepository>> open(const std::string& location) {
    auto made = std::make_unique<TestRepository>();
    made->repository_ = TRY(repo::Repository::open(TRY(store::open_store(location, {})), Secret("test")));
    made->lock_ = TRY(repo::Lock::acquire(*made->repository_, repo::LockKind::shared, seconds(10), {}));
    return made;
  }
  repo::Repository& repository() override { return *repository_; }
  Status confirm() override { return lock_->confirm(); }

 private:
  std::unique_ptr<repo::Repository> repository_;
  std::unique_ptr<repo::Lock> lock_;
};

/// A lab cluster and what it takes to call the steward for it.
class StewardWorld {
 public:
  StewardWorld(Engine engine, const std::string& name) : lab(engine, name) {}

  void up() {
    ASSERT_NO_FATAL_FAILURE(lab.up());
    const auto clusters = provider::load_clusters({}, lab.lab.state_dir());
    ASSERT_TRUE(clusters) << clusters.error().to_string();
    const auto found = provider::select_one(*clusters, {.name = lab.cluster()});
    ASSERT_TRUE(found) << found.error().to_string();
    cluster = steward::access_cluster(*found);
  }

  steward::Caller caller() {
    return {.observer = observer,
            .operations = steward::Operations(store()),
            .copies = {.open = [this] { return TestRepository::open(lab.repository); },
                       .targets = [](const cluster::DatabaseCluster& of) { return provider::targets_of(of); },
                       .program = "a test"}};
  }
  steward::Outcome repair(const steward::RepairRequest& request = {}) {
    observer = {};
    return steward::repair_cluster(*cluster, request, caller());
  }
  std::shared_ptr<operation::OperationStore> store() const {
    return std::make_shared<operation::FileOperationStore>(lab.lab.state_dir());
  }
  size_t operations() const { return store()->ids()->size(); }

  /// What must have been seen of a repair by one plan, from the operation to its end.
  static Lines events_of(const operation::Plan& plan) {
    Lines lines = {"execution started", "operation", "begun"};
    for (const auto& step : plan.steps) {
      lines.push_back("step_started " + step.id);
      lines.push_back("step_done " + step.id);
    }
    lines.push_back("done");
    lines.push_back("after: healthy");
    return lines;
  }
  /// Without what handlers note in between.
  Lines events() const {
    Lines lines;
    for (const auto& line : observer.seen)
      if (!line.starts_with("step_progress") && !line.starts_with("warning:") && !line.starts_with("note:"))
        lines.push_back(line);
    return lines;
  }

  void repairs_a_killed_replica() {
    lab.break_member("kill", 1);
    const auto outcome = repair();
    ASSERT_TRUE(outcome.status) << outcome.status.error().to_string() << "\n" << observer.all();
    ASSERT_EQ(outcome.runs.size(), 1u) << observer.all();
    const steward::PlanRun& run = outcome.runs[0];
    ASSERT_TRUE(run.plan);
    EXPECT_TRUE(run.plan->find("prove-" + lab.name(1))) << RecordingObserver::ids_of(*run.plan);
    ASSERT_EQ(observer.reports.size(), 2u) << observer.all();
    EXPECT_FALSE(observer.reports[0].healthy);
    EXPECT_FALSE(observer.reports[0].find(lab.name(1))->healthy());
    EXPECT_TRUE(observer.reports[1].healthy) << observer.reports[1].sentence;

    Lines wanted = {"before: " + observer.reports[0].sentence, "plan:" + RecordingObserver::ids_of(*run.plan)};
    for (auto& line : events_of(*run.plan)) wanted.push_back(line);
    wanted.push_back("execution ended");
    EXPECT_EQ(events(), wanted);

    EXPECT_EQ(observer.operations, Lines{run.operation});
    const auto stored = store()->read(run.operation);
    ASSERT_TRUE(stored) << stored.error().to_string();
    EXPECT_EQ(operation::plan_hash(*stored->plan), run.hash);
    ASSERT_TRUE(run.after);
    EXPECT_TRUE(run.after->healthy);
    EXPECT_TRUE(steward::triage_cluster(*cluster, caller()).healthy);
    lab.expect_mended(1);
  }

  RepairWorld lab;
  RecordingObserver observer;
  std::unique_ptr<steward::ClusterAccess> cluster;
};

TEST(StewardCaller, RepairsAKilledStandbyOfPostgres) {
  HOLDFAST_NEED("postgres", engine::find_program(Engine::postgres, "postgres").has_value(), "no postgres");
  StewardWorld world(Engine::postgres, "shop-postgres");
  ASSERT_NO_FATAL_FAILURE(world.up());
  world.repairs_a_killed_replica();
}

TEST(StewardCaller, RepairsMysqlAndAsksBeforeALoss) {
  HOLDFAST_NEED("mysql", engine::find_program(Engine::mysql, "mysqld").has_value(), "no mysqld");
  StewardWorld world(Engine::mysql, "shop-mysql");
  ASSERT_NO_FATAL_FAILURE(world.up());
  world.repairs_a_killed_replica();
  ASSERT_FALSE(testing::Test::HasFailure());

  // What only the replica has would be gone: it is not accepted, so nothing happens.
  world.lab.make_errant(1);
  const steward::RepairRequest request{.member = "1", .escrow = {.repository = world.lab.repository}};
  const size_t before = world.operations();
  auto outcome = world.repair(request);
  ASSERT_FALSE(outcome.status);
  EXPECT_EQ(outcome.status.error().id, "operation.not_accepted") << outcome.status.error().to_string();
  EXPECT_EQ(world.observer.count("asked: operation.not_accepted"), 1u) << world.observer.all();
  EXPECT_EQ(world.observer.count("execution started"), 0u);
  ASSERT_FALSE(outcome.runs.at(0).plan->losses.empty());
  EXPECT_EQ(outcome.runs[0].operation, "");
  EXPECT_EQ(world.operations(), before) << "an operation was started";
  EXPECT_EQ(world.lab.ask(1, "SELECT COUNT(*) FROM shop.errant"), "2") << "the replica was touched";

  // The same question, and a yes.
  world.observer = {};
  world.observer.answer = RecordingObserver::accept_all;
  outcome = steward::repair_cluster(*world.cluster, request, world.caller());
  ASSERT_TRUE(outcome.status) << outcome.status.error().to_string() << "\n" << world.observer.all();
  EXPECT_EQ(world.observer.count("asked:"), 1u);
  ASSERT_EQ(outcome.runs.size(), 1u);
  ASSERT_TRUE(outcome.runs[0].kept);
  EXPECT_FALSE(outcome.runs[0].kept->empty()) << "nothing was kept of what is gone";
  EXPECT_EQ(world.observer.count("kept: "), 1u);
  const auto repository = TestRepository::open(world.lab.repository);
  ASSERT_TRUE(repository);
  for (const auto& copy : *outcome.runs[0].kept)
    EXPECT_TRUE((*repository)->repository().find_snapshot(copy.snapshot)) << copy.type;
  EXPECT_EQ(world.observer.reports.back().healthy, true);
  EXPECT_NE(world.lab.ask(1, "SELECT COUNT(*) FROM shop.errant"), "2");
  world.lab.expect_mended(1);
}

}  // namespace
}  // namespace holdfast::test

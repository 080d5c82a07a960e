// Operations that were left unfinished: found, resumed, undone and closed through the steward alone.
#include "steward/resume.h"

#include <gtest/gtest.h>

#include "steward/repair.h"
#include "tests/support/fake_cluster.h"
#include "tests/support/small_copies.h"

namespace holdfast::steward {
namespace {

using test::FakeCaller;
using test::FakeCluster;
using test::kStopped;

using Lines = std::vector<std::string>;

/// A repair that stopped because its undo failed.
class Resume : public testing::Test {
 protected:
  void SetUp() override {
    cluster_.ailing = {{1, kStopped}};
    cluster_.on_step = [](const operation::Step& step) {
      return step.id == "prove-m1" ? Status(fail(ErrorClass::failed, "test.proof", "not healthy")) : Status();
    };
    cluster_.on_undo = [](const operation::Step&) -> Status {
      return fail(ErrorClass::failed, "test.undo", "cannot be undone now");
    };
    const auto outcome = repair_cluster(cluster_, {}, caller_.caller());
    ASSERT_FALSE(outcome.status);
    ASSERT_EQ(outcome.status.error().id, "operation.stopped");
    ASSERT_EQ(caller_.operations(), Lines{"repair unfinished"});
    id_ = outcome.runs.at(0).operation;
    cluster_.on_step = nullptr;
    cluster_.on_undo = nullptr;
    caller_.observer.seen.clear();
  }
  FindCluster find() {
    return [this](const operation::Plan& plan) -> Result<std::shared_ptr<ClusterAccess>> {
      EXPECT_EQ(plan.cluster, "shop/orders");
      return std::shared_ptr<ClusterAccess>(&cluster_, [](auto*) {});
    };
  }
  OperationRequest request(Lines accepted = {}, bool dry_run = false) const {
    return {.operation = id_.substr(0, 20), .dry_run = dry_run, .accepted = std::move(accepted)};
  }

  FakeCluster cluster_;
  FakeCaller caller_;
  std::string id_;
};

TEST_F(Resume, IsContinuedInTheDirectionItHad) {
  const auto outcome = resume_operation(request(), find(), caller_.caller());
  ASSERT_TRUE(outcome.status) << outcome.status.error().to_string();
  EXPECT_EQ(outcome.before->id, id_);
  EXPECT_EQ(outcome.before->summary.state, "unfinished");
  EXPECT_EQ(outcome.report->phase, operation::Phase::failed) << "it was being undone";
  EXPECT_EQ(outcome.after->summary.state, "failed");
  EXPECT_EQ(cluster_.undone, (Lines{"prove-m1", "start-m1"}));
  EXPECT_EQ(caller_.observer.operations.back(), id_);
  EXPECT_EQ(caller_.observer.seen.front(), "operation");
  EXPECT_EQ(caller_.observer.seen.back(), "execution ended");
  EXPECT_EQ(caller_.operations(), Lines{"repair failed"});
}

TEST_F(Resume, IsUndone) {
  const auto outcome = undo_operation(request(), find(), caller_.caller());
  ASSERT_TRUE(outcome.status) << outcome.status.error().to_string();
  EXPECT_EQ(caller_.operations(), Lines{"repair failed"});
  for (bool dry_run : {false, true}) {
    const auto again = undo_operation(request({}, dry_run), find(), caller_.caller());
    ASSERT_FALSE(again.status);
    EXPECT_EQ(again.status.error().id, "operation.over");
  }
}

TEST_F(Resume, ADryRunChecksAndChangesNothing) {
  EXPECT_TRUE(resume_operation(request({}, true), find(), caller_.caller()).status);
  EXPECT_TRUE(undo_operation(request({}, true), find(), caller_.caller()).status);
  const auto refused = resume_operation(request({"something"}, true), find(), caller_.caller());
  ASSERT_FALSE(refused.status);
  EXPECT_EQ(refused.status.error().id, "operation.acceptance_not_needed");
  EXPECT_EQ(cluster_.undone, Lines{});
  EXPECT_EQ(caller_.operations(), Lines{"repair unfinished"});
}

TEST_F(Resume, AClusterThatIsNotKnownIsNotGuessed) {
  const auto outcome = resume_operation(
      request(),
      [](const operation::Plan&) -> Result<std::shared_ptr<ClusterAccess>> {
        return fail(ErrorClass::usage, "cluster.not_found", "not known here");
      },
      caller_.caller());
  ASSERT_FALSE(outcome.status);
  EXPECT_EQ(outcome.status.error().id, "cluster.not_found");
  EXPECT_FALSE(outcome.after);
}

TEST_F(Resume, IsClosedOnlyByName) {
  const auto refused = abandon_operation(request(), caller_.caller());
  ASSERT_FALSE(refused.status);
  EXPECT_EQ(refused.status.error().id, "operation.not_accepted");
  EXPECT_NE(refused.status.error().message.find("undoing"), std::string::npos) << refused.status.error().message;
  EXPECT_TRUE(abandon_operation(request({"abandon:" + id_}), caller_.caller()).status);
  EXPECT_EQ(caller_.operations(), Lines{"repair abandoned"});
}

TEST_F(Resume, UnfinishedOnesKeepARepairAwayAndAreSeenByTriage) {
  const auto outcome = repair_cluster(cluster_, {}, caller_.caller());
  ASSERT_FALSE(outcome.status);
  EXPECT_EQ(outcome.status.error().id, "operation.unfinished");
  const auto around = caller_.caller().operations.surroundings(cluster_.cluster());
  ASSERT_EQ(around.operations.size(), 1u);
  EXPECT_EQ(around.operations[0].id, id_);
}

/// The same of a cluster that has a uid.
class ResumeByUid : public Resume {
 protected:
  void SetUp() override {
    cluster_.description.uid = kUid;
    Resume::SetUp();
  }
  const std::string kUid = "5f0c9a1e-7d42-4b8f-9c11-1e2d3c4b5a69";
};

TEST_F(ResumeByUid, NotOnAClusterThatOnlyHasTheSameName) {
  cluster_.description.uid = "00000000-0000-4000-8000-000000000001";
  for (const auto verb : {resume_operation, undo_operation}) {
    const auto outcome = verb(request(), find(), caller_.caller());
    ASSERT_FALSE(outcome.status);
    EXPECT_EQ(outcome.status.error().id, "operation.other_cluster");
    EXPECT_NE(outcome.status.error().message.find(kUid), std::string::npos) << outcome.status.error().message;
  }
  EXPECT_EQ(cluster_.undone, Lines{});
  EXPECT_EQ(cluster_.fences, 1) << "of the repair itself";
  EXPECT_EQ(caller_.operations(), Lines{"repair unfinished"});
}

TEST_F(ResumeByUid, WhereTheResourceHasNone) {
  cluster_.description.uid = "";
  EXPECT_TRUE(undo_operation(request(), find(), caller_.caller()).status);
  EXPECT_EQ(caller_.operations(), Lines{"repair failed"});
}

/// A rebuild that stopped behind its point of no return.
class ResumeForward : public Resume {
 protected:
  void SetUp() override {
    cluster_.ailing = {{1, test::kDamaged}};
    cluster_.data_folder = caller_.state_dir();
    caller_.copies.open = test::SmallCopies::in(small_);
    cluster_.on_step = [](const operation::Step& step) {
      return step.kind == "drop_aside" ? Status(fail(ErrorClass::failed, "test.drop", "busy")) : Status();
    };
    const auto outcome = repair_cluster(cluster_, {.escrow = {.repository = "R"}}, caller_.caller());
    ASSERT_FALSE(outcome.status);
    ASSERT_EQ(outcome.status.error().id, "operation.stopped") << outcome.status.error().to_string();
    id_ = outcome.runs.at(0).operation;
    cluster_.on_step = nullptr;
    cluster_.done.clear();
  }
  test::SmallRepository small_;
};

TEST_F(ResumeForward, DoesTheRest) {
  const auto outcome = resume_operation(request(), find(), caller_.caller());
  ASSERT_TRUE(outcome.status) << outcome.status.error().to_string();
  EXPECT_EQ(outcome.report->phase, operation::Phase::done);
  EXPECT_EQ(cluster_.done, Lines{"drop-m1"});
  EXPECT_EQ(caller_.operations(), Lines{"repair done"});
  ASSERT_EQ(outcome.kept.size(), 1u) << "the copy that was stored before is not shown";
  EXPECT_EQ(outcome.kept[0].type, "escrow");
}

// A copy that is stored already needs no repository any more.
TEST_F(ResumeForward, WithoutTheRepository) {
  caller_.copies.open = test::FakeCaller().copies.open;
  EXPECT_TRUE(resume_operation(request(), find(), caller_.caller()).status);
}

TEST_F(ResumeForward, AClusterThatChangedIsAcceptedByName) {
  cluster_.ailing[2] = kStopped;
  auto outcome = resume_operation(request(), find(), caller_.caller());
  ASSERT_FALSE(outcome.status);
  EXPECT_EQ(outcome.status.error().id, "operation.world_changed");
  EXPECT_EQ(cluster_.done, Lines{});
  outcome = resume_operation(request({"changed-world:" + id_}), find(), caller_.caller());
  ASSERT_TRUE(outcome.status) << outcome.status.error().to_string();
  EXPECT_EQ(caller_.operations(), Lines{"repair done"});
}

}  // namespace
}  // namespace holdfast::steward

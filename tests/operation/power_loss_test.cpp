// The operation engine cut off after every single change it makes to files: killed there (all it did is there), or by
// power loss (what was not synced is gone, or some of it). Resume and undo, each, must bring the toy cluster to an
// allowed end; and so once more when the resume or the undo is itself cut off anywhere.
#include <algorithm>
#include <filesystem>

#include "tests/damage/oplog.h"
#include "tests/operation/sweep.h"
#include "tests/support/program.h"
#include "tests/support/require.h"
#include "tests/support/sample.h"

namespace holdfast::test {
namespace {

namespace fs = std::filesystem;

/// How many operations a cut lets happen, from none to all of them: a share of those after each kind of operation.
std::vector<size_t> cuts_of(const std::vector<FileOp>& ops, const std::string& what, double share) {
  std::vector<std::string> kinds = {"nothing"};
  for (const auto& op : ops) kinds.push_back(&op == &ops.back() ? "all" : std::string(1, op.kind));
  return sample(what, kinds, share);
}

class PowerLoss : public testing::Test {
 protected:
  void SetUp() override {
    HOLDFAST_NEED("preload", kMayPreload, "a preloaded library must not come before the sanitizer's");
  }

  /// Runs the verb in a process of its own, from the state in root_; what it did to files.
  std::vector<FileOp> recorded(const std::string& verb) {
    fs::remove_all(base_ + "/start");
    fs::copy(root_, base_ + "/start", fs::copy_options::recursive);
    fs::remove(base_ + "/oplog");
    run_program({TOY_OPERATION, verb, root_},
                {.env = {{"LD_PRELOAD", OPLOG_PRELOAD}, {"OPLOG_ROOT", root_}, {"OPLOG_FILE", base_ + "/oplog"}}});
    return fs::exists(base_ + "/oplog") ? read_oplog(base_ + "/oplog") : std::vector<FileOp>{};
  }

  /// The states in which a cut after these operations leaves root_; `judge` sees root_ in each.
  template <class Judge>
  size_t at_cuts(const std::vector<FileOp>& ops, const std::vector<size_t>& cuts, Judge judge) {
    const std::string start = base_ + "/model-start";
    fs::remove_all(start);
    fs::copy(base_ + "/start", start, fs::copy_options::recursive);
    CrashModel model(start, root_);
    model.keep_renames_whole();
    size_t states = 0;
    for (size_t i = 0; i <= ops.size(); ++i) {
      if (i > 0) model.apply(ops[i - 1]);
      if (!std::ranges::binary_search(cuts, i)) continue;
      for (const auto loss : {Loss::nothing, Loss::everything, Loss::some}) {
        for (const bool by_undo : {false, true}) {
          std::mt19937_64 random(seed_ + i);
          fs::remove_all(root_);
          model.build(root_, loss, random);
          SCOPED_TRACE("cut after operation " + std::to_string(i) + " of " + std::to_string(ops.size()) +
                       (i > 0 ? std::string(", ") + ops[i - 1].kind + " " + ops[i - 1].a + " " + ops[i - 1].b : "") +
                       (loss == Loss::nothing      ? ", nothing lost"
                        : loss == Loss::everything ? ", all unsynced lost"
                                                   : ", some lost") +
                       (by_undo ? ", then undo" : ", then resume"));
          ++states;
          judge(by_undo);
          if (HasFailure()) return states;
        }
      }
    }
    return states;
  }

  Folder folder_;
  const std::string base_ = folder_.path(), root_ = base_ + "/root";
  uint64_t seed_ = 20261121;
};

TEST_F(PowerLoss, once_at_every_file_operation) {
  for (const bool already : {false, true}) {
    SCOPED_TRACE(already ? "m1 was stopped and fenced before" : "m1 was running");
    fs::remove_all(root_);
    make_toy(root_, already, already);
    const Files start = toy_files(root_);
    const auto ops = recorded("run");
    ASSERT_EQ(toy_files(root_), toy_goal(start)) << "the rehearsal";
    ASSERT_GT(ops.size(), 60u);
    for (uint64_t round = 0; round < 3; ++round) {  // other things are lost each time
      seed_ += 1000;
      at_cuts(ops, cuts_of(ops, "", 1), [&](bool by_undo) { expect_allowed_end(root_, start, by_undo); });
      if (HasFailure()) return;
    }
  }
}

TEST_F(PowerLoss, twice_in_a_row) {
  make_toy(root_, false, true);
  const Files start = toy_files(root_);
  const auto first = recorded("run");
  const std::string first_start = base_ + "/first-start";
  fs::copy(base_ + "/start", first_start, fs::copy_options::recursive);
  const auto first_cuts = cuts_of(first, "the first cut", 1.0 / 3);
  CrashModel model(first_start, root_);
  model.keep_renames_whole();
  std::mt19937_64 random(7);
  size_t states = 0;
  for (size_t i = 0; i < first.size(); ++i) {
    model.apply(first[i]);
    if (!std::ranges::binary_search(first_cuts, i + 1)) continue;
    for (const char* verb : {"resume", "undo"}) {
      SCOPED_TRACE("first cut after operation " + std::to_string(i + 1) + ", then " + verb);
      fs::remove_all(root_);
      model.build(root_, i % 2 ? Loss::everything : Loss::some, random);
      const auto second = recorded(verb);
      const auto cuts = cuts_of(second, "after " + std::to_string(i) + verb, 1.0 / 3);
      states += at_cuts(second, cuts, [&](bool by_undo) { expect_allowed_end(root_, start, by_undo); });
      if (HasFailure()) return;
    }
  }
  EXPECT_GT(states, 1000u);
}

}  // namespace
}  // namespace holdfast::test

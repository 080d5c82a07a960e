// Power loss at every store operation of a backup and of a prune: whatever of the unsynced bytes and names is lost, the
// repository checks clean, older snapshots restore, and the next run goes on.
#include <algorithm>
#include <filesystem>

#include "tests/damage/damage.h"
#include "tests/damage/oplog.h"
#include "tests/interop/json.h"
#include "tests/support/sample.h"

namespace holdfast::test {
namespace {

class Crash : public Damage {
 protected:
  void SetUp() override {
    HOLDFAST_NEED("preload", kMayPreload, "a preloaded library must not come before the sanitizer's");
    Damage::SetUp();
  }

  Command with_repo(Args args) {
    auto command = box.holdfast(std::move(args));
    command.argv.insert(command.argv.end(), {"-r", repo});
    return command;
  }

  /// Runs `command` on the repository, recorded; what it did.
  std::vector<FileOp> recorded(Command command) {
    start_ = path("start");
    std::filesystem::copy(repo, start_, std::filesystem::copy_options::recursive);
    command.env["LD_PRELOAD"] = OPLOG_PRELOAD;
    command.env["OPLOG_ROOT"] = repo;
    command.env["OPLOG_FILE"] = path("oplog");
    const auto outcome = run(std::move(command));
    EXPECT_TRUE(outcome.ok()) << outcome.describe();
    return read_oplog(path("oplog"));
  }

  /// Builds the state after operations of the run under every kind of loss, and calls `judge` with the repository in
  /// that state: after each one with HOLDFAST_ALL_OPERATIONS=1, else after `most`, the last among them.
  template <class Judge>
  void at_every_operation(const std::vector<FileOp>& ops, Judge judge, size_t most = 12) {
    const auto cuts = sample(testing::UnitTest::GetInstance()->current_test_info()->name(), ops.size() + 1, most);
    std::mt19937_64 random(20261121);
    CrashModel model(start_, repo);
    for (size_t i = 0; i <= ops.size(); ++i) {
      if (i > 0) model.apply(ops[i - 1]);
      if (!std::ranges::binary_search(cuts, i)) continue;
      for (const auto loss : {Loss::everything, Loss::nothing, Loss::some}) {
        std::filesystem::remove_all(repo);
        model.build(repo, loss, random);
        SCOPED_TRACE("crash after operation " + std::to_string(i) + " of " + std::to_string(ops.size()) +
                     (i > 0 ? std::string(", ") + ops[i - 1].kind + " " + ops[i - 1].a + " " + ops[i - 1].b : "") +
                     (loss == Loss::everything ? ", all unsynced lost"
                      : loss == Loss::nothing  ? ", nothing lost"
                                               : ", some lost"));
        judge(i == ops.size());
        if (HasFailure()) return;
      }
    }
  }

  std::string start_;
};

TEST_F(Crash, the_recorded_operations_rebuild_the_repository) {
  auto command = with_repo({"backup", "--stdin", "--path", "/new"});
  command.stdin_text = some_dump(100'000, 7);
  const auto ops = recorded(command);
  EXPECT_GT(ops.size(), 10u);
  CrashModel model(start_, repo);
  for (const auto& op : ops) model.apply(op);
  std::mt19937_64 random(1);
  model.build(path("rebuilt"), Loss::nothing, random);
  EXPECT_TRUE(run({.argv = {"diff", "-r", repo, path("rebuilt")}}).ok());
}

TEST_F(Crash, backup) {
  const auto content = some_dump(3'000'000, 8);
  auto command = with_repo({"backup", "--stdin", "--path", "/new"});
  command.stdin_text = content;
  const auto ops = recorded(command);
  at_every_operation(ops, [&](bool finished) {
    holdfast({"check", "--read-data"});
    expect_streams();
    size_t visible = 0;
    for (const auto& snapshot : snapshots_of(holdfast({"get", "snapshots", "-o", "json"}).out))
      visible += snapshot["paths"][0] == "/new";
    if (finished) {
      EXPECT_EQ(visible, 1u) << "the run had said that it was done";
    }
    if (visible) {
      EXPECT_TRUE(holdfast({"dump", "latest", "/new"}).out == content);
    }
    const auto again = run(command);
    EXPECT_TRUE(again.ok()) << again.describe();
    EXPECT_TRUE(holdfast({"dump", "latest", "/new"}).out == content);
  });
  restic({"unlock", "--remove-all"});
  expect_whole();
}

TEST_F(Crash, prune) {
  for (unsigned i = 0; i < 3; ++i)
    holdfast_stream(some_dump(1'500'000, 10 + i) + some_dump(1'500'000, 9 + i), "/pruned");
  streams["/pruned"] = some_dump(1'500'000, 12) + some_dump(1'500'000, 11);
  const auto command = with_repo({"prune", "--keep-last", "1", "--max-unused", "0"});
  const auto ops = recorded(command);
  at_every_operation(ops, [&](bool) {
    holdfast({"repo", "unlock"});
    holdfast({"check", "--read-data"});
    expect_streams();
    const auto again = run(command);
    EXPECT_TRUE(again.ok()) << again.describe();
    holdfast({"check"});
    expect_streams();
  });
  restic({"unlock", "--remove-all"});
  expect_whole();
}

TEST_F(Crash, init) {
  std::filesystem::remove_all(repo);
  std::filesystem::create_directory(repo);
  const auto ops = recorded(with_repo({"repo", "init"}));
  const auto content = some_dump(100'000, 3);
  at_every_operation(
      ops,
      [&](bool finished) {
        // Either there is no repository yet, and the next init makes it, or it is whole.
        const auto seen = run(with_repo({"check"}));
        if (finished) {
          EXPECT_TRUE(seen.ok()) << "init had said that it was done: " << seen.describe();
        }
        if (!seen.ok()) {
          EXPECT_EQ(seen.code, 3) << seen.describe();
          EXPECT_NE(seen.err.find("holdfast repo init"), std::string::npos) << seen.describe();
          holdfast({"repo", "init"});
        }
        auto backup = with_repo({"backup", "--stdin", "--path", "/first"});
        backup.stdin_text = content;
        const auto stored = run(std::move(backup));
        EXPECT_TRUE(stored.ok()) << stored.describe();
        EXPECT_TRUE(holdfast({"dump", "latest", "/first"}).out == content);
        holdfast({"check", "--read-data"});
        restic({"check"});
      },
      5);
}

}  // namespace
}  // namespace holdfast::test

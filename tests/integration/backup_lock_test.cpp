// A cluster's backup and its lock: what somebody else removes while the dump runs must not become a snapshot. A real
// server gives the dump; the repository is in memory, so that the removal comes at an exact point of the backup.
#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>

#include "backup/backup_cluster.h"
#include "engine/programs.h"
#include "repo/lock.h"
#include "tests/support/hook_store.h"
#include "tests/support/lab_guard.h"
#include "tests/support/member_sql.h"
#include "tests/support/require.h"
#include "tests/support/small_repository.h"

namespace holdfast::test {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

class ClusterBackupLock : public testing::Test {
 protected:
  void SetUp() override {
    HOLDFAST_NEED("mysql", engine::find_program(cluster::Engine::mysql, "mysqld").has_value(),
                  "its server is not installed");
    lab_.emplace();
    const auto up = lab_->holdfast({"lab", "up", "shop-mysql"});
    ASSERT_EQ(up.exit_code, 0) << up.err;
    const auto load = lab_->holdfast({"lab", "load", "-c", "shop-mysql", "--size", "1MB"});
    ASSERT_EQ(load.exit_code, 0) << load.err;
    const codec::Value server = lab_->member("shop-mysql-0");
    cluster::Member member;
    member.name = MemberName("shop-mysql-0");
    member.socket = server["socket"].text();
    const sql::Target target = target_of(server);
    request_.cluster.name = ClusterName("shop-mysql");
    request_.cluster.ns = "shop";
    request_.cluster.engine = cluster::Engine::mysql;
    request_.cluster.members = {member};
    request_.target_of = [target](const cluster::Member& of, Deadline, const std::stop_token&) -> Result<sql::Target> {
      sql::Target by_socket = target;
      by_socket.socket = of.socket;
      return by_socket;
    };
    request_.saver.pack_size = 64 * 1024;  // the first pack is full long before the dump ends
    request_.saver.workers = 1;
    repository_ = small_.open(hooks_).value();
    ASSERT_TRUE(repository_->load_index());
  }

  size_t count(const std::string& prefix) {
    const auto image = small_.store->image();
    return static_cast<size_t>(std::count_if(image.begin(), image.end(),
                                             [&](const auto& object) { return object.first.starts_with(prefix); }));
  }

  std::optional<LabGuard> lab_;
  SmallRepository small_;
  std::shared_ptr<HookStore> hooks_ = std::make_shared<HookStore>(small_.store);
  std::unique_ptr<repo::Repository> repository_;
  backup::BackupRequest request_;
};

TEST_F(ClusterBackupLock, RemovedMeanwhileFailsTheBackupAndLeavesNoSnapshot) {
  // While the dump comes in, and at the last moment before the snapshot.
  for (const std::string moment : {"data/", "index/"}) {
    SCOPED_TRACE("removed after the first object of " + moment);
    auto lock = repo::Lock::acquire(*repository_, repo::LockKind::shared, seconds(0), {}, {.settle = milliseconds(1)});
    ASSERT_TRUE(lock) << lock.error().to_string();
    bool removed = false;
    hooks_->after_put(
        moment, [&](const std::string&) { removed = repo::remove_locks(*small_.open().value(), true).value() == 1; });
    const auto made = backup::back_up_cluster(*repository_, request_, nullptr, [&] { return (*lock)->confirm(); }, {});
    EXPECT_TRUE(removed) << "the backup stored nothing, so there was nothing to disturb";
    ASSERT_FALSE(made) << "the backup became visible without a lock";
    EXPECT_EQ(made.error().id, "repo.lock_lost") << made.error().to_string();
    EXPECT_EQ(made.error().error_class, ErrorClass::conflict);
    EXPECT_FALSE(made.error().hint.empty());
    EXPECT_EQ(count("snapshots/"), 0u);
  }
  // Nothing else was in its way.
  auto lock = repo::Lock::acquire(*repository_, repo::LockKind::shared, seconds(0), {}, {.settle = milliseconds(1)});
  ASSERT_TRUE(lock) << lock.error().to_string();
  const auto made = backup::back_up_cluster(*repository_, request_, nullptr, [&] { return (*lock)->confirm(); }, {});
  ASSERT_TRUE(made) << made.error().to_string();
  EXPECT_EQ(made->member, "shop-mysql-0");
  EXPECT_GT(made->info.counts.rows, 100u);
  EXPECT_EQ(count("snapshots/"), 1u);
}

}  // namespace
}  // namespace holdfast::test

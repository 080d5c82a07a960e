// What a restore over SQL refuses before it changes anything, on a server that only says what it has.
#include "backup/sql_restore.h"

#include <gtest/gtest.h>

#include "tests/support/small_repository.h"

namespace holdfast::backup {
namespace {

using cluster::Engine;

class FakePlace : public SqlPlace {
 public:
  Result<PlaceView> look() override { return view; }
  Status undo_remains(const Say&) override {
    ++undone;
    view.remains.clear();
    return {};
  }
  Status check(const PlaceRequest& request) override {
    checked = request.databases.size();
    return {};
  }
  Status prepare(const PlaceRequest&) override { return fail(ErrorClass::bug, "test", "nothing may be changed"); }
  const std::map<std::string, std::string>& names() const override { return names_; }
  Result<std::vector<FailedObject>> publish() override { return std::vector<FailedObject>(); }
  std::vector<std::string> drop_old() override { return {}; }
  Status undo() override { return {}; }

  PlaceView view;
  int undone = 0;
  size_t checked = 0;

 private:
  std::map<std::string, std::string> names_;
};

constexpr std::string_view kDump =
    "CREATE DATABASE /*!32312 IF NOT EXISTS*/ `erp`;\nUSE `erp`;\nCREATE TABLE `t` (i INT);\nINSERT INTO `t` VALUES "
    "(1);\nCREATE DATABASE `crm`;\nUSE `crm`;\nCREATE TABLE `u` (i INT);\n-- Dump completed\n";

class SqlRestorePlanTest : public ::testing::Test {
 protected:
  void SetUp() override { take(kDump); }
  void take(std::string_view dump) {
    request_.restore.engine = Engine::mysql;
    request_.restore.choice = {small_.must_backup("/shop/erp/mysqldump.sql", as_bytes(dump), hours_++),
                               "/shop/erp/mysqldump.sql"};
    request_.restore.sidecar = codec::Value::object({{"serverVersion", "8.4.3"}});
    request_.cluster = "shop/erp";
    request_.member = "erp-0";
    place_.view.version = "8.4.9";
  }
  Result<SqlRestorePlan> plan() {
    auto repository = small_.open();
    EXPECT_TRUE(repository);
    EXPECT_TRUE((*repository)->load_index());
    return plan_sql_restore(**repository, request_, place_, {});
  }
  std::string refused() {
    auto found = plan();
    return found ? "" : found.error().id;
  }

  test::SmallRepository small_;
  int hours_ = 0;
  SqlRestoreRequest request_;
  FakePlace place_;
};

TEST_F(SqlRestorePlanTest, AbsentDatabasesAreCreated) {
  const auto found = plan();
  ASSERT_TRUE(found) << found.error().to_string();
  EXPECT_EQ(found->created, (std::vector<std::string>{"erp", "crm"}));
  EXPECT_TRUE(found->replaced.empty());
  EXPECT_EQ(place_.checked, 2u);
  EXPECT_EQ(found->content.find("erp")->rows, 1u);
}

TEST_F(SqlRestorePlanTest, EachDatabaseThatIsThereIsAcceptedByName) {
  place_.view.databases = {"erp", "crm", "other"};
  const auto all = plan();
  ASSERT_FALSE(all);
  EXPECT_EQ(all.error().id, "restore.replace_database");
  EXPECT_NE(all.error().hint.find("--accept=replace-database:erp --accept=replace-database:crm"), std::string::npos);
  request_.replace = {"erp"};
  EXPECT_EQ(refused(), "restore.replace_database");
  request_.replace = {"erp", "crm"};
  EXPECT_EQ(refused(), "");
  request_.replace = {"erp"};
  request_.databases = {"erp"};
  EXPECT_EQ(refused(), "") << "the other one is not wanted";
}

TEST_F(SqlRestorePlanTest, WhatTheSnapshotLacksIsRefused) {
  request_.databases = {"hr"};
  EXPECT_EQ(refused(), "restore.no_databases");
  request_.databases = {"mysql"};
  EXPECT_EQ(refused(), "restore.no_databases");
  request_.databases.clear();
  take("CREATE DATABASE `mysql`;\nUSE `mysql`;\nCREATE TABLE `user` (i INT);\n-- Dump completed\n");
  EXPECT_EQ(refused(), "restore.no_databases");
}

TEST_F(SqlRestorePlanTest, AnOlderServerIsRefusedUnlessAccepted) {
  place_.view.version = "8.0.42";
  EXPECT_EQ(refused(), "restore.older_server");
  request_.older_server = true;
  EXPECT_EQ(refused(), "");
}

TEST_F(SqlRestorePlanTest, RemainsAreRefusedUntilTheyMayBeUndone) {
  place_.view.remains = {"the restore of erp did not end"};
  EXPECT_EQ(refused(), "restore.unfinished");
  EXPECT_EQ(place_.undone, 0);
  request_.undo_remains = true;
  EXPECT_EQ(refused(), "");
  EXPECT_EQ(place_.undone, 1);
}

TEST_F(SqlRestorePlanTest, HalfADumpIsRefusedBeforeRemainsAreTouched) {
  take("CREATE DATABASE `erp`;\nUSE `erp`;\nCREATE TABLE `t` (i INT);\n");
  place_.view.remains = {"the restore of erp did not end"};
  request_.undo_remains = true;
  EXPECT_EQ(refused(), "restore.incomplete_dump");
  EXPECT_EQ(place_.undone, 0);
}

TEST_F(SqlRestorePlanTest, AReadOnlyServerIsNoPrimary) {
  place_.view.read_only = true;
  EXPECT_EQ(refused(), "restore.no_primary");
}

TEST(SqlRestore, VersionsAreComparedAsEnginesCountThem) {
  EXPECT_TRUE(is_older(Engine::postgres, "15.13", "16.1"));
  EXPECT_FALSE(is_older(Engine::postgres, "16.1 (Debian 16.1-1)", "16.9"));
  EXPECT_TRUE(is_older(Engine::mariadb, "10.6.18-MariaDB", "10.11.2-MariaDB-log"));
  EXPECT_FALSE(is_older(Engine::mariadb, "11.4.2-MariaDB", "10.11.2-MariaDB"));
  EXPECT_FALSE(is_older(Engine::mysql, "8.4.3", "8.4.9"));
  EXPECT_FALSE(is_older(Engine::mysql, "8.4.3", "")) << "not known";
}

class PlaceToRestoreTest : public ::testing::Test {
 protected:
  engine::MemberView view(const char* name, bool replica, std::optional<bool> read_only) {
    engine::MemberView view;
    members_.push_back(std::make_unique<cluster::Member>());
    members_.back()->name = MemberName(name);
    view.member = members_.back().get();
    view.known = view.healthy = true;
    view.is_replica = replica;
    view.read_only = read_only;
    return view;
  }
  std::string chosen(const std::vector<engine::MemberView>& views) {
    auto found = place_to_restore(cluster_, views);
    return found ? found->member->name.str() : found.error().id;
  }
  cluster::DatabaseCluster cluster_;
  std::vector<std::unique_ptr<cluster::Member>> members_;
};

TEST_F(PlaceToRestoreTest, IsTheOneThatAcceptsWrites) {
  const auto primary = view("erp-0", false, false), replica = view("erp-1", true, true),
             retired = view("erp-2", false, true);
  EXPECT_EQ(chosen({replica, retired, primary}), "erp-0");
  EXPECT_EQ(chosen({replica, retired}), "restore.no_primary");
  EXPECT_EQ(chosen({}), "restore.no_primary");
  EXPECT_EQ(chosen({primary, replica, view("erp-3", false, false)}), "restore.two_primaries");
  cluster_.engine = Engine::galera;
  EXPECT_EQ(chosen({primary, view("erp-3", false, false)}), "erp-0");
}

}  // namespace
}  // namespace holdfast::backup

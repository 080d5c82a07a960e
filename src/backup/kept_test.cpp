#include "backup/kept.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>

#include "backup/diverged.h"
#include "backup/escrow.h"
#include "sys/file.h"
#include "tests/support/small_repository.h"

namespace holdfast::backup {
namespace {

constexpr const char* kFirst = "20261121T000000Z-aaaa";
constexpr const char* kSecond = "20261122T000000Z-bbbb";

class KeptTest : public ::testing::Test {
 protected:
  void SetUp() override {
    auto made = sys::TempDir::create("kept");
    ASSERT_TRUE(made);
    folder_.emplace(std::move(*made));
    std::filesystem::create_directories(data() + "/base");
    ASSERT_EQ(::chmod(data().c_str(), 0700), 0);
    for (const char* name : {"orders-0", "orders-1"}) {
      cluster::Member member;
      member.name = MemberName(name);
      member.ordinal = name[7] - '0';
      cluster_.members.push_back(member);
    }
    cluster_.name = ClusterName("orders");
    cluster_.ns = "shop";
    auto opened = small_.open();
    ASSERT_TRUE(opened);
    repository_ = std::move(*opened);
    ASSERT_TRUE(repository_->load_index());
  }
  std::string data() const { return folder_->path() + "/data"; }
  std::string keep(const std::string& member, const std::string& job, const std::string& content) {
    std::ofstream(data() + "/base/table") << content;
    EscrowRequest request;
    request.cluster = cluster_;
    request.member = member;
    request.folder = data();
    request.job = job;
    repo::TreeBackupProgress progress;
    auto kept = take_escrow(*repository_, request, progress, {}, {});
    EXPECT_TRUE(kept) << kept.error().to_string();
    return kept ? kept->snapshot : "";
  }
  static KeptWanted wanted(std::string member, std::string snapshot = "latest") {
    KeptWanted w;
    w.cluster = "orders";
    w.member = std::move(member);
    w.snapshot = std::move(snapshot);
    return w;
  }
  std::string chosen(const KeptWanted& w) {
    auto copy = choose_kept(*repository_, w);
    return copy ? copy->snapshot.id.hex() : copy.error().id;
  }

  std::optional<sys::TempDir> folder_;
  test::SmallRepository small_;
  std::unique_ptr<repo::Repository> repository_;
  cluster::DatabaseCluster cluster_;
};

TEST_F(KeptTest, TheNewestOfTheMemberOrTheOneNamed) {
  const std::string old = keep("orders-1", kFirst, "old"), other = keep("orders-0", kSecond, "other"),
                    now = keep("orders-1", kSecond, "now");
  EXPECT_EQ(chosen(wanted("1")), now);
  EXPECT_EQ(chosen(wanted("orders-1")), now);
  EXPECT_EQ(chosen(wanted("0")), other);
  EXPECT_EQ(chosen(wanted("1", old.substr(0, 10))), old);
  EXPECT_EQ(chosen(wanted("1", kFirst)), old) << "by the operation";
  KeptWanted anywhere = wanted("1", kSecond);
  anywhere.cluster.clear();
  EXPECT_EQ(chosen(anywhere), now) << "an operation has one cluster";
}

TEST_F(KeptTest, WhatDoesNotFitIsRefusedByName) {
  const std::string id = keep("orders-1", kFirst, "x");
  EXPECT_EQ(chosen(wanted("0", id)), "restore.wrong_member");
  EXPECT_EQ(chosen(wanted("11", id)), "restore.wrong_member");
  EXPECT_EQ(chosen(wanted("0")), "repo.snapshot.not_found");
  EXPECT_EQ(chosen(wanted("0", kFirst)), "repo.snapshot.not_found");
  KeptWanted w = wanted("1", id);
  w.cluster = "stock";
  EXPECT_EQ(chosen(w), "restore.wrong_cluster");
  w.snapshot = "latest";
  EXPECT_EQ(chosen(w), "repo.snapshot.not_found");
  w = wanted("1", id);
  w.ns = "elsewhere";
  EXPECT_EQ(chosen(w), "restore.wrong_cluster");
  w = wanted("1", id);
  w.type = "diverged";
  EXPECT_EQ(chosen(w), "restore.wrong_snapshot");
  w.snapshot = "latest";
  auto none = choose_kept(*repository_, w);
  ASSERT_FALSE(none);
  EXPECT_EQ(none.error().id, "repo.snapshot.not_found");
  EXPECT_NE(none.error().hint.find("orders-1 -t escrow"), std::string::npos) << none.error().hint;
  w = wanted("1");
  w.cluster.clear();
  EXPECT_EQ(chosen(w), "cli.no_cluster");
}

TEST_F(KeptTest, ComesBackAsTheDirectoryItselfIntoAnEmptyOneOnly) {
  keep("orders-1", kFirst, "rows");
  auto copy = choose_kept(*repository_, wanted("1"));
  ASSERT_TRUE(copy) << copy.error().to_string();
  const std::string into = folder_->path() + "/into";
  repo::RestoreProgress progress;
  auto done = restore_kept(*repository_, *copy, into, {}, progress, {});
  ASSERT_TRUE(done) << done.error().to_string();
  EXPECT_EQ(done->files, 1u);
  EXPECT_TRUE(done->problems.empty());
  EXPECT_EQ(std::filesystem::file_size(into + "/base/table"), 4u);
  struct stat seen{};
  ASSERT_EQ(::stat(into.c_str(), &seen), 0);
  EXPECT_EQ(seen.st_mode & 07777u, 0700u) << "a server refuses a data directory others may read";
  auto again = restore_kept(*repository_, *copy, into, {}, progress, {});
  ASSERT_FALSE(again);
  EXPECT_EQ(again.error().id, "restore.not_empty");
  again = restore_kept(*repository_, *copy, into + "/base/table", {}, progress, {});
  ASSERT_FALSE(again);
  EXPECT_EQ(again.error().id, "restore.not_empty");
}

TEST_F(KeptTest, SnapshotsOfOneOperationHaveItsTime) {
  keep("orders-1", kFirst, "x");
  auto copy = choose_kept(*repository_, wanted("1"));
  ASSERT_TRUE(copy);
  EXPECT_EQ(copy->snapshot.time.to_string(), "2026-11-21T00:00:00Z");
  EXPECT_EQ(copy->snapshot.tag_value("instance"), "1");
}

TEST_F(KeptTest, AMemberThatGivesNoDumpIsAReportAndLeavesNoSnapshot) {
  cluster_.members[1].host = "127.0.0.1";
  cluster_.members[1].port = 1;  // nobody listens there
  DivergedRequest request;
  request.cluster = cluster_;
  request.target_of = [](const cluster::Member& member, Deadline, const std::stop_token&) -> Result<sql::Target> {
    sql::Target target;
    target.host = member.host;
    target.port = member.port;
    return target;
  };
  request.member = "orders-1";
  request.job = kFirst;
  for (const auto engine : {cluster::Engine::mariadb, cluster::Engine::postgres}) {
    request.cluster.engine = engine;
    auto report = dump_diverged(*repository_, request, {}, {});
    ASSERT_TRUE(report) << report.error().to_string();
    EXPECT_NE(report->undumpable, "");
    EXPECT_EQ(report->snapshot, "");
  }
  EXPECT_FALSE(repository_->find_snapshot("latest"));
}

TEST_F(KeptTest, DumpsAreNamedByOrdinal) {
  EXPECT_EQ(diverged_path(cluster_, cluster_.members[1]), "shop/orders/1-mysqldump.sql");
  cluster_.engine = cluster::Engine::postgres;
  EXPECT_EQ(diverged_path(cluster_, cluster_.members[0]), "shop/orders/0-pgdumpall.sql");
}

}  // namespace
}  // namespace holdfast::backup

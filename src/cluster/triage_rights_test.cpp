// Rights that the account of triage lacks: one diagnosis, however many members and facts.
#include <gtest/gtest.h>

#include <string>

#include "cluster/triage.h"
#include "tests/support/triage_world.h"

namespace holdfast::cluster {
namespace {

using test::expect_next_commands;
using test::healthy;
using test::World;

constexpr const char* kWho = "'watch'@'%'";

MissingRight lacks(const std::string& right, std::vector<std::string> unknown) {
  return {kWho, right, "GRANT " + right + " TO " + kWho, std::move(unknown)};
}

const Diagnosis* said(const TriageReport& report) {
  const Diagnosis* found = nullptr;
  for (const auto& d : report.diagnoses) {
    if (d.id != "account-lacks-rights") continue;
    EXPECT_EQ(found, nullptr) << "said twice";
    found = &d;
  }
  return found;
}

TEST(MissingRights, AreOneDiagnosisForAllMembers) {
  World w = healthy(Engine::mysql);
  EXPECT_EQ(said(w.report()), nullptr);
  for (auto& m : w.facts) m.missing_rights = {lacks("PROCESS ON *.*", {"transactions", "size"})};
  w[0].missing_rights.push_back(lacks("REPLICATION CLIENT ON *.*", {"binary logs"}));
  const auto report = w.report();
  const auto* d = said(report);
  ASSERT_NE(d, nullptr);
  EXPECT_EQ(d->severity, Severity::info);
  EXPECT_TRUE(report.healthy);
  EXPECT_EQ(d->members.size(), 3u);
  EXPECT_EQ(d->summary,
            "the account 'watch'@'%' lacks PROCESS ON *.*, REPLICATION CLIENT ON *.*: not known: transactions, size, "
            "binary logs");
  EXPECT_EQ(d->evidence[1], "REPLICATION CLIENT ON *.* on m0: refused binary logs without it");
  EXPECT_EQ(d->remedy,
            "on the primary: GRANT PROCESS ON *.* TO 'watch'@'%'; GRANT REPLICATION CLIENT ON *.* TO 'watch'@'%'; all "
            "that triage asks for: holdfast cluster accounts -c shop/orders --show --role observe");
}

/// The cause before what follows from it.
TEST(MissingRights, AreAnErrorWhereARoleIsNotKnownForThem) {
  World w = healthy(Engine::mysql);
  w[1].missing_rights = {lacks("REPLICATION CLIENT ON *.*", {"replication"})};
  w[1].role = MemberRole::unknown;
  w[1].following.clear();
  const auto report = w.report();
  ASSERT_NE(said(report), nullptr);
  EXPECT_EQ(said(report)->severity, Severity::error);
  EXPECT_TRUE(report.has("member-role-unknown"));
  EXPECT_EQ(said(report), &report.diagnoses[0]);
  EXPECT_EQ(report.members[1].verdict, Verdict::unknown);
  expect_next_commands(report);
}

}  // namespace
}  // namespace holdfast::cluster

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <algorithm>

#include <functional>
#include <set>
#include <string>

#include "cluster/triage.h"
#include "tests/support/triage_world.h"

namespace holdfast::cluster {
namespace {

using test::healthy;
using test::kUuid;
using test::take_down;
using test::World;

TEST(Triage, WhatOperationsLeftIsToldAndChangesNoVerdict) {
  for (const auto& [kind, id] : {std::pair(Leftover::Kind::side, "side-directory-left"),
                                 std::pair(Leftover::Kind::half_made, "side-directory-left"),
                                 std::pair(Leftover::Kind::replaced, "replaced-directory-left")}) {
    auto world = healthy(Engine::postgres);
    world[1].runtime.leftovers = {{kind, "/m1/data.there"}};
    const auto report = world.report();
    EXPECT_TRUE(report.healthy);
    ASSERT_EQ(report.diagnoses.size(), 1u);
    EXPECT_EQ(report.diagnoses[0].id, id);
    EXPECT_NE(report.diagnoses[0].evidence.at(0).find("/m1/data.there"), std::string::npos);
    EXPECT_TRUE(report.members[1].healthy());
  }
  auto world = healthy(Engine::mysql);
  world[1].runtime.work = "initialise (copy)";
  world[1].runtime.leftovers = {{Leftover::Kind::half_made, "/m1/data.new"}};
  const auto report = world.report();
  ASSERT_EQ(report.diagnoses.size(), 1u) << "what is being made is no leftover";
  EXPECT_EQ(report.diagnoses[0].id, "agent-at-work");
}

TEST(Triage, HealthyClustersAreHealthyAndProvable) {
  for (Engine engine : {Engine::mariadb, Engine::galera, Engine::mysql, Engine::postgres}) {
    auto report = healthy(engine).report();
    EXPECT_TRUE(report.healthy) << engine_name(engine) << ": " << report.sentence;
    EXPECT_TRUE(report.diagnoses.empty()) << report.diagnoses[0].id;
    EXPECT_EQ(report.authority.kind, AuthorityKind::provable) << engine_name(engine);
  }
}

TEST(Triage, AServerDescribedTwiceProvesNothingOfTheMemberNobodyLookedAt) {
  World w = healthy(Engine::mysql);
  w[2] = w[0];
  w[2].member = MemberName("m2");
  const auto report = w.report();
  EXPECT_EQ(report.authority.kind, AuthorityKind::undeterminable);
  EXPECT_FALSE(report.has("several-writers")) << "one primary seen twice is no split brain";
  EXPECT_FALSE(report.has("server-id-duplicate"));
  EXPECT_FALSE(report.has("server-unreachable"));
  EXPECT_EQ(report.leader, "m0");

  w = healthy(Engine::mysql);  // containers may all say the same of themselves, but they did not start as one
  w[2].instance = w[0].instance;
  EXPECT_FALSE(w.report().has("same-server-twice"));
}

TEST(Triage, MembersOfAGaleraClusterMayShareAServerId) {
  World w = healthy(Engine::galera);
  for (auto& f : w.facts) f.server_id = 1;
  EXPECT_TRUE(w.report().diagnoses.empty());
}

TEST(Triage, WithoutGtidsNothingIsProvableAndTheReasonIsNamed) {
  World w = healthy(Engine::mysql);
  w[0].mysql.gtid_mode = false;
  const auto report = w.report();
  EXPECT_TRUE(report.has("gtid-mode-off"));
  EXPECT_EQ(report.authority.kind, AuthorityKind::undeterminable);
  EXPECT_EQ(report.sentence.find("3 of 3 members healthy"), std::string::npos) << report.sentence;
}

TEST(Triage, AReplicaWithoutGtidsIsNotCountedAsHealthy) {
  World w = healthy(Engine::mysql);
  w[1].mysql.gtid_mode = false;
  const auto report = w.report();
  EXPECT_FALSE(report.healthy);
  EXPECT_EQ(report.members[1].verdict, Verdict::unknown);
  EXPECT_EQ(report.members[0].verdict, Verdict::healthy);
  EXPECT_NE(report.sentence.find("2 of 3 members healthy"), std::string::npos) << report.sentence;
}

TEST(Triage, TheHeadlineNeverCountsAllAsHealthyWhereTheClusterIsNot) {
  World w = healthy(Engine::galera);
  for (auto& f : w.facts) f.galera->size = 4;  // an error of the cluster, and no member is at fault
  const auto report = w.report();
  ASSERT_FALSE(report.healthy);
  EXPECT_EQ(report.sentence.find("3 of 3 members healthy"), std::string::npos) << report.sentence;
  EXPECT_NE(report.sentence.find(report.diagnoses[0].summary), std::string::npos) << report.sentence;
}

TEST(Triage, MemberWithoutFactsIsUnknownAndNothingIsProvable) {
  World w = healthy(Engine::mysql);
  w.facts.pop_back();
  const auto report = w.report();
  EXPECT_FALSE(report.healthy);
  EXPECT_EQ(report.members[2].verdict, Verdict::unknown);
  EXPECT_EQ(report.authority.kind, AuthorityKind::undeterminable);
}

TEST(Triage, ACrashedPrimaryReadFromItsFilesStaysTheAuthority) {
  for (Engine engine : {Engine::mariadb, Engine::mysql}) {
    World w = healthy(engine);
    take_down(w[0], "failed");
    for (int i : {1, 2}) {
      w[i].following[0].receiving = false;
      w[i].following[0].receive_state = "Connecting";
      w[i].following[0].receive_errno = 2003;
    }
    const auto report = w.report();
    EXPECT_TRUE(report.has("no-writer"));
    EXPECT_TRUE(report.has("replica-source-unreachable"));
    EXPECT_EQ(report.authority.kind, AuthorityKind::provable) << engine_name(engine);
    EXPECT_EQ(report.members[0].action, Action::restart);
  }
}

TEST(Triage, TwoWritersAreSplitBrain) {
  World w = healthy(Engine::mysql);
  w[1].following.clear();
  w[1].role = w[1].runtime.role_wanted = MemberRole::primary;
  w[1].read_only = false;
  w[1].executed += std::string(",") + kUuid[1] + ":1";
  w[0].executed = std::string(kUuid[0]) + ":1-120";
  const auto report = w.report();
  EXPECT_TRUE(report.has("several-writers"));
  EXPECT_EQ(report.authority.kind, AuthorityKind::diverged);
  EXPECT_EQ(report.diagnoses[0].severity, Severity::critical);
  for (int i : {0, 1}) {
    EXPECT_EQ(report.members[i].verdict, Verdict::diverged);
    EXPECT_EQ(report.members[i].action, Action::nothing);
  }
}

TEST(Triage, TwoWritersOfOneTimelineAreUnknownBoth) {
  World w = healthy(Engine::postgres);
  w[1].following.clear();
  w[1].role = w[1].runtime.role_wanted = MemberRole::primary;
  w[1].read_only = false;
  w[1].executed = w[1].received = "0/5000100";
  const auto report = w.report();
  EXPECT_TRUE(report.has("several-writers"));
  EXPECT_EQ(report.authority.kind, AuthorityKind::undeterminable);
  for (int i : {0, 1}) EXPECT_EQ(report.members[i].verdict, Verdict::unknown);
}

TEST(Triage, AMemberWithoutDataIsNotToldToRestart) {
  World w = healthy(Engine::mariadb);
  take_down(w[2]);
  w[2].stored->data = StoredFacts::Data::missing;
  w[2].stored->position.clear();
  EXPECT_FALSE(w.report().has("server-stopped"));
}

TEST(Triage, APromotedMemberWhoseAgentDoesNotKnowIsAWarning) {
  World w = healthy(Engine::mysql);
  take_down(w[0]);
  w[1].following.clear();
  w[1].role = MemberRole::primary;
  w[1].read_only = false;
  w[1].followers = 1;
  w[2].following[0].upstream = w[2].runtime.upstream_wanted = "127.0.0.1:1001";
  const auto report = w.report();
  EXPECT_TRUE(report.has("replica-detached"));
  EXPECT_TRUE(report.members[1].healthy());
  for (const auto& d : report.diagnoses)
    if (d.id == "replica-detached") {
      EXPECT_EQ(d.severity, Severity::warning);
    }
}

TEST(Triage, WhatAReplicaWroteItselfIsErrantAndNotThePrimarysLoss) {
  World w = healthy(Engine::mysql);
  w[1].executed += std::string(",") + kUuid[1] + ":1";
  auto report = w.report();
  EXPECT_TRUE(report.has("errant-transactions"));
  EXPECT_FALSE(report.has("leader-not-primary"));
  EXPECT_EQ(report.members[1].errant.count, 1u);

  w = healthy(Engine::mysql);  // the primary lost what it wrote itself: its replicas hold the last copies
  w[0].executed = std::string(kUuid[0]) + ":1-90";
  report = w.report();
  EXPECT_TRUE(report.has("leader-not-primary"));
  EXPECT_EQ(report.authority.kind, AuthorityKind::diverged) << "after a reset nobody is proven to hold everything";
  EXPECT_EQ(report.members[1].verdict, Verdict::diverged) << "it is not healthy beside a critical diagnosis of it";
  for (const auto& d : report.diagnoses) EXPECT_EQ(d.summary.find("holds everything"), std::string::npos) << d.summary;
}

// Whether an errant replica lacks the newest of its primary's transactions is a matter of milliseconds.
TEST(Triage, WhatIsSaidOfAnErrantReplicaDoesNotChangeWithItsLag) {
  for (Engine engine : {Engine::mysql, Engine::mariadb}) {
    std::vector<std::string> said;
    for (const char* lag : {"none", "some"}) {
      World w = healthy(engine);
      const bool lags = std::string_view(lag) == "some";
      if (engine == Engine::mysql) {
        w[1].executed = fmt::format("{}:1-{},{}:1", kUuid[0], lags ? 98 : 100, kUuid[1]);
      } else {
        w[1].executed = fmt::format("0-1-{},0-2-101", lags ? 98 : 100);
        w[1].slave_pos = lags ? "0-1-98" : "0-1-100";
      }
      const auto report = w.report();
      std::string text{authority_kind_name(report.authority.kind)};
      for (const auto& d : report.diagnoses) text += " " + d.id;
      for (const auto& m : report.members)
        text += fmt::format(" {} {}", verdict_name(m.verdict), action_name(m.action));
      said.push_back(text);
    }
    EXPECT_EQ(said[0], said[1]);
    EXPECT_NE(said[0].find("diverged errant-transactions healthy"), std::string::npos) << said[0];
  }
}

TEST(Triage, OfTwoSidesThatDivergedBothAreNamed) {
  World w = healthy(Engine::mysql);
  w[0].executed = std::string(kUuid[0]) + ":1-100," + kUuid[2] + ":1";
  w[1].executed = std::string(kUuid[0]) + ":1-90," + kUuid[2] + ":1-3";
  const auto report = w.report();
  EXPECT_TRUE(report.has("histories-diverged"));
  for (const auto& d : report.diagnoses) {
    if (d.id != "errant-transactions" || d.members[0].str() != "m1") continue;
    EXPECT_NE(d.summary.find("m0 has what m1 lacks"), std::string::npos) << d.summary;
    EXPECT_EQ(d.remedy.find("discard-diverged:m1"), std::string::npos) << d.remedy;
  }
}

TEST(Triage, APositionThatTheLogDoesNotBearOutIsNoAuthority) {
  World w = healthy(Engine::mariadb);
  w[1].slave_pos = w[1].received = "0-1-120";  // set ahead by hand
  auto report = w.report();
  EXPECT_FALSE(report.has("leader-not-primary"));
  EXPECT_EQ(report.authority.kind, AuthorityKind::provable);
  EXPECT_EQ(report.authority.member->str(), "m0");

  take_down(w[0]);  // the primary is gone, and m1 lacks what it says it has
  w[1].executed = "0-1-72";
  w[1].slave_pos = w[1].received = "0-1-100";
  take_down(w[2]);
  w[0].stored->data = StoredFacts::Data::missing;
  w[0].stored->position.clear();
  report = w.report();
  EXPECT_EQ(report.authority.member->str(), "m2") << "its log has all of it";

  w[1].received = "0-1-110";  // what it lacks in between nobody can tell
  EXPECT_EQ(w.report().authority.kind, AuthorityKind::undeterminable);
}

TEST(Triage, WhatOnlyRelayLogsHoldIsSaidAndUnreadableOnesAreUnknown) {
  World w = healthy(Engine::mariadb);
  for (int i : {0, 1}) take_down(w[i], "failed");
  w[0].stored->data = StoredFacts::Data::missing;
  w[0].stored->position.clear();
  w[1].stored->received = "0-1-105";
  auto report = w.report();
  EXPECT_TRUE(report.has("relay-log-only-copy"));
  EXPECT_EQ(report.authority.member->str(), "m1");
  w[2].executed = w[2].slave_pos = "0-1-105";
  EXPECT_FALSE(w.report().has("relay-log-only-copy")) << "a running member has it";

  // After a power failure: the primary's log has it too, but whether its server starts is not known.
  World dark = healthy(Engine::mariadb);
  for (int i : {0, 1, 2}) take_down(dark[i], "failed");
  dark[0].stored->position = "0-1-105";
  dark[1].stored->received = "0-1-105";
  const auto after = dark.report();
  const auto found =
      std::ranges::find_if(after.diagnoses, [](const Diagnosis& d) { return d.id == "relay-log-only-copy"; });
  ASSERT_NE(found, after.diagnoses.end());
  EXPECT_EQ(found->severity, Severity::warning);
  EXPECT_NE(found->summary.find("the log of m0 has it"), std::string::npos) << found->summary;
  EXPECT_EQ(after.authority.member->str(), "m0");

  w[1].stored->received.clear();
  w[1].stored->received_unknown = "relay.000002: the checksum is wrong";
  report = w.report();
  EXPECT_EQ(report.authority.kind, AuthorityKind::undeterminable);
  ASSERT_EQ(report.authority.blockers.size(), 1u);
  EXPECT_EQ(report.authority.blockers[0].str(), "m1");

  // Of several connections one domain may have two last transactions.
  w[1].stored->received_unknown.clear();
  w[1].stored->received = "0-1-105,0-7-104";
  EXPECT_EQ(w.report().authority.member->str(), "m1") << w.report().authority.reasons[0];
}

TEST(Triage, APrimaryIsJudgedByWhatItDoes) {
  struct Source {
    const char* address;
    bool runs;
    bool warned;
  };
  // Fed by another cluster, by its own replica, and promoted without a reset.
  for (const auto& source : {Source{"10.9.9.9:3306", true, true}, Source{"localhost:1001", true, true},
                             Source{"127.0.0.1:1002", false, false}}) {
    for (Engine engine : {Engine::mysql, Engine::mariadb}) {
      World w = healthy(engine);
      w[0].role = MemberRole::replica;
      w[0].following.push_back(test::stream(source.address));
      w[0].following[0].channel = "other";
      if (!source.runs) {
        w[0].following[0].receiving = w[0].following[0].applying = false;
        w[0].following[0].receive_state = "No";
      }
      const auto report = w.report();
      EXPECT_EQ(report.leader, "m0") << source.address;
      EXPECT_TRUE(report.healthy) << report.sentence;
      EXPECT_FALSE(report.has("no-writer"));
      ASSERT_TRUE(report.has("side-channel"));
      for (const auto& d : report.diagnoses) {
        if (d.id != "side-channel") continue;
        EXPECT_EQ(d.severity == Severity::warning, source.warned);
        EXPECT_NE(d.summary.find("other"), std::string::npos) << d.summary;
      }
    }
  }
  // A replica that is open for writes is still a replica: its source runs here and does not follow it.
  World w = healthy(Engine::mysql);
  w[1].read_only = false;
  EXPECT_EQ(w.report().leader, "m0");
  EXPECT_TRUE(w.report().has("replica-writable"));
  w[1].following[0].upstream = "10.9.9.9:3306";  // it should follow, its agent says so
  EXPECT_EQ(w.report().leader, "m0");
}

TEST(Triage, AMemberThatOnlyAdministratorsMayWriteIsNoSecondWriter) {
  World w = healthy(Engine::mysql);
  w[1].following.clear();
  w[1].role = MemberRole::primary;
  w[1].read_only = true;
  w[1].mysql.super_read_only = false;
  EXPECT_FALSE(w.report().has("several-writers"));
}

TEST(Triage, WhoIsToLeadIsAskedOnlyOnceThePrimaryIsLost) {
  const auto remedy = [](const TriageReport& report) -> std::string {
    for (const auto& d : report.diagnoses)
      if (d.id == "leader-not-primary") return d.remedy;
    return "none";
  };
  World w = healthy(Engine::mysql);
  w[0].executed = std::string(kUuid[0]) + ":1-90";
  w[0].read_only = true;
  EXPECT_EQ(remedy(w.report()).find("explain leader-not-primary"), std::string::npos) << "it is only read-only";

  w = healthy(Engine::mysql);
  take_down(w[0]);
  w[0].stored->data = StoredFacts::Data::missing;
  w[0].stored->position.clear();
  EXPECT_NE(remedy(w.report()).find("holdfast explain leader-not-primary"), std::string::npos) << remedy(w.report());
}

TEST(Triage, SemiSyncThatFellBackIsTold) {
  World w = healthy(Engine::mariadb);
  w.cluster.replication = ReplicationMode::semi_sync;
  w[0].semi_sync.source_enabled = w[0].semi_sync.source_active = true;
  w[1].semi_sync.replica_enabled = w[2].semi_sync.replica_enabled = true;
  EXPECT_TRUE(w.report().healthy);
  w[0].semi_sync.source_active = false;
  EXPECT_TRUE(w.report().has("semi-sync-off"));
  w[0].semi_sync.source_active = true;
  w[1].semi_sync.replica_enabled = false;
  EXPECT_TRUE(w.report().has("semi-sync-replica-off"));
}

TEST(Triage, AllGaleraDownNamesWhatIsKnownOfEach) {
  World w = healthy(Engine::galera);
  for (auto& f : w.facts) take_down(f, "failed");
  w[1].stored->seqno = -1;
  w[1].stored->position.clear();
  w[1].stored->position_unknown = "it crashed: grastate.dat says -1";
  const auto report = w.report();
  EXPECT_TRUE(report.has("galera-no-primary-component"));
  EXPECT_EQ(report.authority.kind, AuthorityKind::undeterminable);
  EXPECT_EQ(report.diagnoses[0].evidence.size(), 3u);
  EXPECT_TRUE(report.diagnoses[0].remedy.starts_with("holdfast inspect -c shop/orders --fence, then "));
  w[1].stored->seqno = 100;
  w[1].stored->position = w[0].stored->position;
  EXPECT_TRUE(w.report().diagnoses[0].remedy.starts_with("holdfast bootstrap -c shop/orders --dry-run"));
}

TEST(Triage, AReceiverIsNotToldToConnectAnewToASourceThatIsCutOff) {
  auto world = healthy(Engine::mariadb);
  world[1].following[0].silent_seconds = 3.1;
  EXPECT_EQ(world.report().members[1].action, Action::resume);
  world[1].runtime.volumes[0].free = 0;
  EXPECT_EQ(world.report().members[1].action, Action::nothing) << "it has no room for what comes";
  world = healthy(Engine::mariadb);
  world[1].following[0].silent_seconds = 3.1;
  world[0].tcp = false;
  const auto report = world.report();
  EXPECT_TRUE(report.has("replica-silent"));
  EXPECT_EQ(report.members[1].verdict, Verdict::broken);
  EXPECT_EQ(report.members[1].action, Action::nothing);
}

TEST(Triage, TheLeaderIsNeverAVictim) {
  World w = healthy(Engine::postgres);
  w[0].postgres.checksum_failures = 1;
  const auto report = w.report();
  EXPECT_EQ(report.members[0].action, Action::nothing);
  ASSERT_FALSE(report.diagnoses.empty());
  EXPECT_EQ(report.diagnoses[0].evidence, std::vector<std::string>{"pg_stat_database.checksum_failures: 1"});
}

TEST(Triage, RuleIdsAreUniqueAndPlain) {
  std::set<std::string_view> ids;
  for (const auto& rule : all_rules()) {
    EXPECT_TRUE(ids.insert(rule.id).second) << rule.id;
    EXPECT_EQ(rule.id.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789-"), std::string_view::npos) << rule.id;
    EXPECT_FALSE(rule.title.empty());
  }
  EXPECT_GE(ids.size(), 80u);
}

}  // namespace
}  // namespace holdfast::cluster

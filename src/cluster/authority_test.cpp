#include "cluster/authority.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace holdfast::cluster {
namespace {

using position::GaleraPosition;
using position::GaleraSource;
using position::GtidSet;
using position::GtidState;
using position::Lsn;
using position::Order;
using position::Uuid;
using position::WalPosition;
using testing::HasSubstr;

constexpr std::string_view kU = "11111111-1111-1111-1111-111111111111", kV = "22222222-2222-2222-2222-222222222222";

History member(int n, AnyPosition position, bool leader = false) {
  History history;
  history.member = MemberName("m" + std::to_string(n));
  history.read = History::Read::read;
  history.position = std::move(position);
  history.leader = leader;
  return history;
}
History unknown(int n, std::string why = "no answer") {
  History history = member(n, {});
  history.read = History::Read::unknown;
  history.why = std::move(why);
  return history;
}
History empty(int n, bool leader = false) {
  History history = member(n, {}, leader);
  history.read = History::Read::empty;
  return history;
}
/// "U:1-5,V:1" with U and V for the two UUIDs.
AnyPosition set(std::string text) {
  for (const auto& [letter, uuid] : {std::pair{'U', kU}, std::pair{'V', kV}})
    for (size_t at = text.find(letter); at != std::string::npos; at = text.find(letter)) text.replace(at, 1, uuid);
  return *GtidSet::parse(text);
}
AnyPosition state(std::string_view text) {
  return *GtidState::parse(text);
}
AnyPosition wal(uint32_t timeline, uint64_t end, std::vector<std::pair<uint32_t, uint64_t>> history = {},
                std::string system = "7001", std::optional<bool> wrote = std::nullopt) {
  WalPosition position{std::move(system), timeline, {}, Lsn{end}, {}, wrote};
  for (const auto& [from, at] : history) position.history.entries.push_back({from, Lsn{at}, ""});
  return position;
}
AnyPosition node(int64_t seqno, GaleraSource source = GaleraSource::recovered, std::string_view uuid = kU) {
  return GaleraPosition{*Uuid::parse(uuid), seqno, source};
}
/// In a Primary component with those of `view`.
History inside(int n, int64_t seqno, const std::vector<int>& view, std::string_view uuid = kU) {
  History history = member(n, node(seqno, GaleraSource::live, uuid));
  history.in_primary_component = true;
  history.view.emplace();
  for (const int other : view) history.view->push_back(MemberName("m" + std::to_string(other)));
  return history;
}

/// "provable m0 leader_holds_all", and the blockers in brackets.
std::string verdict(Engine engine, const std::vector<History>& members, const std::string& known = "") {
  const Authority authority = find_authority(engine, members, known);
  EXPECT_FALSE(authority.reasons.empty());
  EXPECT_EQ(authority.relations.size(), members.size());
  std::string text(authority_kind_name(authority.kind));
  if (authority.member) text += " " + authority.member->str();
  EXPECT_TRUE(authority.rule.starts_with("authority."));
  text += " " + authority.rule.substr(10);
  for (const MemberName& blocker : authority.blockers) text += " [" + blocker.str() + "]";
  return text;
}
std::string mysql(const std::vector<History>& members) {
  return verdict(Engine::mysql, members);
}
std::string mariadb(const std::vector<History>& members) {
  return verdict(Engine::mariadb, members);
}
std::string postgres(const std::vector<History>& members, const std::string& known = "") {
  return verdict(Engine::postgres, members, known);
}
std::string galera(const std::vector<History>& members, const std::string& known = "") {
  return verdict(Engine::galera, members, known);
}

/// There is no other to compare it with: that its transactions have no names hides nothing.
TEST(OnlyMember, HoldsEverythingWithoutNames) {
  for (const Engine engine : {Engine::mariadb, Engine::mysql}) {
    History one = engine == Engine::mysql ? unknown(0, "gtid_mode is not ON") : member(0, state(""));
    EXPECT_EQ(find_authority(engine, {one}, "").kind, AuthorityKind::undeterminable);
    one.only_one = true;
    const auto authority = find_authority(engine, {one}, "");
    EXPECT_EQ(authority.kind, AuthorityKind::provable);
    EXPECT_EQ(authority.member, one.member);
    EXPECT_EQ(authority.rule, "authority.only_member");
    EXPECT_TRUE(authority.blockers.empty());
    EXPECT_EQ(find_authority(engine, {one, empty(1)}, "").kind, AuthorityKind::undeterminable) << "there is another";
  }
}

TEST(Authority, ListsThatAreNone) {
  EXPECT_EQ(mysql({}), "undeterminable no_members");
  EXPECT_EQ(mysql({member(0, set("U:1")), member(0, set("U:1"))}), "undeterminable member_twice [m0]");
  EXPECT_EQ(mysql({empty(0), empty(1)}), "undeterminable all_empty");
}

TEST(Authority, UnknownBlocks) {
  EXPECT_EQ(mysql({member(0, set("U:1-9"), true), unknown(1), member(2, set("U:1-9")), unknown(3)}),
            "undeterminable unknown_member [m1] [m3]");
  EXPECT_EQ(mysql({member(0, set("U:1-9"), true), member(1, {})}), "undeterminable unknown_member [m1]");
  EXPECT_EQ(mysql({member(0, set("U:1-9"), true), member(1, state("0-1-5"))}), "undeterminable unknown_member [m1]");
  EXPECT_EQ(mysql({member(0, set("U:1-9"), true), member(1, set(""))}), "undeterminable unknown_member [m1]");
  EXPECT_EQ(mariadb({member(0, state("0-1-5"), true), member(1, state(""))}), "undeterminable unknown_member [m1]");
  const auto authority = find_authority(Engine::mysql, {unknown(0, "disk error"), member(1, set("U:1"))}, "");
  EXPECT_THAT(authority.reasons[0], HasSubstr("disk error"));
}

TEST(Authority, ALoneMember) {
  EXPECT_EQ(mysql({member(0, set("U:1-9"), true)}), "provable m0 leader_holds_all");
  EXPECT_EQ(postgres({member(0, wal(1, 9))}), "provable m0 one_holds_all");
}

TEST(Authority, MySql) {
  EXPECT_EQ(mysql({member(0, set("U:1-9"), true), member(1, set("U:1-7:9")), empty(2)}),
            "provable m0 leader_holds_all");
  EXPECT_EQ(mysql({member(0, set("U:1-9"), true), member(1, set("U:1-9,V:1"))}), "leader_not_primary m1 leader_lacks");
  EXPECT_EQ(mysql({member(0, set("U:1-9"), true), member(1, set("U:1-8,V:1"))}), "diverged diverged");
  EXPECT_EQ(mysql({member(0, set("U:1-9"), true), member(1, set("U:5-8"))}), "undeterminable unknown_member [m1]")
      << "its GTIDs were reset";
  EXPECT_EQ(mysql({member(0, set("U:5-9"), true), member(1, set("U:5-8"))}), "provable m0 leader_holds_all")
      << "all were filled from one dump";
}

TEST(Authority, AnEmptyPositionCountsOnlyWhereNothingWasEverWritten) {
  auto leader = member(0, set(""), true), follower = member(1, set(""));
  EXPECT_EQ(mysql({leader, follower}), "undeterminable unknown_member [m0] [m1]");
  leader.pristine = follower.pristine = true;
  EXPECT_EQ(mysql({leader, follower}), "provable m0 leader_holds_all");
  EXPECT_EQ(mysql({leader, member(1, set(""))}), "undeterminable unknown_member [m1]");
}

TEST(Authority, NobodyLeads) {
  EXPECT_EQ(mysql({member(0, set("U:1-9")), member(1, set("U:1-7"))}), "provable m0 one_holds_all");
  EXPECT_EQ(mysql({member(0, set("U:1-9")), member(1, set("U:1-9"))}), "provable m0 one_holds_all");
  EXPECT_EQ(mysql({member(0, set("U:1-9")), member(1, set("U:1-7,V:1"))}), "diverged diverged");
}

TEST(Authority, TwoLead) {
  EXPECT_EQ(mysql({member(0, set("U:1-9"), true), member(1, set("U:1-8,V:1"), true)}), "diverged diverged");
  EXPECT_EQ(mysql({member(0, set("U:1-8"), true), member(1, set("U:1-8,V:1"), true)}), "provable m1 leader_holds_all");
  EXPECT_EQ(mysql({member(0, set("U:1-7"), true), member(1, set("U:1-8"), true), member(2, set("U:1-9"))}),
            "leader_not_primary m2 leader_lacks");
  const auto authority = find_authority(Engine::mysql, {member(0, set("U:1"), true), member(1, set("U:1"), true)}, "");
  EXPECT_EQ(authority.reasons[0], "m0, m1 accept writes, but only one should");
}

TEST(Authority, AnEmptyOneLeads) {
  EXPECT_EQ(mysql({empty(0, true), member(1, set("U:1-9"))}), "leader_not_primary m1 leader_empty");
}

TEST(Authority, MariaDb) {
  EXPECT_EQ(mariadb({member(0, state("0-1-9,0-2-12"), true), member(1, state("0-1-9"))}),
            "provable m0 leader_holds_all");
  EXPECT_EQ(mariadb({member(0, state("0-2-12"), true), member(1, state("0-1-9,0-2-12"))}),
            "leader_not_primary m1 leader_lacks")
      << "a higher number of another server proves nothing";
  EXPECT_EQ(mariadb({member(0, state("0-1-9,0-2-12"), true), member(1, state("0-1-10"))}), "diverged diverged")
      << "the old primary went on";
  EXPECT_EQ(mariadb({member(0, state("0-1-9,1-1-3"), true), member(1, state("0-1-8,1-1-4"))}), "diverged diverged");
}

TEST(Authority, Postgres) {
  const AnyPosition promoted = wal(2, 150, {{1, 100}});
  EXPECT_EQ(postgres({member(0, promoted, true), member(1, wal(1, 100)), member(2, wal(2, 140, {{1, 100}}))}),
            "provable m0 leader_holds_all");
  EXPECT_EQ(postgres({member(0, promoted, true), member(1, wal(1, 101))}), "diverged diverged") << "log past the fork";
  EXPECT_EQ(postgres({member(0, wal(1, 100), true), member(1, promoted)}), "leader_not_primary m1 leader_lacks");
  EXPECT_EQ(postgres({member(0, promoted, true), member(1, wal(2, 90))}), "undeterminable unknown_member [m1]")
      << "history of the timeline not read";
  EXPECT_EQ(postgres({member(0, wal(2, 100, {{1, 100}}), true), member(1, wal(1, 120))}),
            "leader_not_primary m1 leader_lacks")
      << "a fresh promotion does not win by its number";
}

TEST(Authority, PostgresWrittenTwice) {
  EXPECT_EQ(postgres({member(0, wal(2, 150, {{1, 100}}), true), member(1, wal(2, 140, {{1, 100}}), true)}),
            "undeterminable incomparable [m0] [m1]")
      << "both promoted at one point";
  EXPECT_EQ(postgres({member(0, wal(2, 150, {{1, 100}}, "7001", true), true),
                      member(1, wal(2, 140, {{1, 100}}, "7001", true))}),
            "undeterminable incomparable [m0] [m1]");
  EXPECT_EQ(postgres({member(0, wal(1, 140, {}, "7001", true), true), member(1, wal(1, 150, {}, "7001", false))}),
            "undeterminable incomparable [m0] [m1]")
      << "an old copy of the primary leads";
  EXPECT_EQ(postgres({member(0, wal(2, 150, {{1, 100}}, "7001", true), true), member(1, wal(1, 100, {}, "7001", true)),
                      member(2, wal(1, 100, {}, "7001", true))}),
            "undeterminable incomparable [m1] [m2]")
      << "two wrote the timeline it came from";
}

TEST(Authority, PostgresPagesBeyondTheLog) {
  AnyPosition torn = wal(1, 100);
  std::get<WalPosition>(torn).minimum_recovery = Lsn{120};
  EXPECT_EQ(postgres({member(0, wal(1, 130), true), member(1, torn)}), "provable m0 leader_holds_all");
  EXPECT_EQ(postgres({member(0, wal(1, 110), true), member(1, torn)}), "undeterminable incomparable [m0] [m1]");
  EXPECT_EQ(postgres({member(0, torn)}), "undeterminable incomparable [m0]");
  EXPECT_EQ(postgres({member(0, wal(1, 130), true), member(1, wal(1, 110)), member(2, torn)}),
            "provable m0 leader_holds_all");
}

TEST(Authority, Lineages) {
  const AnyPosition ours = wal(1, 100), other = wal(1, 900, {}, "7002");
  EXPECT_EQ(postgres({member(0, ours, true), member(1, other)}), "undeterminable lineages_differ [m0] [m1]");
  EXPECT_EQ(postgres({member(0, ours, true), member(1, ours), member(2, other)}),
            "undeterminable lineages_differ [m0] [m1] [m2]")
      << "a majority proves nothing";
  EXPECT_EQ(postgres({member(0, ours, true), empty(1)}), "provable m0 leader_holds_all");
  EXPECT_EQ(postgres({member(0, ours, true), member(1, other)}, "7001"), "provable m0 leader_holds_all");
  EXPECT_EQ(postgres({member(0, other, true), member(1, ours)}, "7001"), "leader_not_primary m1 leader_foreign");
  EXPECT_EQ(postgres({member(0, other, true), member(1, other)}, "7001"), "undeterminable only_foreign");
  EXPECT_EQ(postgres({member(0, wal(1, 100, {}, ""), true)}), "undeterminable unknown_member [m0]");
  EXPECT_EQ(postgres({member(0, wal(2, 100, {}, "7002")), member(1, ours)}, "7001"), "provable m1 one_holds_all")
      << "a foreign history need not be read";
  History contradicts = member(1, ours);
  contradicts.lineage = "7002";
  EXPECT_EQ(postgres({member(0, ours, true), contradicts}, "7001"), "undeterminable unknown_member [m1]");
  const auto authority = find_authority(Engine::postgres, {member(0, ours, true), member(1, other)}, "7001");
  EXPECT_TRUE(authority.relations[1].foreign);
  EXPECT_EQ(authority.relations[1].to_authority, Order::incomparable);
}

TEST(Authority, GaleraRuns) {
  EXPECT_EQ(galera({inside(0, 9, {0, 1, 2}), inside(1, 10, {0, 1, 2}), inside(2, 10, {0, 1, 2})}),
            "provable m1 component_holds_all");
  EXPECT_EQ(galera({inside(0, 9, {0, 1}), inside(1, 10, {0, 1}), member(2, node(7))}),
            "provable m1 component_holds_all");
  EXPECT_EQ(galera({inside(0, 9, {0, 1}), inside(1, 10, {0, 1}), member(2, node(11))}), "diverged component_behind");
  EXPECT_EQ(galera({inside(0, 9, {0, 1}), inside(1, 10, {0, 1}), empty(2)}), "provable m1 component_holds_all");
  EXPECT_EQ(galera({inside(0, 9, {0, 1}), inside(1, 10, {0, 1}), unknown(2)}), "undeterminable unknown_member [m2]")
      << "a majority may have been bootstrapped from an older node";
  EXPECT_EQ(galera({inside(0, 9, {0})}), "provable m0 component_holds_all");
}

TEST(Authority, GaleraComponents) {
  EXPECT_EQ(galera({inside(0, 9, {0}), inside(1, 10, {1, 2}), inside(2, 10, {1, 2})}), "diverged two_components");
  EXPECT_EQ(galera({inside(0, 9, {0, 1}), inside(1, 10, {1})}), "undeterminable view_changing [m1] [m0]");
  auto blind = inside(1, 10, {});
  blind.view.reset();
  EXPECT_EQ(galera({inside(0, 9, {0, 1}), blind}), "undeterminable view_unknown [m1]");
}

TEST(Authority, GaleraIsDown) {
  EXPECT_EQ(galera({member(0, node(9)), member(1, node(11)), member(2, node(10, GaleraSource::grastate))}),
            "provable m1 one_holds_all");
  EXPECT_EQ(galera({member(0, node(9)), member(1, node(9))}), "provable m0 one_holds_all") << "a tie is no trouble";
  EXPECT_EQ(galera({member(0, node(9)), member(1, node(11, GaleraSource::gcache))}),
            "undeterminable unknown_member [m1]");
  EXPECT_EQ(galera({member(0, node(9)), member(1, node(-1, GaleraSource::grastate))}),
            "undeterminable unknown_member [m1]");
  EXPECT_EQ(galera({member(0, node(9)),
                    member(1, node(11, GaleraSource::recovered, "00000000-0000-0000-0000-000000000000"))}),
            "undeterminable unknown_member [m1]");
  EXPECT_EQ(galera({member(0, node(9)), member(1, node(90, GaleraSource::recovered, kV))}),
            "undeterminable lineages_differ [m0] [m1]");
  EXPECT_EQ(galera({member(0, node(9)), member(1, node(90, GaleraSource::recovered, kV))}, std::string(kU)),
            "provable m0 one_holds_all");
  auto joining = member(1, node(9));
  joining.provable_position = false;
  EXPECT_EQ(galera({member(0, node(9)), joining}), "undeterminable unknown_member [m1]");
}

TEST(Authority, RelationsSayWhatIsMissing) {
  auto relations =
      find_authority(Engine::mysql, {member(0, set("U:1-9"), true), member(1, set("U:1-7,V:2-3:1"))}, "").relations;
  EXPECT_EQ(relations[0].to_authority, Order::equal);
  EXPECT_EQ(relations[1].to_authority, Order::diverged);
  EXPECT_EQ(relations[1].missing, std::string(kV) + ":1-3");
  relations =
      find_authority(Engine::mariadb, {member(0, state("0-1-9"), true), member(1, state("0-1-7,0-2-9"))}, "").relations;
  EXPECT_EQ(relations[1].missing, "0-2-1..0-2-9");
  relations = find_authority(Engine::postgres,
                             {member(0, wal(2, 0x150, {{1, 0x100}}), true), member(1, wal(1, 0x120)), empty(2)}, "")
                  .relations;
  EXPECT_EQ(relations[1].missing, "timeline 1 from 0/100 to 0/120");
  EXPECT_EQ(relations[2].to_authority, Order::before);
  relations = find_authority(Engine::galera, {inside(0, 9, {0}), member(1, node(11))}, "").relations;
  EXPECT_EQ(relations[1].missing, std::string(kU) + ":10-11");
}

}  // namespace
}  // namespace holdfast::cluster

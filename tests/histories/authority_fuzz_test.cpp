// What find_authority() says of random histories is never a wrong "provable".
#include <gtest/gtest.h>

#include <algorithm>
#include <map>

#include "tests/histories/histories.h"

namespace holdfast::cluster::fuzz {
namespace {

using position::GtidSet;

struct Tally {
  std::map<std::string, int> kinds, rules, masks;
  int failures = 0;
};

std::string described(const Scene& scene, const Authority& verdict) {
  std::string text = scene.log + "\nknown lineage '" + scene.known_lineage + "'\n";
  for (size_t i = 0; i < scene.shown.size(); ++i) {
    const History& member = scene.shown[i];
    text += member.member.str() + (member.leader ? " leads" : "") +
            (member.in_primary_component ? " in component" : "") +
            (member.read == History::Read::read    ? " "
             : member.read == History::Read::empty ? " empty "
                                                   : " unknown ");
    std::visit(
        [&]<class P>(const P& position) {
          if constexpr (!std::is_same_v<P, std::monostate>) text += position.to_string();
        },
        member.position);
    text += "   truth";
    for (size_t t = 0; t < scene.truth[i].size(); ++t)
      if (scene.truth[i][t]) text += " " + std::to_string(t);
    text += '\n';
  }
  text += std::string(authority_kind_name(verdict.kind)) + " by " + verdict.rule + ": " +
          (verdict.member ? verdict.member->str() : "nobody") + '\n';
  for (const std::string& reason : verdict.reasons) text += "  " + reason + '\n';
  return text;
}

/// What every verdict must hold; "" when it does.
std::string wrong_with(const Scene& scene, const Authority& verdict, Tally& tally) {
  const bool names_one = verdict.kind == AuthorityKind::provable || verdict.kind == AuthorityKind::leader_not_primary;
  if (names_one != verdict.member.has_value()) return "names a member where it must not, or none where it must";
  if (verdict.reasons.empty()) return "gives no reason";
  if (verdict.relations.size() != scene.shown.size()) return "does not relate every member";
  if (scene.healthy && verdict.kind != AuthorityKind::provable) return "healthy, and not provable";
  const bool one_leads = scene.engine != Engine::galera;
  if (scene.healthy && one_leads && *verdict.member != scene.shown[scene.leader].member)
    return "healthy, and not its leader";
  for (const History& member : scene.shown) {
    if (member.read != History::Read::unknown) continue;
    if (verdict.kind != AuthorityKind::undeterminable) return "a member was not read";
    if (std::ranges::find(verdict.blockers, member.member) == verdict.blockers.end())
      return "an unread member is not named";
  }
  if (!names_one) return "";
  size_t authority = 0;
  while (scene.shown[authority].member != *verdict.member) ++authority;
  if (scene.shown[authority].read != History::Read::read) return "the authority was not read";
  if (scene.foreign[authority]) return "a foreign member won";
  for (size_t holder = 0; holder < scene.shown.size(); ++holder) {
    if (scene.foreign[holder]) continue;
    const Transactions lost = scene.truth[holder] & ~scene.truth[authority];
    for (size_t t = 0; lost.any() && t < lost.size(); ++t) {
      if (!lost[t]) continue;
      const std::string why = scene.masked(t, holder, authority);
      if (why.empty())
        return "transaction " + std::to_string(t) + " of " + scene.shown[holder].member.str() + " would be lost";
      ++tally.masks[why];
    }
  }
  return "";
}

/// Plays `kHistories` histories; `play(rng)` makes one. Fails with the seed and the whole story.
template <class Play>
Tally run(Play play) {
  Tally tally;
  for (uint64_t seed = 1; seed <= kHistories && tally.failures < 3; ++seed) {
    Rng rng(seed);
    const Scene scene = play(rng);
    const Authority verdict = find_authority(scene.engine, scene.shown, scene.known_lineage);
    ++tally.kinds[std::string(authority_kind_name(verdict.kind)) + (scene.healthy ? ", healthy" : "")];
    ++tally.rules[verdict.rule];
    if (const std::string wrong = wrong_with(scene, verdict, tally); !wrong.empty()) {
      ADD_FAILURE() << "seed " << seed << ": " << wrong << '\n' << described(scene, verdict);
      ++tally.failures;
    }
  }
  for (const auto* counts : {&tally.kinds, &tally.rules, &tally.masks}) {
    for (const auto& [what, count] : *counts)
      ::testing::Test::RecordProperty(what, count), std::printf("  %6d %s\n", count, what.c_str());
  }
  return tally;
}

TEST(AuthorityFuzz, Galera) {
  const Tally tally = run(play_galera);
  for (const char* kind : {"provable", "provable, healthy", "diverged", "undeterminable"})
    EXPECT_GT(tally.kinds.contains(kind) ? tally.kinds.at(kind) : 0, kHistories / 100) << kind;
}

TEST(AuthorityFuzz, MariaDb) {
  const Tally tally = run(play_mariadb);
  for (const char* kind : {"provable", "provable, healthy", "leader_not_primary", "diverged", "undeterminable"})
    EXPECT_GT(tally.kinds.contains(kind) ? tally.kinds.at(kind) : 0, kHistories / 100) << kind;
}

TEST(AuthorityFuzz, MySql) {
  const Tally tally = run(play_mysql);
  for (const char* kind : {"provable", "provable, healthy", "leader_not_primary", "diverged", "undeterminable"})
    EXPECT_GT(tally.kinds.contains(kind) ? tally.kinds.at(kind) : 0, kHistories / 100) << kind;
}

// GTID sets are lists of what is held, so where no number was given out twice and no record was reset the verdict is
// exactly the truth.
TEST(AuthorityFuzz, MySqlIsExactWhereNothingWasTamperedWith) {
  int compared = 0;
  for (uint64_t seed = 1; seed <= kHistories; ++seed) {
    Rng rng(seed + 1000000);
    const Scene scene = play_mysql(rng);
    const Authority verdict = find_authority(scene.engine, scene.shown, "");
    if (!verdict.blockers.empty() || scene.tampered) continue;
    Transactions all;
    for (const Transactions& held : scene.truth) all |= held;
    bool twice = false, someone = false, a_leader = false, leader_has_all = false;
    for (size_t i = 0; i < scene.shown.size(); ++i) {
      const auto* set = std::get_if<GtidSet>(&scene.shown[i].position);
      twice |= set != nullptr && set->count() != scene.truth[i].count();
      someone |= set != nullptr && scene.truth[i] == all;
      a_leader |= scene.shown[i].leader;
      leader_has_all |= set != nullptr && scene.shown[i].leader && scene.truth[i] == all;
    }
    GtidSet shown;
    for (const History& member : scene.shown)
      if (const auto* set = std::get_if<GtidSet>(&member.position)) shown = shown.unite(*set);
    if (twice || shown.count() != all.count() || all.none()) continue;
    ++compared;
    const AuthorityKind expected = !someone                      ? AuthorityKind::diverged
                                   : leader_has_all || !a_leader ? AuthorityKind::provable
                                                                 : AuthorityKind::leader_not_primary;
    ASSERT_EQ(authority_kind_name(verdict.kind), authority_kind_name(expected)) << "seed " << seed << '\n'
                                                                                << described(scene, verdict);
  }
  EXPECT_GT(compared, kHistories / 2);
}

TEST(AuthorityFuzz, Postgres) {
  const Tally tally = run(play_postgres);
  for (const char* kind : {"provable", "provable, healthy", "leader_not_primary", "diverged", "undeterminable"})
    EXPECT_GT(tally.kinds.contains(kind) ? tally.kinds.at(kind) : 0, kHistories / 100) << kind;
}

}  // namespace
}  // namespace holdfast::cluster::fuzz

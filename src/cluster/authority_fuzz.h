// Tests only: random histories of clusters with known truth, and the questions every verdict on them must answer.
//
// A world plays a history: transactions, replication, promotions, accidents. It knows which transactions each member
// really holds, and shows of each member exactly what a server of its engine would show. find_authority() sees only
// that.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <bitset>
#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "cluster/authority.h"

namespace holdfast::cluster::fuzz {

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr int kHistories = 10000;
#else
constexpr int kHistories = 100000;  ///< of each engine
#endif

class Rng {
 public:
  explicit Rng(uint64_t seed) : state_(seed * 0x9e3779b97f4a7c15 + 1) {}
  uint64_t next() {
    uint64_t x = state_ += 0x9e3779b97f4a7c15;
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9;
    x = (x ^ (x >> 27)) * 0x94d049bb133111eb;
    return x ^ (x >> 31);
  }
  size_t below(size_t n) { return next() % n; }
  bool chance(size_t percent) { return below(100) < percent; }

 private:
  uint64_t state_;
};

using Transactions = std::bitset<256>;

/// One history at its end.
struct Scene {
  Engine engine = Engine::mysql;
  std::vector<History> shown;
  std::string known_lineage;
  std::vector<Transactions> truth;  ///< by member, also of those that could not be read
  std::vector<bool> foreign;        ///< by member: known_lineage says it is none of ours
  bool healthy = false;             ///< nothing went wrong: must be provable
  size_t leader = 0;                ///< of a healthy one, unless all may write
  /// Why nobody can see from what is shown that `authority` lacks `transaction` of `holder`; "" when it can be seen.
  std::function<std::string(size_t transaction, size_t holder, size_t authority)> masked;
  std::string log;  ///< what happened
};

struct Tally {
  std::map<std::string, int> kinds, rules, masks;
  int failures = 0;
};

inline std::string described(const Scene& scene, const Authority& verdict) {
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
inline std::string wrong_with(const Scene& scene, const Authority& verdict, Tally& tally) {
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

inline MemberName member_name(size_t i) {
  return MemberName("m" + std::to_string(i));
}

/// What could be read of a member: mostly all, sometimes nothing.
inline void hide_some(Rng& rng, std::vector<History>& shown) {
  if (!rng.chance(15)) return;
  History& member = shown[rng.below(shown.size())];
  member.read = History::Read::unknown;
  member.position = {};
  member.why = "no answer";
}

}  // namespace holdfast::cluster::fuzz

// Random histories of clusters with known truth, and the questions every verdict on them must answer.
//
// A world plays a history: transactions, replication, promotions, accidents. It knows which transactions each member
// really holds, and shows of each member exactly what a server of its engine would show. find_authority() sees only
// that.
#pragma once

#include <bitset>
#include <cstdint>
#include <functional>
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
  /// MariaDB, by member: what is in `truth` only because its relay logs hold it, and how those and its own log show it.
  std::vector<Transactions> relayed;
  std::vector<std::string> received, logged, noted;
  std::vector<bool> foreign;  ///< by member: known_lineage says it is none of ours
  bool healthy = false;       ///< nothing went wrong: must be provable
  size_t leader = 0;          ///< of a healthy one, unless all may write
  /// Why nobody can see from what is shown that `authority` lacks `transaction` of `holder`; "" when it can be seen.
  std::function<std::string(size_t transaction, size_t holder, size_t authority)> masked;
  std::string log;        ///< what happened
  bool tampered = false;  ///< MySQL: a record was reset
};

/// One random history of each kind.
Scene play_mysql(Rng& rng);
Scene play_mariadb(Rng& rng);
Scene play_postgres(Rng& rng);
Scene play_galera(Rng& rng);

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

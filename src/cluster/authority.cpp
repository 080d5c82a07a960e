#include "cluster/authority.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <map>
#include <set>

#include "cluster/authority_standing.h"

namespace holdfast::cluster {

namespace {

using position::GaleraPosition;
using position::Order;
using position::WalPosition;

bool within(Order order) {
  return order == Order::equal || order == Order::before;
}

/// Data pages need log beyond the end of what is there: it cannot be started as it is.
bool needs_lost_log(const AnyPosition& position) {
  const auto* wal = std::get_if<WalPosition>(&position);
  return wal != nullptr && wal->minimum_recovery && *wal->minimum_recovery > wal->end;
}

/// Whether `a` has more than `b` of what this server wrote (MySQL: its UUID, MariaDB: its server_id).
bool holds_more_by(const std::string& server, const AnyPosition& a, const AnyPosition& b) {
  if (server.empty()) return false;
  if (const auto* set = std::get_if<position::GtidSet>(&a))
    if (const auto* other = std::get_if<position::GtidSet>(&b))
      return std::ranges::any_of(set->subtract(*other).sources(),
                                 [&](const auto& source) { return source.uuid.to_string() == server; });
  if (const auto* state = std::get_if<position::GtidState>(&a))
    if (const auto* other = std::get_if<position::GtidState>(&b))
      return std::ranges::any_of(state->missing_from(*other),
                                 [&](const auto& range) { return std::to_string(range.server) == server; });
  return false;
}

class Judge {
 public:
  Judge(Engine engine, const std::vector<History>& members, const std::string& known_lineage)
      : engine_(engine), members_(members), known_lineage_(known_lineage) {}

  Authority judge();

 private:
  std::optional<Authority> refuse_list();
  void mark_writers();

  Authority verdict(AuthorityKind kind, std::string rule, std::optional<size_t> member = std::nullopt);
  Authority judge_galera();
  Authority judge_leaders();
  Authority judge_no_dominator();
  std::optional<Authority> judge_views(const std::vector<size_t>& inside);
  std::optional<size_t> dominator() const;
  size_t reference() const;
  void describe_divergence();
  void relate(Authority& authority) const;

  std::vector<size_t> of(Standing::Kind kind) const;
  std::vector<size_t> leaders(Standing::Kind kind) const;
  const std::string& name(size_t i) const { return members_[i].member.str(); }
  std::string names(const std::vector<size_t>& list) const;
  Order order(size_t a, size_t b) const { return compare(positions_[a], positions_[b]); }
  template <class... Args>
  void say(fmt::format_string<Args...> text, Args&&... args) {
    reasons_.push_back(fmt::format(text, std::forward<Args>(args)...));
  }

  const Engine engine_;
  const std::vector<History>& members_;
  const std::string& known_lineage_;
  std::vector<Standing> standings_;
  std::vector<AnyPosition> positions_;
  std::vector<MemberName> blockers_;
  std::vector<std::string> reasons_;
};

std::vector<size_t> Judge::of(Standing::Kind kind) const {
  std::vector<size_t> result;
  for (size_t i = 0; i < standings_.size(); ++i)
    if (standings_[i].kind == kind) result.push_back(i);
  return result;
}

std::vector<size_t> Judge::leaders(Standing::Kind kind) const {
  std::vector<size_t> result = of(kind);
  std::erase_if(result, [this](size_t i) { return !members_[i].leader; });
  return result;
}

std::string Judge::names(const std::vector<size_t>& list) const {
  std::vector<std::string_view> texts;
  texts.reserve(list.size());
  for (const size_t i : list) texts.push_back(name(i));
  return fmt::format("{}", fmt::join(texts, ", "));
}

/// Where several lead, each of them writes, whatever its control file said when it was read.
void Judge::mark_writers() {
  const auto several = leaders(Standing::candidate);
  if (several.size() < 2) return;
  for (const size_t i : several) std::get<WalPosition>(positions_[i]).wrote = true;
}

size_t Judge::reference() const {
  const auto candidates = of(Standing::candidate), leading = leaders(Standing::candidate);
  return leading.size() == 1 ? leading[0] : candidates[0];
}

void Judge::relate(Authority& authority) const {
  std::optional<size_t> reference;
  for (size_t i = 0; i < members_.size(); ++i)
    if (authority.reference && authority.reference == members_[i].member) reference = i;
  for (size_t i = 0; i < members_.size(); ++i) {
    MemberRelation relation{members_[i].member, Order::incomparable, "", false};
    const auto kind = i < standings_.size() ? standings_[i].kind : Standing::blocked;
    relation.foreign = kind == Standing::foreign;
    if (reference && kind == Standing::empty) relation.to_authority = Order::before;
    if (reference && kind == Standing::candidate) {
      relation.to_authority = i == reference ? Order::equal : order(i, *reference);
      relation.missing = difference(positions_[i], positions_[*reference]);
    }
    authority.relations.push_back(std::move(relation));
  }
}

Authority Judge::verdict(AuthorityKind kind, std::string rule, std::optional<size_t> member) {
  Authority authority;
  authority.kind = kind;
  authority.rule = "authority." + std::move(rule);
  if (member) authority.member = members_[*member].member;
  if (member) authority.reference = authority.member;
  if (!member && !of(Standing::candidate).empty()) authority.reference = members_[reference()].member;
  authority.blockers = std::move(blockers_);
  authority.reasons = std::move(reasons_);
  relate(authority);
  return authority;
}

std::optional<Authority> Judge::refuse_list() {
  if (members_.empty()) {
    say("the cluster has no members");
    return verdict(AuthorityKind::undeterminable, "no_members");
  }
  std::set<MemberName> seen;
  for (const History& member : members_) {
    if (seen.insert(member.member).second) continue;
    blockers_.push_back(member.member);
    say("{} comes twice", member.member.str());
  }
  if (blockers_.empty()) return std::nullopt;
  return verdict(AuthorityKind::undeterminable, "member_twice");
}

/// One sentence for each pair of candidates that diverged.
void Judge::describe_divergence() {
  const auto candidates = of(Standing::candidate);
  for (size_t a = 0; a < candidates.size(); ++a) {
    for (size_t b = a + 1; b < candidates.size(); ++b) {
      const size_t i = candidates[a], j = candidates[b];
      if (order(i, j) != Order::diverged) continue;
      say("{} has {}, which {} lacks; {} has {}, which {} lacks", name(i), difference(positions_[i], positions_[j]),
          name(j), name(j), difference(positions_[j], positions_[i]), name(i));
    }
  }
}

/// The candidate that is ahead of or equal to all others: a leader if one of them is, else the first. None where two
/// others cannot be told apart: what they hold in common with it may be of two makings, too.
std::optional<size_t> Judge::dominator() const {
  const auto candidates = of(Standing::candidate);
  for (const size_t i : candidates) {
    for (const size_t j : candidates) {
      const bool whole = !needs_lost_log(positions_[i]) && !needs_lost_log(positions_[j]);
      if (i < j && whole && order(i, j) == Order::incomparable) return std::nullopt;
    }
  }
  std::optional<size_t> found;
  for (const size_t i : candidates) {
    const bool all = std::ranges::all_of(candidates, [&](size_t j) { return i == j || within(order(j, i)); });
    if (!all || needs_lost_log(positions_[i])) continue;
    if (!found || (members_[i].leader && !members_[*found].leader)) found = i;
  }
  return found;
}

Authority Judge::judge_no_dominator() {
  const auto candidates = of(Standing::candidate);
  describe_divergence();
  const bool diverged = !reasons_.empty();
  std::set<size_t> untold;
  for (const size_t i : candidates) {
    if (needs_lost_log(positions_[i])) {
      untold.insert(i);
      say("{} has data pages that need log up to {}, but its log ends at {}", name(i),
          std::get<WalPosition>(positions_[i]).minimum_recovery->to_string(),
          std::get<WalPosition>(positions_[i]).end.to_string());
    }
    for (const size_t j : candidates) {
      if (i >= j || order(i, j) != Order::incomparable) continue;
      untold.insert({i, j});
      say("it is not known whether {} or {} is ahead: both may have written to the same timeline", name(i), name(j));
    }
  }
  if (diverged) return verdict(AuthorityKind::diverged, "diverged");
  for (const size_t i : untold) blockers_.push_back(members_[i].member);
  return verdict(AuthorityKind::undeterminable, "incomparable");
}

Authority Judge::judge_leaders() {
  const auto leading = leaders(Standing::candidate), empty = leaders(Standing::empty),
             foreign = leaders(Standing::foreign);
  const auto best = dominator();
  if (leading.size() > 1) say("{} accept writes, but only one should", names(leading));
  if (!empty.empty()) say("{} leads and holds no data", names(empty));
  if (!foreign.empty()) say("{} leads and is of another lineage than {}", names(foreign), known_lineage_);
  if (!best) {
    std::vector<std::string> before = std::exchange(reasons_, {});
    Authority authority = judge_no_dominator();
    authority.reasons.insert(authority.reasons.begin(), before.begin(), before.end());
    return authority;
  }
  if (members_[*best].leader) {
    say("{} leads and holds everything that any member holds", name(*best));
    return verdict(AuthorityKind::provable, "leader_holds_all", best);
  }
  for (const size_t i : leading)
    say("{} leads but lacks {} of {}", name(i), difference(positions_[*best], positions_[i]), name(*best));
  if (leading.size() == 1) {
    const size_t i = leading[0];
    const bool lost_its_own = holds_more_by(members_[i].own, positions_[*best], positions_[i]);
    if (lost_its_own)
      say("{} lacks what was written under its own number and {} has: it was reset, or restored from an older copy, or "
          "another server wrote under its number",
          name(i), name(*best));
    if (lost_its_own || members_[i].writes) {
      say("no member is proven to hold everything{}", lost_its_own ? "" : fmt::format(": {} writes on", name(i)));
      return verdict(AuthorityKind::diverged, lost_its_own ? "leader_lost_its_own" : "leader_writes_on");
    }
  }
  const char* rule = !leading.empty() ? "leader_lacks" : !empty.empty() ? "leader_empty" : "leader_foreign";
  if (!leading.empty() || !empty.empty() || !foreign.empty()) {
    say("{} holds everything that any member holds", name(*best));
    return verdict(AuthorityKind::leader_not_primary, rule, best);
  }
  say("no member leads; every member was read, and {} holds everything that any of them holds", name(*best));
  return verdict(AuthorityKind::provable, "one_holds_all", best);
}

/// Whether those that say they are in a Primary component are in the same one. nullopt: they are.
std::optional<Authority> Judge::judge_views(const std::vector<size_t>& inside) {
  if (inside.size() < 2) return std::nullopt;
  for (const size_t i : inside) {
    if (members_[i].view) continue;
    blockers_.push_back(members_[i].member);
    say("{} is in a Primary component, but which members are in it was not read", name(i));
  }
  if (!blockers_.empty()) return verdict(AuthorityKind::undeterminable, "view_unknown");
  const auto sees = [this](size_t i, size_t j) {
    return std::ranges::find(*members_[i].view, members_[j].member) != members_[i].view->end();
  };
  for (const size_t i : inside) {
    for (const size_t j : inside) {
      if (i >= j || sees(i, j) || sees(j, i)) continue;
      say("{} and {} are each in a Primary component without the other: two histories under one UUID", name(i),
          name(j));
      return verdict(AuthorityKind::diverged, "two_components");
    }
  }
  for (const size_t i : inside) {
    for (const size_t j : inside) {
      if (i == j || sees(i, j)) continue;
      blockers_ = {members_[i].member, members_[j].member};
      say("{} and {} do not agree whether they are in one component: the view is changing", name(i), name(j));
      return verdict(AuthorityKind::undeterminable, "view_changing");
    }
  }
  return std::nullopt;
}

/// One UUID. A Primary component holds what its most advanced member holds; the others in it get it.
Authority Judge::judge_galera() {
  const auto seqno = [this](size_t i) { return std::get<GaleraPosition>(positions_[i]).seqno; };
  const auto most_advanced = [&](const std::vector<size_t>& nodes) {
    size_t best = nodes[0];
    for (const size_t i : nodes)
      if (seqno(i) > seqno(best) || (seqno(i) == seqno(best) && members_[i].leader && !members_[best].leader)) best = i;
    return best;
  };
  const auto candidates = of(Standing::candidate);
  const size_t ahead = most_advanced(candidates);
  std::vector<size_t> inside = candidates;
  std::erase_if(inside, [this](size_t i) { return !members_[i].in_primary_component; });
  if (inside.empty()) {
    say("no member is in a Primary component; every member was read, and {} holds everything that any of them holds",
        name(ahead));
    return verdict(AuthorityKind::provable, "one_holds_all", ahead);
  }
  if (auto refused = judge_views(inside)) return *std::move(refused);
  const size_t best = most_advanced(inside);
  if (seqno(ahead) > seqno(best)) {
    say("{} is outside the Primary component and holds {}, which the component continued without", name(ahead),
        difference(positions_[ahead], positions_[best]));
    return verdict(AuthorityKind::diverged, "component_behind");
  }
  say("every member was read; {} is in the Primary component and holds everything that any of them holds", name(best));
  return verdict(AuthorityKind::provable, "component_holds_all", best);
}

Authority Judge::judge() {
  if (auto refused = refuse_list()) return *std::move(refused);
  standings_ = standings(engine_, members_, known_lineage_);
  for (const History& member : members_) positions_.push_back(member.position);
  if (engine_ == Engine::postgres) mark_writers();
  if (const auto blocked = of(Standing::blocked); !blocked.empty()) {
    if (members_.size() == 1 && members_[0].only_one) {
      say("{} is the only member, and it serves", name(0));
      return verdict(AuthorityKind::provable, "only_member", 0);
    }
    for (const size_t i : blocked) {
      blockers_.push_back(members_[i].member);
      say("{} is unknown and may hold what no other member has: {}", name(i), standings_[i].why);
    }
    describe_divergence();
    return verdict(AuthorityKind::undeterminable, "unknown_member");
  }
  const auto candidates = of(Standing::candidate), foreign = of(Standing::foreign);
  if (!foreign.empty()) say("{} is of another lineage than {} and does not count", names(foreign), known_lineage_);
  if (candidates.empty()) {
    if (!foreign.empty()) return verdict(AuthorityKind::undeterminable, "only_foreign");
    say("no member holds any data");
    return verdict(AuthorityKind::undeterminable, "all_empty");
  }
  std::map<std::string, std::vector<size_t>> lineages;
  for (const size_t i : candidates) lineages[standings_[i].lineage].push_back(i);
  if (lineages.size() > 1) {
    for (const auto& [lineage, of_it] : lineages) say("{} is of lineage {}", names(of_it), lineage);
    for (const size_t i : candidates) blockers_.push_back(members_[i].member);
    say("which of these lineages is the cluster's is not recorded, and a majority does not prove it");
    return verdict(AuthorityKind::undeterminable, "lineages_differ");
  }
  return engine_ == Engine::galera ? judge_galera() : judge_leaders();
}

}  // namespace

Authority find_authority(Engine engine, const std::vector<History>& members, const std::string& known_lineage) {
  return Judge(engine, members, known_lineage).judge();
}

}  // namespace holdfast::cluster

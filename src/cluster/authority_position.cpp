// Positions of any engine, compared and told apart.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include "cluster/authority.h"

namespace holdfast::cluster {

namespace {

using position::GaleraPosition;
using position::GtidSet;
using position::GtidState;
using position::Order;
using position::WalPosition;

std::string text_of(const GtidSet& a, const GtidSet& b) {
  return a.subtract(b).to_string(",");
}

std::string text_of(const GtidState& a, const GtidState& b) {
  std::vector<std::string> ranges;
  for (const auto& range : a.missing_from(b)) ranges.push_back(range.to_string());
  return fmt::format("{}", fmt::join(ranges, ","));
}

std::string text_of(const WalPosition& a, const WalPosition& b) {
  const auto fork = position::fork_of(a, b);
  std::vector<std::string> ranges;
  position::Lsn from = fork ? fork->at : position::Lsn{};
  for (const auto& [timeline, end] : position::path_after_fork(a, b)) {
    ranges.push_back(fmt::format("timeline {} from {} to {}", timeline, from.to_string(), end.to_string()));
    from = end;
  }
  return fmt::format("{}", fmt::join(ranges, ", "));
}

std::string text_of(const GaleraPosition& a, const GaleraPosition& b) {
  if (compare(a, b) != Order::after) return "";
  return a.seqno == b.seqno + 1 ? a.to_string() : fmt::format("{}:{}-{}", a.uuid.to_string(), b.seqno + 1, a.seqno);
}

}  // namespace

Order compare(const AnyPosition& a, const AnyPosition& b) {
  return std::visit(
      []<class A, class B>(const A& x, const B& y) {
        if constexpr (std::is_same_v<A, B> && !std::is_same_v<A, std::monostate>) {
          return position::compare(x, y);
        } else {
          return Order::incomparable;
        }
      },
      a, b);
}

std::string difference(const AnyPosition& a, const AnyPosition& b) {
  return std::visit(
      []<class A, class B>(const A& x, const B& y) -> std::string {
        if constexpr (std::is_same_v<A, B> && !std::is_same_v<A, std::monostate>) {
          return text_of(x, y);
        } else {
          return "";
        }
      },
      a, b);
}

std::string_view authority_kind_name(AuthorityKind kind) {
  switch (kind) {
    case AuthorityKind::provable:
      return "provable";
    case AuthorityKind::leader_not_primary:
      return "leader_not_primary";
    case AuthorityKind::diverged:
      return "diverged";
    case AuthorityKind::undeterminable:
      return "undeterminable";
  }
  return "?";
}

}  // namespace holdfast::cluster

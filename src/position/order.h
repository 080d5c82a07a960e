// How two positions in the history of one cluster relate. Pure values; every position type has compare(a, b) -> Order.
#pragma once

#include <string_view>

namespace holdfast::position {

/// Read as "a is ... b".
enum class Order {
  equal,
  before,        ///< everything of a is in b, and b has more
  after,         ///< everything of b is in a, and a has more
  diverged,      ///< each has something the other lacks
  incomparable,  ///< different lineage, or it cannot be told from the two positions
};

constexpr std::string_view order_name(Order order) {
  switch (order) {
    case Order::equal:
      return "equal";
    case Order::before:
      return "before";
    case Order::after:
      return "after";
    case Order::diverged:
      return "diverged";
    case Order::incomparable:
      return "incomparable";
  }
  return "?";
}

/// compare(b, a), given compare(a, b).
constexpr Order reversed(Order order) {
  if (order == Order::before) return Order::after;
  if (order == Order::after) return Order::before;
  return order;
}

/// From what each has that the other lacks.
constexpr Order order_of(bool a_has_more, bool b_has_more) {
  if (a_has_more && b_has_more) return Order::diverged;
  return a_has_more ? Order::after : b_has_more ? Order::before : Order::equal;
}

/// Of a whole, from the orders of two independent parts (two replication domains): one proven divergence is enough; a
/// part that cannot be told leaves the whole untold.
constexpr Order both(Order x, Order y) {
  if (x == Order::diverged || y == Order::diverged) return Order::diverged;
  if (x == Order::incomparable || y == Order::incomparable) return Order::incomparable;
  if (x == Order::equal || x == y) return y;
  return y == Order::equal ? x : Order::diverged;
}

}  // namespace holdfast::position

// Identities that do not mix: ClusterName and MemberName are both text, but not the same type.
#pragma once

#include <compare>
#include <functional>
#include <string>
#include <utility>

namespace holdfast {

template <class Tag>
class StrongId {
 public:
  StrongId() = default;
  explicit StrongId(std::string value) : value_(std::move(value)) {}
  const std::string& str() const { return value_; }
  bool empty() const { return value_.empty(); }
  auto operator<=>(const StrongId&) const = default;

 private:
  std::string value_;
};

using ClusterName = StrongId<struct ClusterNameTag>;
using MemberName = StrongId<struct MemberNameTag>;

}  // namespace holdfast

template <class Tag>
struct std::hash<holdfast::StrongId<Tag>> {
  size_t operator()(const holdfast::StrongId<Tag>& id) const { return std::hash<std::string>{}(id.str()); }
};

// Which cluster an operation belongs to. Pure.
//
// A cluster is known by its uid (metadata.uid), whatever it is called; one without a uid by its full name. A cluster
// may get a uid while operations from before still carry only its name, so where one of two keys has no uid, the names
// decide.
#pragma once

#include <string>

namespace holdfast::operation {

struct ClusterKey {
  std::string name;  ///< full name, "shop/shop-mysql": what people read
  std::string uid;   ///< empty = none

  ClusterKey() = default;
  explicit ClusterKey(std::string full_name, std::string its_uid = {})
      : name(std::move(full_name)), uid(std::move(its_uid)) {}
};

/// Whether both can be the same cluster; then only one of them is changed at a time. A key without a uid can be each
/// cluster of its name, so this does not carry over from two pairs to a third.
inline bool same_cluster(const ClusterKey& a, const ClusterKey& b) {
  return a.uid.empty() || b.uid.empty() ? a.name == b.name : a.uid == b.uid;
}

}  // namespace holdfast::operation

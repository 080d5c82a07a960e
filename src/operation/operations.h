// Where an operation stands, in a few words: what lists of operations show. Pure.
#pragma once

#include <optional>
#include <string>

#include "codec/value.h"
#include "operation/journal.h"
#include "operation/lock.h"
#include "operation/state.h"

namespace holdfast::operation {

struct Summary {
  std::string id, cluster, verb;
  std::string state;           ///< running, unfinished, done, undone, failed, abandoned, damaged
  std::string started, ended;  ///< UTC; empty when not so
  std::string step;            ///< the one in flight, or next
  bool undoing = false;
  bool past_no_return = false;
  std::string plan_hash;           ///< 12 digits
  std::string error;               ///< what went wrong last
  std::string damage;              ///< why its journal cannot be used
  std::optional<LockOwner> owner;  ///< while running
  std::string cluster_uid;         ///< empty = none

  ClusterKey key() const { return ClusterKey(cluster, cluster_uid); }
  /// Not over: it stands in the way of others.
  bool open() const { return state == "running" || state == "unfinished" || state == "damaged"; }
  /// An open one that concerns this cluster. One whose own cluster cannot be read concerns all.
  bool blocks(const ClusterKey& other) const { return open() && (cluster.empty() || same_cluster(key(), other)); }
};
codec::Value summary_value(const Summary& summary);

/// Nothing is "running" here: that only the store knows (OperationStore::summary()).
Summary summarise(const StoredOperation& stored);

}  // namespace holdfast::operation

// One lock per cluster: whoever changes a cluster holds it, and nobody else may. Taken from an OperationStore.
//
// Each acquisition raises the cluster's epoch, durably, before it returns; commands to members carry the epoch, and
// members refuse lower ones. What the store knows of epochs may be lost, or come back old with a restored state
// directory: the caller hands in the highest epoch the members know, and what is given out is always above both.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"
#include "codec/value.h"
#include "operation/cluster_key.h"

namespace holdfast::operation {

struct LockOwner {
  std::string host;
  int64_t pid = 0;
  uint64_t process_start = 0;  ///< tells a reused pid apart (sys::process_start_time)
  std::string operation;       ///< its id
  std::string verb;
  std::string since;  ///< UTC
};
codec::Value owner_value(const LockOwner& owner);
/// Of an owner_value() as JSON; empty where it makes no sense.
LockOwner parse_owner(std::string_view json);
/// This process, now.
LockOwner this_owner(std::string operation, std::string verb);

struct LockRequest {
  ClusterKey cluster;
  std::string operation;  ///< the operation that needs it; the one unfinished operation that does not stand in the way
  std::string verb;
  uint64_t min_epoch = 0;          ///< the highest epoch any member knows; 0 = they know none
  bool beside_unfinished = false;  ///< also while others are unfinished: for closing them, one by one
};

/// A lock that is held; destroying it gives it back. One thread at a time.
class ClusterLock {
 public:
  virtual ~ClusterLock() = default;
  ClusterLock(const ClusterLock&) = delete;
  ClusterLock& operator=(const ClusterLock&) = delete;

  const ClusterKey& cluster() const { return cluster_; }
  uint64_t epoch() const { return epoch_; }
  const LockOwner& owner() const { return owner_; }
  /// Whether it is still ours; asked before each step. "operation.lock_lost" (conflict) when it was taken away, or a
  /// higher epoch has been given out.
  virtual Status confirm() const = 0;

 protected:
  explicit ClusterLock(const LockRequest& request)
      : cluster_(request.cluster), owner_(this_owner(request.operation, request.verb)) {}
  void set_epoch(uint64_t epoch) { epoch_ = epoch; }

 private:
  const ClusterKey cluster_;
  const LockOwner owner_;
  uint64_t epoch_ = 0;
};

// What stores say, all in the same words.

/// "operation.locked" (conflict): who has it.
Error locked(const ClusterKey& cluster, const LockOwner& owner);
/// "operation.lock_lost" (conflict).
Error lock_lost(const std::string& why, std::string hint = "holdfast operations list shows who works");

}  // namespace holdfast::operation

// Where operations are kept: the lock and the epoch of each cluster, and the journals. The one door to them for the
// executor and for all verbs; tests/conformance holds each implementation to what is said here.
//
// Everything of a cluster is found by its ClusterKey, by uid before name. Locks and journals may outlive the store they
// came from.
//
// Blocking. A store may be used by several threads, a lock and a journal by one at a time.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "operation/journal.h"
#include "operation/lock.h"
#include "operation/operations.h"

namespace holdfast::operation {

class OperationStore {
 public:
  virtual ~OperationStore() = default;
  OperationStore() = default;
  OperationStore(const OperationStore&) = delete;
  OperationStore& operator=(const OperationStore&) = delete;

  /// Refuses at once, without waiting:
  /// - "operation.locked" (conflict) while another has the lock of this cluster (same_cluster()); says who
  /// - "operation.unfinished" (conflict) while another operation of the cluster is unfinished; says how to end it
  /// - "operation.epoch_damaged" (needs_operator) if what is kept of epochs cannot be read and no member knows one
  /// The epoch is above each that was given out for this cluster, under its uid or its name, and above min_epoch. A
  /// lock ends with its owner: one that was killed leaves it free.
  virtual Result<std::unique_ptr<ClusterLock>> acquire(const LockRequest& request) = 0;
  /// Who has the lock right now; nothing when it is free. An owner that cannot be read has an empty host.
  virtual std::optional<LockOwner> holder(const ClusterKey& cluster) const = 0;

  /// Begins an operation: its plan and first record become visible together, or not at all; on failure nothing of it
  /// stays. A lock of another cluster is "operation.wrong_lock" (bug).
  virtual Result<std::unique_ptr<Journal>> create(const ClusterLock& lock, const std::string& id, const Plan& plan,
                                                  codec::Value begun_data) = 0;
  /// Opens one to go on with it: cuts a torn tail, refuses what check_usable() refuses, "operation.wrong_lock" (bug),
  /// "operation.not_found" (usage). Of two that are open only one can be appended to, whatever became of the lock:
  /// "operation.locked" (conflict).
  virtual Result<std::unique_ptr<Journal>> open(const ClusterLock& lock, const std::string& id) = 0;
  /// Closes an operation, however damaged, durably. The caller holds the lock of its cluster, where that can be read.
  virtual Status write_abandonment(const std::string& id, const codec::Value& owner) = 0;

  /// All there are, oldest first.
  virtual Result<std::vector<std::string>> ids() const = 0;
  /// For looking at, changes nothing. "operation.not_found" (usage); damage is not an error here.
  virtual Result<StoredOperation> read(const std::string& id) const = 0;

  Summary summary(const StoredOperation& stored) const;
  /// Oldest first; also damaged ones.
  Result<std::vector<Summary>> list() const;
  /// Those that stand in the way of others on this cluster (Summary::blocks()).
  Result<std::vector<Summary>> unfinished(const ClusterKey& cluster) const;
  /// The full id of the one operation whose id begins so, or "latest". "operation.not_found" or "operation.ambiguous"
  /// (usage).
  Result<std::string> find(std::string_view name) const;

 protected:
  /// For acquire(), once the lock is held and before an epoch is given out.
  Status refuse_if_unfinished(const LockRequest& request) const;
  /// "operation.wrong_lock"
  static Status check_lock(const ClusterLock& lock, const Plan& plan);
  static Error not_found(std::string_view name);
};

}  // namespace holdfast::operation

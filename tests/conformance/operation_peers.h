// The operation stores under test, and what happens to each from outside.
#pragma once

#include <memory>
#include <string>

#include "operation/store.h"

namespace holdfast::test {

class OperationPeer {
 public:
  virtual ~OperationPeer() = default;

  /// The store as one more process, or machine, has it.
  virtual std::unique_ptr<operation::OperationStore> open() = 0;

  /// Another process that has the lock until it is killed, and then gives nothing back.
  class Owner {
   public:
    virtual ~Owner() = default;
    virtual uint64_t epoch() const = 0;  ///< 0 = it did not get what it wanted
    virtual void kill() = 0;
  };
  /// With a plan it has also begun the operation of the request, and keeps its journal open.
  virtual std::unique_ptr<Owner> start_owner(const operation::LockRequest& request,
                                             const operation::Plan* begins = nullptr) = 0;

  /// The lock is free for others; its holder lives and does not know.
  virtual void take_lock_away(const operation::ClusterKey& cluster) = 0;
  /// As if another had been given this epoch, the lock left alone.
  virtual void give_epoch(const operation::ClusterKey& cluster, uint64_t epoch) = 0;
  virtual void lose_epochs() = 0;
  virtual void damage_epochs(const operation::ClusterKey& cluster) = 0;
  /// Nothing can be written, until allow_writes(). Print nothing meanwhile.
  virtual void fail_writes() = 0;
  virtual void allow_writes() = 0;

  /// The bytes of the plan and of the lines of the journal, as they are kept.
  virtual std::string journal(const std::string& id) = 0;
  virtual void set_journal(const std::string& id, const std::string& bytes) = 0;
  virtual void damage_plan(const std::string& id) = 0;
  /// The operation as it was right before it became visible.
  virtual void make_half(const operation::ClusterKey& cluster, const std::string& id) = 0;
};

/// "file" or "memory", empty.
std::unique_ptr<OperationPeer> operation_peer(const std::string& name);

}  // namespace holdfast::test

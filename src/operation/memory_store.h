// Operations in memory: the store of tests. It keeps the same texts as the file version, and can be told to fail as
// that one fails.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/mutex.h"
#include "operation/store.h"

namespace holdfast::operation {

class MemoryOperationStore final : public OperationStore {
 public:
  MemoryOperationStore() : kept_(std::make_shared<Kept>()) {}
  /// The same operations, as another process has them.
  MemoryOperationStore(const MemoryOperationStore& other) : OperationStore(), kept_(other.kept_) {}

  Result<std::unique_ptr<ClusterLock>> acquire(const LockRequest& request) override;
  std::optional<LockOwner> holder(const ClusterKey& cluster) const override;
  Result<std::unique_ptr<Journal>> create(const ClusterLock& lock, const std::string& id, const Plan& plan,
                                          codec::Value begun_data) override;
  Result<std::unique_ptr<Journal>> open(const ClusterLock& lock, const std::string& id) override;
  Status write_abandonment(const std::string& id, const codec::Value& owner) override;
  Result<std::vector<std::string>> ids() const override;
  Result<StoredOperation> read(const std::string& id) const override;

  // What happens to it from outside.

  /// The lock of this cluster is free for others, whatever its holder believes. It can still append to its journal.
  void take_lock_away(const ClusterKey& cluster);
  /// The holder is gone: its lock is free, and so is the journal of its operation.
  void kill_owner(const ClusterKey& cluster);
  /// Every epoch that was given out is forgotten.
  void forget_epochs();
  /// As if another had been given this epoch for the cluster.
  void give_epoch(const ClusterKey& cluster, uint64_t epoch);
  void damage_epochs();
  /// After `good` more records nothing can be written, until allow_writes().
  void fail_writes(size_t good = 0);
  void allow_writes();

  /// A copy of the texts of an operation, to be changed and stored again. There must be one.
  struct Texts {
    std::string plan, journal;
    std::optional<std::string> abandonment;
    bool whole = false;  ///< what is not is not seen
  };
  Texts texts(const std::string& id) const;
  void set_texts(const std::string& id, Texts texts);

 private:
  class Lock;
  class Writer;
  class Lines;
  struct Holding {
    ClusterKey cluster;
    LockOwner owner;
  };
  struct Kept {
    Mutex mutex;
    std::map<std::string, Texts> operations GUARDED_BY(mutex);
    std::map<uint64_t, Holding> locks GUARDED_BY(mutex);        ///< by number
    std::map<std::string, uint64_t> writers GUARDED_BY(mutex);  ///< by operation: the journal that may append
    std::vector<std::pair<ClusterKey, uint64_t>> epochs GUARDED_BY(mutex);
    uint64_t last_number GUARDED_BY(mutex) = 0;
    bool epochs_damaged GUARDED_BY(mutex) = false;
    std::optional<size_t> writes_left GUARDED_BY(mutex);  ///< nothing = no end

    uint64_t last_epoch(const ClusterKey& cluster) REQUIRES(mutex);
    Status writable() REQUIRES(mutex);
  };
  const std::shared_ptr<Kept> kept_;  ///< locks and journals may outlive the store
};

}  // namespace holdfast::operation

// Operations as files below the state directory (folders.h): locks that end with their process, journals a person can
// read. For this machine; machines that share no state directory are kept apart by the epochs their members refuse.
#pragma once

#include <string>

#include "operation/store.h"

namespace holdfast::operation {

class FileOperationStore final : public OperationStore {
 public:
  explicit FileOperationStore(std::string state_dir) : state_dir_(std::move(state_dir)) {}

  Result<std::unique_ptr<ClusterLock>> acquire(const LockRequest& request) override;
  std::optional<LockOwner> holder(const ClusterKey& cluster) const override;
  Result<std::unique_ptr<Journal>> create(const ClusterLock& lock, const std::string& id, const Plan& plan,
                                          codec::Value begun_data) override;
  Result<std::unique_ptr<Journal>> open(const ClusterLock& lock, const std::string& id) override;
  Status write_abandonment(const std::string& id, const codec::Value& owner) override;
  Result<std::vector<std::string>> ids() const override;
  Result<StoredOperation> read(const std::string& id) const override;

 private:
  std::string folder_of(const std::string& id) const;
  const std::string state_dir_;
};

}  // namespace holdfast::operation

// The lock and the epoch of a cluster as files below the state directory (folders.h). Used by FileOperationStore only.
//
// It is a file lock, so it lives exactly as long as its process, and nothing has to be judged by age.
//
// A cluster without a uid has one file, named after it, locked for its holder alone. One with a uid has a file named
// after that, locked for its holder alone, and shares the file of its name: clusters of one name and different uids do
// not meet, but whoever knows the cluster by its name only (a resource from before it had a uid, an older program)
// meets each of them. Epochs go the same way: above those of both files, and written to both.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "operation/lock.h"
#include "sys/file.h"

namespace holdfast::operation {

class FileLock final : public ClusterLock {
 public:
  /// Locked, or "operation.locked". It has no epoch yet.
  static Result<std::unique_ptr<FileLock>> take(const std::string& state_dir, const LockRequest& request);
  ~FileLock() override;

  /// Gives it an epoch ("operation.epoch_damaged") and writes down who holds it.
  Status begin(uint64_t min_epoch);
  Status confirm() const override;

 private:
  struct File {
    std::string path;
    sys::Fd fd;
  };
  explicit FileLock(const LockRequest& request) : ClusterLock(request) {}
  std::vector<File> files_;          ///< its own first, then the one it shares
  std::vector<std::string> epochs_;  ///< the same
};

std::optional<LockOwner> file_lock_holder(const std::string& state_dir, const ClusterKey& cluster);

}  // namespace holdfast::operation

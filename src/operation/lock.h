// One lock per cluster on this machine: whoever changes a cluster holds it, and nobody else may.
//
// It is a file lock, so it lives exactly as long as its process: a killed owner leaves the lock free and its operation
// unfinished. Each acquisition raises the cluster's epoch, durably, before it returns; commands to members carry the
// epoch, and members refuse lower ones. The epochs file may be lost, or come back old with a restored state directory:
// the caller hands in the highest epoch the members know, and what is given out is always above both.
//
// One thread at a time.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "codec/value.h"
#include "sys/file.h"

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
/// This process, now.
LockOwner this_owner(std::string operation, std::string verb);

struct LockRequest {
  std::string cluster;    ///< full name
  std::string operation;  ///< the operation that needs it; the one unfinished operation that does not stand in the way
  std::string verb;
  uint64_t min_epoch = 0;          ///< the highest epoch any member knows; 0 = they know none
  bool beside_unfinished = false;  ///< also while others are unfinished: for closing them, one by one
};

class ClusterLock {
 public:
  /// Refuses at once, without waiting:
  /// - "operation.locked" (conflict) while another process has it; says who
  /// - "operation.unfinished" (conflict) while another operation of the cluster is unfinished; says how to end it
  /// - "operation.epoch_damaged" (needs_operator) if the epochs file cannot be read and no member knows an epoch
  static Result<ClusterLock> acquire(const std::string& state_dir, const LockRequest& request);

  ClusterLock(ClusterLock&&) noexcept = default;
  ClusterLock& operator=(ClusterLock&&) noexcept = default;
  ~ClusterLock();

  uint64_t epoch() const { return epoch_; }
  const LockOwner& owner() const { return owner_; }
  /// Whether it is still ours; asked before each step. "operation.lock_lost" (conflict) when its file was removed or
  /// replaced, or a higher epoch has been given out.
  Status confirm() const;

 private:
  ClusterLock() = default;
  std::string lock_path_, epoch_path_;
  sys::Fd fd_;
  uint64_t epoch_ = 0;
  LockOwner owner_;
};

/// Who holds the lock right now; nothing when nobody does. An owner whose file cannot be read has an empty host.
std::optional<LockOwner> lock_holder(const std::string& state_dir, std::string_view cluster);

}  // namespace holdfast::operation

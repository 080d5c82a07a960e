// Who may change a member: the highest epoch of an operation that ever asked, and nobody below it.
//
// Each operation has the epoch its cluster's lock gave it (operation/lock.h) and sends it along. A process that was
// stopped, or cut off from its lock, while another one took its cluster over wakes up with a lower epoch: it is refused
// here ("agent.stale_epoch"), whatever it believes. Requests without an epoch (the lab, people) are not compared.
#pragma once

#include <functional>
#include <map>
#include <string>

#include "base/deadline.h"
#include "base/mutex.h"
#include "base/result.h"

namespace holdfast::agent {

/// Thread-safe.
class EpochGate {
 public:
  /// The number is kept in <dir>/epoch, beside agent.json.
  explicit EpochGate(const std::string& dir) : path_(dir + "/epoch") {}

  /// While one lives, a request of that epoch is at work.
  class Pass {
   public:
    Pass() = default;
    Pass(Pass&& other) noexcept : gate_(other.gate_), epoch_(other.epoch_) { other.gate_ = nullptr; }
    Pass& operator=(Pass&&) = delete;
    ~Pass();

   private:
    friend class EpochGate;
    Pass(EpochGate* gate, uint64_t epoch) : gate_(gate), epoch_(epoch) {}
    EpochGate* gate_ = nullptr;
    uint64_t epoch_ = 0;
  };

  /// Lets a request of this epoch in. A lower one than the highest seen is refused ("agent.stale_epoch"). A higher one
  /// is on the disk before it is let in; what older ones still do here is told to end by `end_older`, and given a
  /// moment to: its operation is over, or it would hold a higher epoch itself.
  Result<Pass> admit(uint64_t epoch, Deadline deadline, const std::function<void()>& end_older);

  /// The highest seen; 0 = none. "agent.epoch_damaged" (needs_operator) when the file makes no sense: then no request
  /// with an epoch is let in.
  Result<uint64_t> highest();

 private:
  void leave(uint64_t epoch);
  Result<uint64_t> highest_locked() REQUIRES(mutex_);
  bool older_at_work(uint64_t epoch);

  const std::string path_;
  Mutex mutex_;
  std::map<uint64_t, int> at_work_ GUARDED_BY(mutex_);
};

}  // namespace holdfast::agent

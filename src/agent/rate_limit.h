// Holds a flow of bytes to a rate.
#pragma once

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <stop_token>

namespace holdfast::agent {

/// One thread's.
class RateLimit {
 public:
  /// Bytes a second; 0 = none.
  explicit RateLimit(uint64_t rate) : rate_(rate) {}

  /// These have just passed: waits until the next may. Returns at once on `stop`. A flow that was held up by others
  /// may not make up for more than a second.
  void passed(size_t bytes, const std::stop_token& stop) {
    using clock = std::chrono::steady_clock;
    if (rate_ == 0) return;
    const std::chrono::duration<double> takes(static_cast<double>(bytes) / static_cast<double>(rate_));
    const auto now = clock::now();
    next_ = std::max(next_, now - std::chrono::seconds(1)) + std::chrono::duration_cast<clock::duration>(takes);
    if (next_ <= now) return;
    std::mutex mutex;
    std::unique_lock lock(mutex);
    std::condition_variable_any().wait_until(lock, stop, next_, [] { return false; });
  }

 private:
  const uint64_t rate_;
  std::chrono::steady_clock::time_point next_ = std::chrono::steady_clock::now();
};

}  // namespace holdfast::agent

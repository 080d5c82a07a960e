// How fast a member's disks fill, from what an agent remembers: in memory only, so an agent that was started just now
// says that it does not know.
#pragma once

#include <chrono>
#include <condition_variable>
#include <deque>
#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <thread>

#include "cluster/facts.h"

namespace holdfast::agent {

/// Looks back an hour at what was free of each volume.
class DiskTrend {
 public:
  using Time = std::chrono::steady_clock::time_point;
  static constexpr std::chrono::seconds kBetween{5}, kAtLeast{30}, kAtMost{3600};

  /// Samples closer together than kBetween are dropped. Another size is another disk at the same place: what was before
  /// is forgotten (by a tenth: on pooled storage the size itself goes up and down a little).
  void add(const cluster::Volume& volume, Time now);
  /// Puts growth into the volume. A burst is no trend: of the whole time and its later half the slower counts.
  /// Returns why it is not known, or "".
  std::string tell(cluster::Volume& volume, Time now) const;

 private:
  struct Sample {
    Time at;
    uint64_t total, free;
  };
  std::map<std::string, std::deque<Sample>> samples_;  ///< by path
};

/// Feeds a DiskTrend from a thread of its own: a disk that hangs holds nobody else up.
class DiskWatch {
 public:
  /// `look` fills volumes; called from the thread.
  explicit DiskWatch(std::function<void(cluster::MemberFacts&)> look) : look_(std::move(look)) {}
  /// Begins to look. Its thread takes the signal mask of the caller.
  void start();
  /// Growth of the volumes in `facts`, and a reading for each.
  void tell(cluster::MemberFacts& facts);

 private:
  void run(const std::stop_token& stop);

  const std::function<void(cluster::MemberFacts&)> look_;
  std::mutex mutex_;
  std::condition_variable_any wake_;
  DiskTrend trend_;
  std::jthread thread_;
};

}  // namespace holdfast::agent

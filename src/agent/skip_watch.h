// Which transactions a replica's log passes over: looked for in the background, since it reads files of the log.
#pragma once

#include <chrono>
#include <mutex>
#include <string>
#include <thread>

#include "agent/config.h"
#include "codec/value.h"

namespace holdfast::agent {

/// Remembers what it found last, in memory only. Thread-safe.
class SkipWatch {
 public:
  /// {known, transactions, unknown}: what was found last; looks anew, without waiting for it, when the log has changed
  /// since, and not all the time. MariaDB and MySQL only.
  codec::Value tell(const MemberConfig& config);

 private:
  std::mutex mutex_;
  bool running_ = false, known_ = false;
  std::string transactions_, unknown_;
  std::string seen_;  ///< names and sizes of the files that it was found in
  std::chrono::steady_clock::time_point not_before_;
  std::jthread thread_;
};

}  // namespace holdfast::agent

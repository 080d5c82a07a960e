// What a server's log has told of damaged data since the server was started, however much it has said since.
#pragma once

#include <sys/types.h>

#include <mutex>
#include <string>

#include "agent/config.h"
#include "cluster/facts.h"

namespace holdfast::agent {

/// Reads what is new in the log each time it is asked. Thread-safe.
class LogWatch {
 public:
  /// Into facts.runtime.damage_logged. Of more than 4 MiB that are new, the last 4. An existing server that has no log
  /// of its own speaks to the journal of its unit.
  void tell(cluster::MemberFacts& facts, const MemberConfig& config);

 private:
  void read(const std::string& text);

  std::mutex mutex_;
  ino_t file_ = 0;
  off_t read_to_ = 0;
  std::string cursor_;  ///< of the journal
  std::string line_;    ///< the last one of the present run
};

}  // namespace holdfast::agent

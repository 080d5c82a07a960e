// Are the pages on a member's disk whole? A server finds out when it reads one, which may be months later, or when a
// backup is needed. So its agent reads them once after each start, in the background.
#pragma once

#include <chrono>
#include <mutex>
#include <optional>
#include <string>
#include <thread>

#include "agent/config.h"
#include "cluster/facts.h"
#include "engine/page_check.h"

namespace holdfast::agent {

/// Remembers the last check, in memory only: the next start checks again, and so does an agent that adopts the server.
class PageWatch {
 public:
  static constexpr std::chrono::seconds kLimit{20};
  /// Checks the pages of a server that has just become ready, for 20 seconds at most, with the lowest priority for
  /// processor and disk; what changed last comes first. Ends a check that still runs. Before others are made from it,
  /// all of it is worth more time.
  void begin(const MemberConfig& config, std::chrono::seconds limit = kLimit);
  /// Puts what is known into facts.runtime.page_check, and a reading. Damaged pages are read again: one that was
  /// written anew is none. A check that failed is a reading that is not known.
  void tell(cluster::MemberFacts& facts, const MemberConfig& config);

 private:
  std::mutex beginning_;  ///< one begin() at a time; taken before mutex_, never by the thread
  std::mutex mutex_;
  std::optional<engine::PageCheck> last_;
  std::string failed_;  ///< why there is no last one
  bool running_ = false;
  std::jthread thread_;
};

}  // namespace holdfast::agent

// Packets that a host of the lab loses: of some or all others, in one direction or both.
#pragma once

#include <string>

#include "agent/config.h"

namespace holdfast::test {

class LostPackets {
 public:
  LostPackets() = default;
  LostPackets(const LostPackets&) = delete;
  ~LostPackets() { heal(); }

  /// From now on, on the host of this member: what comes from `other` (an address, "" = everybody), and what goes
  /// there.
  void lose(const agent::MemberConfig& at, const std::string& other, bool in = true, bool out = true);
  void heal();
  bool any() const { return !where_.empty(); }

 private:
  std::string where_;  ///< network namespace
};

/// Of the caller, in the network of this member.
std::string callers_address(const agent::MemberConfig& member);

}  // namespace holdfast::test

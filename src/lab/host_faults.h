// What can be wrong with the network of a lab's host: all of a host, not of one server (surroundings.h). Root; each is
// undone by heal_host() and by `lab down`. Unix sockets still answer.
#pragma once

#include <stop_token>
#include <string>

#include "agent/config.h"
#include "base/deadline.h"
#include "base/result.h"
#include "lab/layout.h"

namespace holdfast::lab {

/// Whom a host does not reach: all = "", a member (its host), or "caller".
struct Beyond {
  std::string name;
  std::string address;  ///< "" = all
};

/// "lab.no_host" (refused) for a member on loopback, "lab.needs_program" without nft; who may have hosts (hosts.h) may
/// break them.
Status can_break_host(const agent::MemberConfig& config);

/// No packet leaves or reaches the host; with an address in `beyond` only none to or from that one.
Status cut_host(const Layout& layout, const agent::MemberConfig& config, const Beyond& beyond, Deadline deadline,
                std::stop_token stop);
/// Nothing that `beyond` sends arrives at the host; what the host sends does.
Status deafen_host(const agent::MemberConfig& config, const Beyond& beyond);
/// Each frame takes 50 ms longer, in each direction, and one of a hundred is lost (slow_wire.h). `program` runs
/// `lab wire`. "lab.slow" (conflict) when it is slow already, "lab.no_wire" (failed) when that cannot work here.
Status slow_host(const Layout& layout, const agent::MemberConfig& config, const std::string& program, Deadline deadline,
                 std::stop_token stop);
/// Undoes all of that; whether there was anything.
Result<bool> heal_host(const Layout& layout, const agent::MemberConfig& config, Deadline deadline,
                       std::stop_token stop);

/// Runs `nft -f -` in a namespace ("" = the caller's).
Status run_nft(const std::string& net_namespace, std::string_view rules);

}  // namespace holdfast::lab

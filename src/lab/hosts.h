// Hosts of a lab: network namespaces with an address each, joined by a switch. Root only.
//
//   the caller's namespace    hf0123456789      10.213.x.254   one end of a veth pair
//   hf0123456789-switch       switch            a bridge with the ports caller, host1, host2, ...
//   hf0123456789-1 ... -9     eth0              10.213.x.1     one end of a veth pair, the other is host1 of the switch
//
// The digits are a hash of the state directory: what a lab has made is known by its name alone, whatever was killed
// meanwhile. The switch has a namespace of its own, so that no firewall of the caller's is between two hosts. x is
// leased by being an address of the caller's; while a lab looks for one it holds an abstract unix socket named after
// it. Two labs of one machine have different names and a different x.
// Who makes or removes hosts holds the lab's lock.
#pragma once

#include <optional>
#include <stop_token>
#include <string>
#include <string_view>

#include "base/deadline.h"
#include "base/result.h"
#include "lab/layout.h"
#include "sys/file.h"

namespace holdfast::lab {

inline constexpr int kCallersHost = 254;  ///< last part of the caller's address
inline constexpr int kAgentPort = 7420;   ///< where agents on hosts answer, if it is free there

/// "lab.needs_root", "lab.needs_program", "lab.no_namespaces" (refused), with the reason and what to do.
Status can_have_hosts();

class HostNetwork {
 public:
  /// Only names; nothing is made or looked at.
  explicit HostNetwork(const Layout& layout);

  const std::string& name() const { return name_; }  ///< hf0123456789, also the interface of the caller
  std::string switch_name() const { return name_ + "-switch"; }
  std::string host_name(int host) const;
  static std::string port_name(int host);            ///< host1: its port on the switch
  static std::string address(int subnet, int host);  ///< 10.213.x.1

  /// x, once the caller is joined to the switch; nullopt before that.
  std::optional<int> subnet() const;
  /// Whether anything of this lab's hosts is there, whole or not.
  bool exists() const;

  /// Makes what is missing of `hosts` hosts; what is there and whole stays as it is. Gives x, which is `wish` where
  /// that is free. "lab.no_subnet" (unavailable) when none is.
  Result<int> make(int hosts, std::optional<int> wish, Deadline deadline, std::stop_token stop) const;
  /// Removes all of it, also what was half made; fine when there is nothing. Processes in there must have ended.
  Status remove(Deadline deadline, std::stop_token stop) const;

 private:
  Result<int> join_caller(std::optional<int> wish, Deadline deadline, const std::stop_token& stop) const;
  Status make_host(int host, const std::string& address, Deadline deadline, const std::stop_token& stop) const;

  std::string state_dir_, lab_dir_, name_;
};

/// Number of the member's host; 0 = on loopback, beside the caller.
int host_of(const agent::MemberConfig& member);
/// Third part of its address 10.213.x.n; nullopt for members on loopback.
std::optional<int> subnet_of(const agent::MemberConfig& member);

/// `ip -batch` with one command per line, in a namespace ("" = the caller's).
Status run_ip(const std::string& net_namespace, std::string_view commands, Deadline deadline,
              const std::stop_token& stop);
/// Whether the calling thread's namespace has this interface, and it is up.
enum class Link { none, down, up };
Link link_state(const std::string& name);

}  // namespace holdfast::lab

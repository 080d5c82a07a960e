// TCP ports for servers that choose none themselves, leased so that no two labs on a machine take the same one.
#pragma once

#include <string>

#include "base/result.h"
#include "sys/file.h"

namespace holdfast::lab {

/// A port and the descriptor that holds its lease: an abstract unix socket "@holdfast-port-<port>", which lives in the
/// same network namespace as the port and goes with the last process that has it open.
struct PortLease {
  int port = 0;
  sys::Fd lease;
};

/// The socket alone: holds a name of this network namespace until the last copy of it is closed. No descriptor when
/// another process has it.
sys::Fd lease_name(const std::string& name);
/// Leases `port` if nobody has it and nothing listens on it.
Result<PortLease> lease_port(int port);
/// Leases a free port of 20000-29999 (below the range the kernel gives to outgoing connections).
Result<PortLease> lease_any_port();
/// Leases the first free port from `port` on: in a namespace of its own nearly always `port` itself.
Result<PortLease> lease_port_from(int port);

}  // namespace holdfast::lab

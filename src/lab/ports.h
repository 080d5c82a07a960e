// TCP ports for servers that choose none themselves, leased so that no two labs on a machine take the same one.
#pragma once

#include <vector>

#include "base/result.h"
#include "sys/file.h"

namespace holdfast::lab {

/// A port and the descriptor that holds its lease: an abstract unix socket "@holdfast-port-<port>", which lives in the
/// same network namespace as the port and goes with the last process that has it open.
struct PortLease {
  int port = 0;
  sys::Fd lease;
};

/// Leases `port` if nobody has it and nothing listens on it.
Result<PortLease> lease_port(int port);
/// Leases a free port of 20000-29999 (below the range the kernel gives to outgoing connections).
Result<PortLease> lease_any_port();

}  // namespace holdfast::lab

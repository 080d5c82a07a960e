// A slow network: a process that carries frames from one interface to another, later, and not all of them.
//
// `tc netem` does this in the kernel, but many kernels are built without it; this needs packet sockets alone.
#pragma once

#include <chrono>
#include <stop_token>
#include <string>

#include "base/result.h"

namespace holdfast::lab {

struct Wire {
  std::string left, right;              ///< interfaces of the calling process's network namespace
  std::chrono::milliseconds delay{50};  ///< in each direction
  double loss = 0.01;                   ///< share of the frames of each direction that are dropped
};

/// Carries frames both ways until it is stopped or one of the interfaces is gone. Frames keep their order. `lock_file`
/// is held, with our pid in it, while it does: "lab.wire" (conflict) when another process holds it. Blocks; needs root.
Status run_wire(const Wire& wire, const std::string& lock_file, std::stop_token stop);

/// Where the lock of a host's wire is.
std::string wire_lock(const std::string& lab_dir, int host);
/// Whether a process holds it.
bool has_wire(const std::string& lock_file);
/// Ends that process, and waits until it is gone. Fine when there is none.
void end_wire(const std::string& lock_file);

}  // namespace holdfast::lab

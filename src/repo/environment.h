// Who runs this process, where, and when: what snapshots, locks and keys record.
#pragma once

#include <cstdint>
#include <string>

#include "repo/format/timestamp.h"

namespace holdfast::repo {

struct Environment {
  std::string host;
  std::string user;
  uint32_t uid = 0, gid = 0;
  int pid = 0;

  static Environment of_process();
};

/// The wall clock, in the local zone.
Timestamp now();

}  // namespace holdfast::repo

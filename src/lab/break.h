// Damaging lab members on purpose, and mending them.
#pragma once

#include <string>
#include <vector>

#include "lab/lab.h"

namespace holdfast::lab {

/// kill            the server gets SIGKILL                 stop / continue   SIGSTOP, SIGCONT
/// delete-data     killed, its data directory removed
/// corrupt-pages   killed, pages in the middle of its largest table file overwritten; the server is not started again
/// truncate-file   killed, its largest table file cut in half; the server is not started again
/// drop-schema     DROP DATABASE shop                      truncate-tables   every table of shop emptied
/// fill-disk       its data moves to a small file system of its own, which is then filled to the last block (root)
/// partition       no packet reaches or leaves its server; its unix socket still answers (root, nftables)
/// Of a lab with hosts, and of all that is on the member's host (root, nftables):
/// host-cut        no packet reaches or leaves the host
/// host-deaf       none reaches it; what it sends arrives
/// host-slow       each takes 50 ms longer, in both directions, and one of a hundred is lost
const std::vector<std::string>& break_kinds();

struct Damage {
  std::string kind, member;
  /// host-cut, host-deaf: only what goes to or comes from the host of this member, or the "caller"; "" = from all.
  std::string from;
};

/// Breaks one member of the lab. Returns one sentence about what was done. "lab.no_member", "lab.break" (usage).
Result<std::string> break_member(const Options& options, const Damage& damage, Deadline deadline,
                                 std::stop_token stop = {});

/// Makes a member serve again: gives it its disk and network back, and its host's, continues a stopped one, starts a
/// dead one, and rebuilds a replica or Galera node whose data is gone or whose server does not start from the other
/// members (the old directory is moved aside). The primary of a replicated cluster is never rebuilt:
/// "lab.needs_restore" (refused).
Result<std::string> heal_member(const Options& options, const std::string& member, Deadline deadline,
                                std::stop_token stop = {});

}  // namespace holdfast::lab

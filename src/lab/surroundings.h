// What is around a lab member and can be broken: its disk and its network. Linux, root only; each is undone by `lab
// heal` and by `lab down`.
#pragma once

#include <stop_token>
#include <string>

#include "agent/config.h"
#include "base/deadline.h"
#include "base/result.h"

namespace holdfast::lab {

/// "lab.needs_root" (refused) when `kind` (fill-disk, partition) cannot be done by this user or without its programs.
Status can_break_surroundings(const std::string& kind);

/// Puts the data of the *stopped* server on a small file system of its own (<dir>/small-disk.img, mounted), with little
/// room left. "lab.no_mount" (refused) where mounting is not allowed; then everything is as before.
Status move_to_small_disk(const agent::MemberConfig& config, Deadline deadline, std::stop_token stop);
/// Takes the last free block of that file system; what was taken, in bytes.
Result<uint64_t> fill_small_disk(const agent::MemberConfig& config);
bool on_small_disk(const agent::MemberConfig& config);
/// Gives the room back, so that the server can be stopped in order.
Status empty_small_disk(const agent::MemberConfig& config);
/// Server stopped: its data returns to where it was, the small file system goes. Fine when there is none.
Status leave_small_disk(const agent::MemberConfig& config, Deadline deadline, std::stop_token stop);
/// Unmounts without keeping anything, for a member that is about to be removed.
void drop_small_disk(const agent::MemberConfig& config);

/// Drops every packet this machine sends from or to the member's server (nftables, by the group id its server alone
/// has, and by its ports). Its unix socket still answers. "lab.partition" (refused) when the kernel refuses.
Status cut_network(const agent::MemberConfig& config);
bool is_cut(const agent::MemberConfig& config);
/// Fine when it is not cut.
Status mend_network(const agent::MemberConfig& config);

}  // namespace holdfast::lab

// A stopped member's data directory as the start of another one's, on whatever host each of them is.
#pragma once

#include <stop_token>
#include <string>

#include "agent/config.h"
#include "base/deadline.h"
#include "base/result.h"
#include "net/stream.h"

namespace holdfast::agent {

/// Makes the data directory of `member` a copy of that of its peer `name`, whose server must be stopped: the same
/// files, without what belongs to that server alone. From a folder beside ours as files are copied, from another host
/// as the stream of its agent (agent/tree_stream.h). What was made is removed again on failure. "agent.donor"
/// (refused): there is no such member, or another one answers there; "agent.running", "agent.in_use": its server runs.
Status copy_stopped_peer(const MemberConfig& member, const std::string& name, Deadline deadline, std::stop_token stop);

/// The receiving end of that stream, into the empty directory `into`. Files belong to the calling thread's user.
/// "agent.data_elsewhere" (refused) for a symbolic link, "agent.timeout", "agent.cut_off" (agent/frames.h).
Status unpack_tree(net::Stream& stream, const std::string& into, Deadline deadline, const std::stop_token& stop);

}  // namespace holdfast::agent

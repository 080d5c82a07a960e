// Copies between members on different hosts: what a donor's agent gives to another member's agent, and how that takes
// it.
#pragma once

#include <memory>
#include <stop_token>
#include <string>

#include "agent/client.h"
#include "agent/copy.h"
#include "net/stream.h"

namespace holdfast::agent {

/// Of the donor: its own server as find_donor() describes one, for another agent: {"engine", "cluster", "namespace",
/// "member", "host", "port", "user", "password", "dataDir", "bytes"}; the size only if `measure`. "agent.donor"
/// (refused) where a copy would not be whole, or its server does not serve.
Result<codec::Value> donor_value(const MemberConfig& config, bool measure, Deadline deadline, std::stop_token stop);

/// Of the donor, MariaDB and Galera: answers, then a physical backup of its running server in frames. Whoever ends the
/// connection ends the backup.
Status serve_backup(const MemberConfig& config, net::Stream& stream, bool& answered, Deadline deadline,
                    std::stop_token stop);

/// The other end of that: unpacks it into job.config.data_dir().
Status take_backup(const CopyJob& job);

/// A peer's server as its agent describes it, reached through that agent: for peers on other hosts.
Result<Donor> ask_donor(const MemberConfig& member, const Peer& peer, Deadline deadline, std::stop_token stop);

/// The administrator of another member's server, wherever it runs. "agent.donor" (refused): there is no such member.
Result<sql::Target> peer_admin(const MemberConfig& member, const std::string& name, Deadline deadline,
                               std::stop_token stop);

/// Where a peer's agent answers; from our own certificate.
Result<Address> peer_address(const MemberConfig& member, const Peer& peer);

}  // namespace holdfast::agent

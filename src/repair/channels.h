// Which of a member's replication connections is the cluster's own, and how all of them come back to one whose data
// directory was made anew. MariaDB and MySQL; of other engines there is one stream, without a name.
#pragma once

#include <optional>
#include <set>

#include "engine/channels.h"
#include "repair/member_step.h"

namespace holdfast::repair {

/// Name of the connection by which the running member follows in this cluster (cluster::own_stream), or has done so
/// until it lost it.
Result<std::string> own_channel(const Members& members, engine::MemberControl& control, const std::stop_token& stop);

/// What came to the running member over its connections from outside the cluster: engine::Channel::origins.
Result<std::set<std::string>> foreign_origins(const Members& members, engine::MemberControl& control,
                                              const std::stop_token& stop);

/// Makes the member follow `source` over its own connection, with the settings that one had when its agent last saw
/// it where the server has lost them.
Status follow_as_before(const Members& members, engine::MemberControl& control, engine::Source source,
                        const std::stop_token& stop);

/// What the connections of a rebuilt member were.
struct Restored {
  std::string own;                            ///< name of the connection that follows `source`
  std::optional<engine::Channel> delayed;     ///< it, to be delayed again once it is proven to keep up
  std::vector<std::string> others, not_made;  ///< names; `not_made`: why not
};
/// Configures all connections that the member's agent last saw on a server that has none of them: its own one follows
/// `source`, without delay, and is started; the others begin with the server's next start. Of one by file and offset
/// the position is lost with the data it belonged to: it is not made.
Result<Restored> restore_channels(const Members& members, engine::MemberControl& control, const engine::Source& source,
                                  const std::stop_token& stop);

/// Starts the member's server. Filters that no configuration file says were gone with its process: its connections get
/// them again before they start, and one that was stopped on purpose stays so. `rebuilt`: also without any filters.
Status start_with_channels(const Members& members, engine::MemberControl& control, engine::StartRequest how,
                           bool rebuilt, Deadline deadline, const std::stop_token& stop);

}  // namespace holdfast::repair

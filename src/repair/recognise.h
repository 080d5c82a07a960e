// Which members the replication connections of a running member lead to.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "cluster/topology.h"
#include "repair/member_step.h"

namespace holdfast::repair {

struct Recognised {
  std::vector<cluster::Who> sources;  ///< of each connection
  std::optional<size_t> own;          ///< the one by which it follows in its cluster: cluster::own_stream()
};

/// Told by the description where that is enough, else by what was seen of all members not long ago, or is looked at
/// now. `streams`: of the member that `setup` is of. Used by the thread that carries out the operation.
Recognised recognise(const Members& members, const engine::MemberSetup& setup,
                     const std::vector<cluster::Following>& streams);

/// Name of the member that a stream leads to; "" where it is none, or cannot be identified.
std::string source_name(const Members& members, const engine::MemberSetup& setup, const cluster::Following& stream);

}  // namespace holdfast::repair

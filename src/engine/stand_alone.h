// How to start a server by hand on a copied data directory, beside its cluster and without touching it.
#pragma once

#include <string>

#include "cluster/types.h"

namespace holdfast::engine {

/// One shell command: the server of this engine on `data_dir`, reachable by a socket in it only, read-only, following
/// nobody, as the owner of the directory. Looks at the directory; starts nothing.
std::string stand_alone_command(cluster::Engine engine, const std::string& data_dir);

}  // namespace holdfast::engine

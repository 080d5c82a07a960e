// Where the servers and tools of each engine are on this machine.
#pragma once

#include <string>

#include "base/result.h"
#include "cluster/types.h"

namespace holdfast::engine {

/// The folder of peers fetched by tools/peers: $HOLDFAST_PEERS, else /opt/holdfast/peers, else
/// ~/.local/share/holdfast/peers (the first that exists).
std::string peers_dir();

/// Full path of one program of an engine: "mariadbd", "mariadb-dump", "mysqld", "mysqldump", "postgres", "pg_dumpall",
/// ... MySQL's own programs are never taken from MariaDB's compatibility links. "engine.no_program" names the package.
Result<std::string> find_program(cluster::Engine engine, const std::string& name);

}  // namespace holdfast::engine

// Where the servers and tools of each engine are on this machine.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "cluster/types.h"

namespace holdfast::engine {

/// The folder of peers fetched by tools/peers: $HOLDFAST_PEERS, else /opt/holdfast/peers, else
/// ~/.local/share/holdfast/peers (the first that exists).
std::string peers_dir();

/// Full path of one program of an engine: "mariadbd", "mariadb-dump", "mysqld", "mysqldump", "postgres", "pg_dumpall",
/// ... MySQL's own programs are never taken from MariaDB's compatibility links. "engine.no_program" names the package.
/// PostgreSQL: of the major version that is asked for, where it is installed, else of the newest. pg_dump writes what
/// older servers than itself do not take, so who dumps asks for the server's.
Result<std::string> find_program(cluster::Engine engine, const std::string& name, int postgres_major = 0);

/// Packages keep each major version of PostgreSQL in a folder of its own, with `before` and the version as its name.
struct VersionFolders {
  std::string in, before;
};
/// `name` below such folders, as find_program() chooses; nullopt = in none of them.
std::optional<std::string> find_by_version(const std::vector<VersionFolders>& folders, const std::string& name,
                                           int major);

/// 17 of "17.12 (Debian 17.12-0+deb13u1)" and of a PG_VERSION file; 0 when it is none.
int postgres_major(std::string_view version);

}  // namespace holdfast::engine

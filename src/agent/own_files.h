// What lies in the data directory of an existing server and is no data: its configuration, its keys and certificates
// (RHEL's packages, servers built from source). They are the member's, whatever its data is a copy of.
//
//   PostgreSQL       postgresql.conf, postgresql.auto.conf, pg_hba.conf, pg_ident.conf, what these include, and the
//                    files that they name for TLS and Kerberos
//   MariaDB, MySQL   *.cnf but for auto.cnf, *.pem, mysqld.my, a package's debian-*.flag, option files that its
//                    arguments name, what these include, and the files that they name for TLS
#pragma once

#include <sys/types.h>

#include <optional>
#include <string>
#include <vector>

#include "agent/config.h"
#include "base/result.h"

namespace holdfast::agent {

/// Those in `dir`, as paths within it, sorted: in the member's data directory, in one that was set aside, or in a copy
/// of another's. One that ends in '/' is a directory that is included as a whole. Empty where the configuration is
/// elsewhere, and of a server that an agent has made.
std::vector<std::string> own_files(const MemberConfig& config, const std::string& dir);

/// Puts the member's own files in the place of those that came with the copy in `to`: those in its data directory, else
/// those in the directory that was set aside last. They are the same files (hard links), where the file system has
/// them. Where the member has none left, `to` keeps what came with it. Whether anything was changed.
Result<bool> keep_own_files(const MemberConfig& config, const std::string& to);

/// Whose a data directory is, and who may look into it.
struct Look {
  uid_t uid = 0;
  gid_t gid = 0;
  mode_t mode = 0700;
};
/// Of an existing server's data directory, or of the one that was set aside last; nullopt where neither is there.
std::optional<Look> look_of_data(const MemberConfig& config);
/// Gives the directory `dir` that look. Where the server's user could change what is beside its data, as that user.
Status give_look(const MemberConfig& config, const std::string& dir, const Look& look);

}  // namespace holdfast::agent

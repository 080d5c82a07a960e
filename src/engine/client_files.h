// The files in which clients of databases keep their accounts: option files of MariaDB and MySQL (~/.my.cnf), password
// files of PostgreSQL (~/.pgpass). Without I/O; a password is copied into Secrets only.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/secret.h"

namespace holdfast::engine {

/// What [client], [client-server] and [client-mariadb] of an option file say; the last value of a name counts, "" is
/// none. `!include` is not followed.
struct OptionFile {
  std::string user, socket;
  Secret password;
};
OptionFile parse_option_file(std::string_view text);

/// host:port:database:user:password; "*" fits everything.
struct PgpassLine {
  std::string host, port, user;
  Secret password;
};
/// The lines in their order; others are left out. The database is not kept: a password belongs to its role.
std::vector<PgpassLine> parse_pgpass(std::string_view text);

/// The first line that fits; nullptr when none does. `user`: "" fits every line that names one.
const PgpassLine* find_pgpass(const std::vector<PgpassLine>& lines, std::string_view host, std::string_view port,
                              std::string_view user);

}  // namespace holdfast::engine

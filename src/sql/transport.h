// How a server may be spoken to: decided here for our connections and for the programs that we start.
//
//   unix socket                                  as it is: it does not leave this machine, whatever is asked of
//   networks TLS required, also of a loopback address     TLS 1.2 or newer; the certificate is issued by the named
//   authority (or
//                                                one of the system's), valid now, and names the host; no fallback
//   loopback address, or `localhost`             as it is
//   another host, allowed by name                as it is
//   another host                                 refused
//
// An address of this machine other than loopback is another host: whose it is can change behind our back.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"
#include "sql/rows.h"

namespace holdfast::sql {

enum class Transport {
  local,         ///< unix socket
  plain,         ///< TCP, nothing encrypted
  verified_tls,  ///< TCP, encrypted, and the server is who it says
};

/// "sql.plain_text" (refused): another host without TLS, and nobody allowed that by name.
Result<Transport> transport_of(const Target& target);

/// Who connects: target.peer where that is over a unix socket, else nullopt.
std::optional<sys::Identity> peer_of(const Target& target);

/// What to look at where a server refuses the account.
std::string denied_hint(const Target& target);

/// Host and port as libpq wants them: of a unix socket the directory, and the port that is in its name
/// (DIR/.s.PGSQL.PORT); a socket named by its directory has the target's port.
std::pair<std::string, std::string> postgres_address(const Target& target);

/// Settings of libpq, and so of PostgreSQL's programs too; nothing of them is left to the caller's home directory.
std::vector<std::pair<const char*, std::string>> postgres_transport(const Target& target, Transport transport);
/// Lines of an option file for MariaDB's or MySQL's programs.
std::string mariadb_transport_options(const Target& target, Transport transport);
std::string mysql_transport_options(const Target& target, Transport transport);

/// The file of certificates to trust: the named one, else the system's.
std::string trusted_authorities(const Target& target);

/// "sql.tls" (refused): the server has no TLS, or not a certificate that may be trusted.
Error tls_error(std::string message);

}  // namespace holdfast::sql

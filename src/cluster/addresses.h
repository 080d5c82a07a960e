// Names and addresses of servers in one form each, so that they can be compared. Pure: nothing is looked up.
#pragma once

#include <string>
#include <string_view>

namespace holdfast::cluster {

struct HostPort {
  std::string host;  ///< as canonical_host() writes it; "" = none was said
  int port = 0;      ///< 0 = none was said
};

/// One form for each host: an IP address as inet_ntop() writes it (no brackets, no zone; IPv4 in IPv6 as IPv4), a name
/// in lower case without a dot at its end. All else as it is: the folder of a socket, "".
std::string canonical_host(std::string_view host);

/// "db1:3306", "[fd00::1]:3306", "fd00::1:3306": what stands behind the last colon is the port.
HostPort split_address(std::string_view address);
/// As a person writes an alias: the same, and the port may be left out ("db1", "fd00::1"). A number above 65535 or a
/// text that is no number is port -1.
HostPort split_alias(std::string_view alias);

/// Of canonical hosts: an address, and no name.
bool is_ip(std::string_view host);
/// Of canonical hosts: the machine that says it: localhost and all other loopback addresses, 0.0.0.0, the folder of a
/// socket.
bool is_local(std::string_view host);
/// Of canonical hosts: not an address but all of a machine's: "*", "0.0.0.0", "::".
bool is_wildcard(std::string_view host);

}  // namespace holdfast::cluster

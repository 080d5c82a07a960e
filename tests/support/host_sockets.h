// Connections and datagrams between the hosts of a lab, made inside their network namespaces.
#pragma once

#include <chrono>
#include <string>

namespace holdfast::test {

/// Tries a TCP connection from a network namespace ("" = this process's). "connected", "refused", or "silent" when
/// neither came within `limit` (a host that cannot be reached at all is silent too).
std::string connect_from(const std::string& net_namespace, const std::string& host, int port,
                         std::chrono::milliseconds limit);

/// How long that connection takes; `limit` when it does not come about.
std::chrono::milliseconds round_trip(const std::string& net_namespace, const std::string& host, int port,
                                     std::chrono::milliseconds limit);

/// Sends `count` datagrams from one namespace to an address in another, and says how many arrived.
int datagrams(const std::string& from, const std::string& to, const std::string& address, int count);

}  // namespace holdfast::test

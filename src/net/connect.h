// A TCP connection to a host by name or address, within a deadline.
#pragma once

#include <sys/socket.h>

#include <functional>
#include <stop_token>
#include <string>
#include <vector>

#include "base/deadline.h"
#include "base/result.h"
#include "sys/file.h"

namespace holdfast::net {

/// Where a connection goes to.
struct Endpoint {
  sockaddr_storage address{};
  socklen_t size = 0;
  std::string to_string() const;  ///< "10.0.0.5:7420", "[::1]:7420"
};

/// Finds the addresses of a host; blocks for as long as it likes.
using Lookup = std::function<Result<std::vector<Endpoint>>(const std::string& host, int port)>;
/// The system's own: files, DNS, whatever it is configured for (getaddrinfo). "net.unreachable" when there are none.
Result<std::vector<Endpoint>> system_lookup(const std::string& host, int port);

/// The addresses of `host`. getaddrinfo() can neither be given a deadline nor be stopped, so that names are looked up
/// on a thread of their own; when the deadline passes first, it is left to end by itself (the resolver's own limits,
/// about half a minute). Addresses need no look-up. Errors: "net.unreachable", "net.timeout", "sys.interrupted".
Result<std::vector<Endpoint>> resolve(const std::string& host, int port, Deadline deadline, std::stop_token stop = {},
                                      Lookup lookup = system_lookup);

/// Connects to the first of them that takes it. One that does not answer may use its share of the time only, so that
/// the next has some. Errors: "net.unreachable" (unavailable: the last one's reason), "net.timeout", "sys.interrupted".
Result<sys::Fd> connect_any(const std::vector<Endpoint>& endpoints, Deadline deadline, std::stop_token stop = {});

/// resolve(), then connect_any().
Result<sys::Fd> tcp_connect(const std::string& host, int port, Deadline deadline, std::stop_token stop = {});

/// Small messages leave at once, and a peer that is gone without a word breaks the connection after 90 s. Does nothing
/// to a socket that is not TCP.
void prepare_socket(int fd);

}  // namespace holdfast::net

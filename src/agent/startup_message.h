// The first message of a client of PostgreSQL, as an agent that carries it to the server sees it.
// Source: the server's documentation, "Message Formats", StartupMessage.
#pragma once

#include <string>

#include "base/bytes.h"
#include "base/deadline.h"
#include "base/result.h"
#include "net/stream.h"

namespace holdfast::agent {

/// The whole of it, its length in front. "net.broken" also where it is shorter than any, or longer than servers take.
Result<Buffer> read_startup_message(net::Stream& client, Deadline deadline, const std::stop_token& stop);

/// The account that it names; "" where it is another message (a cancel request), or malformed.
std::string startup_user(ByteSpan message);

}  // namespace holdfast::agent

#include "agent/startup_message.h"

namespace holdfast::agent {

namespace {

/// MAX_STARTUP_PACKET_LENGTH of the servers.
constexpr size_t kMost = 10000, kLeast = 8;
constexpr uint32_t kProtocolMajor = 3;

uint32_t number_at(ByteSpan bytes, size_t at) {
  return uint32_t{bytes[at]} << 24 | uint32_t{bytes[at + 1]} << 16 | uint32_t{bytes[at + 2]} << 8 | bytes[at + 3];
}

}  // namespace

Result<Buffer> read_startup_message(net::Stream& client, Deadline deadline, const std::stop_token& stop) {
  Buffer message(4);
  const auto fill = [&](size_t from) -> Status {
    while (from < message.size()) {
      const size_t n =
          TRY(client.read_some(MutableByteSpan(message.data() + from, message.size() - from), deadline, stop));
      if (n == 0) return fail(ErrorClass::unavailable, "net.broken", "the client ended before its first message did");
      from += n;
    }
    return {};
  };
  TRY_VOID(fill(0));
  const size_t length = number_at(message, 0);
  if (length < kLeast || length > kMost)
    return fail(ErrorClass::unavailable, "net.broken",
                "what the client sent is not a message of PostgreSQL's protocol");
  message.resize(length);
  TRY_VOID(fill(4));
  return message;
}

std::string startup_user(ByteSpan message) {
  if (message.size() < kLeast || number_at(message, 4) >> 16 != kProtocolMajor) return {};
  const std::string_view text = as_text(message.subspan(kLeast));
  // Names and values, each ended by a zero; an empty name is the end.
  for (size_t at = 0; at < text.size();) {
    const size_t name_end = text.find('\0', at);
    if (name_end == std::string_view::npos || name_end == at) return {};
    const size_t value_end = text.find('\0', name_end + 1);
    if (value_end == std::string_view::npos) return {};
    if (text.substr(at, name_end - at) == "user")
      return std::string(text.substr(name_end + 1, value_end - name_end - 1));
    at = value_end + 1;
  }
  return {};
}

}  // namespace holdfast::agent

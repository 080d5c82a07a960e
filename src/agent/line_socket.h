// Lines over a byte stream, with deadlines: the framing of the agent's protocol.
#pragma once

#include <memory>
#include <stop_token>
#include <string>
#include <string_view>

#include "base/deadline.h"
#include "base/result.h"
#include "net/stream.h"
#include "sys/file.h"

namespace holdfast::agent {

/// The user at the other end of a unix socket must be ours, or root: "agent.stranger" (refused) when it is not.
Status check_peer(int socket);

/// One thread's.
class LineSocket {
 public:
  explicit LineSocket(std::unique_ptr<net::Stream> stream) : stream_(std::move(stream)) {}
  /// The next line without its newline; empty at the end of the stream. Lines above 4 MiB are an error ("agent.line").
  Result<std::string> read_line(Deadline deadline, std::stop_token stop = {});
  Status write_line(std::string_view line, Deadline deadline, std::stop_token stop = {});

  net::Stream& stream() { return *stream_; }
  /// What follows the last line read, also where some of it has been read already.
  std::unique_ptr<net::Stream> take_stream() &&;

 private:
  std::unique_ptr<net::Stream> stream_;
  std::string buffer_;
};

}  // namespace holdfast::agent

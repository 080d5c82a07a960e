// Lines over a stream socket, with deadlines: the framing of the agent's API.
#pragma once

#include <stop_token>
#include <string>
#include <string_view>

#include "base/deadline.h"
#include "base/result.h"
#include "sys/file.h"

namespace holdfast::agent {

class LineSocket {
 public:
  explicit LineSocket(sys::Fd fd) : fd_(std::move(fd)) {}
  /// The next line without its newline; empty at the end of the stream. Lines above 4 MiB are an error.
  Result<std::string> read_line(Deadline deadline, std::stop_token stop = {});
  Status write_line(std::string_view line, Deadline deadline, std::stop_token stop = {});

  /// The other end's user must be ours, or root: "agent.stranger" (refused) when it is not.
  Status check_peer() const;

 private:
  sys::Fd fd_;
  std::string buffer_;
};

}  // namespace holdfast::agent

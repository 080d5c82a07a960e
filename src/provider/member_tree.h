// A stopped member's data directory, as its agent or whoever runs it sends it.
#pragma once

#include <memory>
#include <stop_token>
#include <string>

#include "agent/frames.h"
#include "agent/tree_stream.h"
#include "base/deadline.h"
#include "base/result.h"

namespace holdfast::provider {

/// One thread's. Errors are the agent's (agent/tree_stream.h), and of a connection that ends.
class MemberTree {
 public:
  /// From the answer to a request `tree` (agent/protocol.h).
  static Result<std::unique_ptr<MemberTree>> open(std::unique_ptr<net::Stream> answer, std::stop_token stop = {});

  /// The next entry; nothing once all was read, and the agent has said that it was all.
  Result<std::optional<agent::TreeEntry>> next();
  /// Bytes of the file that next() gave last; 0 at its end.
  Result<size_t> read(MutableByteSpan into);

 private:
  MemberTree(std::unique_ptr<net::Stream> stream, std::stop_token stop);
  Status advance();
  std::unique_ptr<net::Stream> stream_;
  agent::FrameReader frames_;
  ByteSpan data_;                  ///< of the file, not read yet
  std::optional<ByteSpan> entry_;  ///< the frame that begins the next one
  bool over_ = false;
};

}  // namespace holdfast::provider

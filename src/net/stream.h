// Byte streams between two processes, with deadlines: a socket here, TLS over one in net/tls_stream.h.
//
// What waits (read_some, write_all, end_writing) is made of steps that do not (try_...), so that one thread can serve
// two streams at once (relay()). Each direction ends by itself: a stream that ended its writing can still be read.
//
// One thread at a time uses a stream. Errors of every function here: "net.timeout" (the deadline passed),
// "net.broken" (the connection is gone, or ended without saying that this is the end), both unavailable;
// "sys.interrupted" on a stop request. After an error in writing it is unknown how much arrived, and nothing more can
// be written; what has come from the other side can still be read.
#pragma once

#include <stop_token>

#include "base/bytes.h"
#include "base/deadline.h"
#include "base/result.h"
#include "sys/file.h"

namespace holdfast::net {

/// What became of a step that does not wait.
struct Step {
  size_t bytes = 0;  ///< moved; 0 in reading without `wants`: the other side has ended its writing in order
  short wants = 0;   ///< not 0: nothing was done; try again when poll_fd() shows one of these (flags of poll(2))
};

class Stream {
 public:
  virtual ~Stream() = default;

  /// Fills up to `into.size()` bytes (at least one byte long), waiting for the first of them. 0: the other side has
  /// ended its writing in order. A deadline that has passed is an error also when there is something to read.
  Result<size_t> read_some(MutableByteSpan into, Deadline deadline, std::stop_token stop = {});
  /// Writes all of it, or fails.
  Status write_all(ByteSpan bytes, Deadline deadline, std::stop_token stop = {});
  /// Half close: the other side reads what was written, then 0. A stream that goes without it looks broken over there
  /// (a plain socket does not: it cannot say more than that it is closed). Once.
  Status end_writing(Deadline deadline);

  /// One step each. What a try_write() wanted to wait for must come again, with the same bytes at its start; they may
  /// have moved in memory.
  virtual Result<Step> try_read(MutableByteSpan into) = 0;
  virtual Result<Step> try_write(ByteSpan bytes) = 0;
  virtual Result<Step> try_end_writing() = 0;

  /// What poll(2) is asked about once a step has said what it waits for: before, bytes may be here that the descriptor
  /// does not show. The stream owns it.
  virtual int poll_fd() const = 0;

 private:
  Status wait(short events, Deadline deadline, const std::stop_token& stop) const;
};

/// A connected unix or TCP socket. Never raises SIGPIPE.
class SocketStream final : public Stream {
 public:
  explicit SocketStream(sys::Fd fd) : fd_(std::move(fd)) {}

  Result<Step> try_read(MutableByteSpan into) override;
  Result<Step> try_write(ByteSpan bytes) override;
  Result<Step> try_end_writing() override;
  int poll_fd() const override { return fd_.get(); }

 private:
  sys::Fd fd_;
};

/// Copies both directions until both have ended, passing each end on. One thread; at most 512 KiB of memory, so that a
/// slow side slows the other down, and neither direction waits for the other. When one side no longer takes anything,
/// its last words still reach the other before the error comes back. Both streams stay open: the caller drops them.
Status relay(Stream& a, Stream& b, Deadline deadline, std::stop_token stop = {});

}  // namespace holdfast::net

// Bytes of unknown length over a connection that is closed afterwards: frames of a 4-byte length (big-endian) and that
// many bytes, a frame of length 0, and one line of JSON that says how it ended. What is cut off has no such end.
#pragma once

#include <chrono>
#include <functional>
#include <optional>
#include <stop_token>

#include "base/bytes.h"
#include "base/deadline.h"
#include "base/result.h"
#include "codec/value.h"
#include "net/stream.h"

namespace holdfast::agent {

/// The largest frame; a longer one is refused ("agent.frame").
inline constexpr size_t kMostInFrame = 1 << 20;

/// Pieces longer than a frame are cut.
Status write_frame(net::Stream& stream, ByteSpan bytes, Deadline deadline, const std::stop_token& stop);
/// The end: {"ok": true, ...} or {"ok": false, "error": ...}.
Status write_end(net::Stream& stream, const codec::Value& result, Deadline deadline, const std::stop_token& stop);
/// Reads them one by one. One thread's.
class FrameReader {
 public:
  /// Nothing for `idle` is "agent.timeout".
  FrameReader(net::Stream& stream, std::chrono::milliseconds idle, std::stop_token stop)
      : stream_(stream), idle_(idle), stop_(std::move(stop)) {}
  /// The next frame's bytes, valid until the next call; nothing at the end, once result() is known. "agent.cut_off"
  /// (unavailable) when the connection ended before.
  Result<std::optional<ByteSpan>> next();
  /// What the other side ended with: its result, or its error.
  const Result<codec::Value>& result() const { return result_; }

 private:
  Result<bool> fill(MutableByteSpan into);
  Status read_end();
  net::Stream& stream_;
  const std::chrono::milliseconds idle_;
  const std::stop_token stop_;
  Buffer bytes_;
  Result<codec::Value> result_;
};

/// Hands every frame's bytes to `take` and returns the result, or the error the other side ended with. "agent.cut_off"
/// (unavailable) when the connection ended before. Nothing for `idle` is "agent.timeout".
Result<codec::Value> read_frames(net::Stream& stream, const std::function<Status(ByteSpan)>& take,
                                 std::chrono::milliseconds idle, const std::stop_token& stop);

/// {"class", "id", "message", "hint"}, and back.
codec::Value error_value(const Error& error);
Error error_from(const codec::Value& value);

}  // namespace holdfast::agent

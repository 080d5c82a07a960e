#include "agent/frames.h"

#include <algorithm>
#include <array>

namespace holdfast::agent {

using codec::Value;

namespace {

constexpr size_t kMostInEnd = 64 << 10;

std::unexpected<Error> cut_off() {
  return fail(ErrorClass::unavailable, "agent.cut_off", "the connection to the agent ended before the data did",
              "see that the agent and the network work, then run the command again");
}

ErrorClass class_of(const std::string& name) {
  for (int i = 0; i <= static_cast<int>(ErrorClass::interrupted); ++i)
    if (error_class_name(static_cast<ErrorClass>(i)) == name) return static_cast<ErrorClass>(i);
  return ErrorClass::failed;
}

}  // namespace

Value error_value(const Error& error) {
  return Value::object({{"class", error_class_name(error.error_class)},
                        {"id", error.id},
                        {"message", error.to_string()},
                        {"hint", error.hint}});
}

Error error_from(const Value& value) {
  return {class_of(value["class"].text()),
          value["id"].text_or("agent.error"),
          value["message"].text_or("the agent gave no reason"),
          value["hint"].text(),
          {}};
}

Status write_frame(net::Stream& stream, ByteSpan bytes, Deadline deadline, const std::stop_token& stop) {
  while (!bytes.empty()) {
    const ByteSpan piece = bytes.first(std::min(bytes.size(), kMostInFrame));
    const auto size = static_cast<uint32_t>(piece.size());
    const std::array<uint8_t, 4> head = {static_cast<uint8_t>(size >> 24), static_cast<uint8_t>(size >> 16),
                                         static_cast<uint8_t>(size >> 8), static_cast<uint8_t>(size)};
    TRY_VOID(stream.write_all(head, deadline, stop));
    TRY_VOID(stream.write_all(piece, deadline, stop));
    bytes = bytes.subspan(piece.size());
  }
  return {};
}

Status write_end(net::Stream& stream, const Value& result, Deadline deadline, const std::stop_token& stop) {
  const std::array<uint8_t, 4> none{};
  TRY_VOID(stream.write_all(none, deadline, stop));
  TRY_VOID(stream.write_all(as_bytes(codec::to_json(result) + "\n"), deadline, stop));
  return stream.end_writing(deadline);
}

/// Exactly as many as fit; false at the end of the stream.
Result<bool> FrameReader::fill(MutableByteSpan into) {
  while (!into.empty()) {
    auto got = stream_.read_some(into, Deadline::in(idle_), stop_);
    if (!got && got.error().id == "net.timeout")
      return fail(ErrorClass::unavailable, "agent.timeout",
                  "the agent sent nothing for a while in the middle of its data",
                  "see that the agent and the network work, then run the command again");
    if (!got && got.error().id == "net.broken") return cut_off();
    const size_t bytes = TRY(std::move(got));
    if (bytes == 0) return false;
    into = into.subspan(bytes);
  }
  return true;
}

Status FrameReader::read_end() {
  std::string line;
  for (uint8_t byte = 0; byte != '\n'; line += static_cast<char>(byte))
    if (line.size() > kMostInEnd || !TRY(fill({&byte, 1}))) return cut_off();
  result_ = TRY(codec::parse_value(line));
  if (!(*result_)["ok"].boolean()) result_ = fail(error_from((*result_)["error"]));
  return {};
}

Result<std::optional<ByteSpan>> FrameReader::next() {
  std::array<uint8_t, 4> head{};
  if (!TRY(fill(head))) return cut_off();
  const size_t size = (static_cast<size_t>(head[0]) << 24) | (static_cast<size_t>(head[1]) << 16) |
                      (static_cast<size_t>(head[2]) << 8) | head[3];
  if (size == 0) {
    TRY_VOID(read_end());
    return std::optional<ByteSpan>();
  }
  if (size > kMostInFrame)
    return fail(ErrorClass::failed, "agent.frame", "the agent sent a frame longer than 1 MiB",
                "what answers there is no agent of this version");
  bytes_.resize(size);
  if (!TRY(fill({bytes_.data(), size}))) return cut_off();
  return std::optional(ByteSpan(bytes_.data(), size));
}

Result<Value> read_frames(net::Stream& stream, const std::function<Status(ByteSpan)>& take,
                          std::chrono::milliseconds idle, const std::stop_token& stop) {
  FrameReader frames(stream, idle, stop);
  while (const auto bytes = TRY(frames.next())) TRY_VOID(take(*bytes));
  return frames.result();
}

}  // namespace holdfast::agent

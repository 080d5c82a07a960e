#include "agent/binlog_start.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>

#include "codec/crc32.h"
#include "engine/stored/files.h"
#include "sys/file.h"

namespace holdfast::agent {

namespace {

// MySQL's binary log, version 4: 4 bytes of magic, then events of a 19-byte header (time 4, type 1, server 4, size 4,
// end 4, flags 2), a body, and CRC-32 of all that where the first event says so. All integers little-endian.
constexpr size_t kMagic = 4, kHeader = 19, kChecksum = 4;
constexpr uint8_t kFormatDescription = 15, kPreviousGtids = 35;

uint64_t number_at(ByteSpan bytes, size_t at, size_t width) {
  uint64_t value = 0;
  for (size_t i = width; i-- > 0;) value = value << 8 | static_cast<uint8_t>(bytes[at + i]);
  return value;
}

void put(std::string& out, uint64_t value, size_t width) {
  for (size_t i = 0; i < width; ++i) out += static_cast<char>(value >> (8 * i) & 0xff);
}

/// Sources by uuid: 16 bytes, number of intervals, and for each its first number and the one behind its last.
std::string body_of(const position::GtidSet& set) {
  std::string body;
  put(body, set.sources().size(), 8);
  for (const auto& source : set.sources()) {
    for (const auto byte : source.uuid.bytes) body += static_cast<char>(byte);
    put(body, source.intervals.size(), 8);
    for (const auto& interval : source.intervals) {
      put(body, interval.first, 8);
      put(body, interval.last + 1, 8);
    }
  }
  return body;
}

}  // namespace

Result<bool> begin_binlog_behind(const std::string& path, const position::GtidSet& executed) {
  if (executed.empty() || std::ranges::any_of(executed.sources(), [](const auto& s) { return !s.tag.empty(); }))
    return false;
  const auto file = engine::stored::read_small(path, 4096);
  if (!file && file.error().id == "stored.too_large") return false;
  if (!file) return fail(file.error());
  const ByteSpan bytes = as_bytes(*file);
  if (bytes.size() < kMagic + kHeader + kChecksum + 1) return false;
  auto type_at = [&](size_t at) { return static_cast<uint8_t>(bytes[at + 4]); };
  const size_t first_size = number_at(bytes, kMagic + 9, 4), list_at = kMagic + first_size;
  if (type_at(kMagic) != kFormatDescription || first_size < kHeader + kChecksum + 1) return false;
  if (list_at + kHeader + 8 > bytes.size() || type_at(list_at) != kPreviousGtids) return false;
  // An empty list, and nothing behind it. The byte before the first event's checksum says whether there are any.
  const bool checked = static_cast<uint8_t>(bytes[list_at - kChecksum - 1]) == 1;
  if (list_at + kHeader + 8 + (checked ? kChecksum : 0) != bytes.size() || number_at(bytes, list_at + kHeader, 8) != 0)
    return false;

  const std::string body = body_of(executed);
  const size_t size = kHeader + body.size() + (checked ? kChecksum : 0);
  std::string event(as_text(bytes.subspan(list_at, 9)));
  put(event, size, 4);
  put(event, list_at + size, 4);
  event += as_text(bytes.subspan(list_at + 17, 2));
  event += body;
  if (checked) put(event, codec::crc32(as_bytes(event)), 4);
  // "In use" stays, as after a crash: only a server closes it, with an event at its end.
  std::string text(as_text(bytes.subspan(0, list_at)));
  text += event;

  // In the same file: owner and mode stay. A crash in between leaves a copy that does not count yet.
  const auto fd = TRY(sys::open_file(path, O_WRONLY | O_NOFOLLOW | O_NONBLOCK));
  if (::ftruncate(fd.get(), 0) != 0) return fail(sys::errno_error(errno, "truncate " + path));
  TRY_VOID(sys::write_all(fd.get(), as_bytes(text)));
  if (::fsync(fd.get()) != 0) return fail(sys::errno_error(errno, "fsync " + path));
  return true;
}

}  // namespace holdfast::agent

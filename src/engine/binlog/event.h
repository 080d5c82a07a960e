// Events of MySQL and MariaDB binary logs (format 4), decoded from bytes. Pure: no I/O.
// Sources: the servers' own documentation of the replication protocol, and logs written by MariaDB 10.11 and MySQL 9.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/bytes.h"
#include "base/result.h"

namespace holdfast::engine::binlog {

enum class Flavour { mariadb, mysql };

constexpr size_t kHeaderSize = 19;
constexpr size_t kChecksumSize = 4;

/// Types we look at. 0-42 are MySQL's (MariaDB uses the old ones of them), 160 and up MariaDB's own.
enum EventType : uint8_t {
  kQuery = 2,
  kStop = 3,
  kRotate = 4,
  kIntvar = 5,
  kRand = 13,
  kUserVar = 14,
  kFormatDescription = 15,
  kXid = 16,
  kTableMap = 19,
  kWriteRowsV1 = 23,
  kUpdateRowsV1 = 24,
  kDeleteRowsV1 = 25,
  kIncident = 26,
  kHeartbeat = 27,
  kIgnorable = 28,
  kRowsQuery = 29,
  kWriteRows = 30,
  kUpdateRows = 31,
  kDeleteRows = 32,
  kGtid = 33,
  kAnonymousGtid = 34,
  kPreviousGtids = 35,
  kXaPrepare = 38,
  kPartialUpdateRows = 39,
  kTransactionPayload = 40,
  kHeartbeatV2 = 41,
  kGtidTagged = 42,
  kAnnotateRows = 160,
  kBinlogCheckpoint = 161,
  kMariadbGtid = 162,
  kMariadbGtidList = 163,
  kStartEncryption = 164,
  kQueryCompressed = 165,
  kLastType = 180,  ///< beyond every type known today; used to tell an event from noise
};

struct EventHeader {
  uint32_t timestamp = 0;  ///< seconds since 1970
  uint8_t type = 0;
  uint32_t server_id = 0;
  uint32_t size = 0;  ///< header, body and checksum
  uint32_t end = 0;   ///< offset behind it in the log it was written to, modulo 2^32; 0 when the server left it open
  uint16_t flags = 0;
};
constexpr uint16_t kFlagInUse = 0x1;      ///< format description: the log was not closed
constexpr uint16_t kFlagRelayLog = 0x40;  ///< format description: of a relay log

/// From the first 19 bytes; nothing when there are fewer.
inline std::optional<EventHeader> parse_header(ByteSpan bytes) {
  if (bytes.size() < kHeaderSize) return std::nullopt;
  const auto four = [&](size_t at) {
    return static_cast<uint32_t>(bytes[at] | bytes[at + 1] << 8 | bytes[at + 2] << 16) | uint32_t{bytes[at + 3]} << 24;
  };
  return EventHeader{four(0), bytes[4], four(5), four(9), four(13), static_cast<uint16_t>(bytes[17] | bytes[18] << 8)};
}

/// What a format description event says of the events behind it.
struct Format {
  Flavour flavour = Flavour::mysql;
  std::string server_version;
  bool checksums = false;  ///< CRC-32 behind each event
  uint8_t query_header = 13, rows_header = 10, table_map_header = 8;
};
/// `event` is the whole event with its header. "binlog.format" when it is not one we can read.
Result<Format> parse_format(ByteSpan event);

/// True when the CRC-32 in the last four bytes is right (the in-use flag of a format description is left out).
bool checksum_holds(ByteSpan event);

struct MariadbGtid {
  uint32_t domain = 0, server = 0;
  uint64_t sequence = 0;
  std::string to_string() const;  ///< "0-1-5"
  auto operator<=>(const MariadbGtid&) const = default;
};
/// "0-1-5"; nothing for anything else.
std::optional<MariadbGtid> parse_mariadb_gtid(std::string_view text);

/// MySQL: who counts: server uuid and tag (8.3+; "" = none).
struct MysqlSource {
  std::array<uint8_t, 16> uuid{};
  std::string tag;
  std::string uuid_text() const;  ///< lower case with dashes
  auto operator<=>(const MysqlSource&) const = default;
};
std::optional<std::array<uint8_t, 16>> parse_uuid(std::string_view text);

struct MysqlGtid {
  MysqlSource source;
  uint64_t number = 0;
  std::string to_string() const;  ///< "uuid:5", "uuid:tag:5"
};

/// The start of a transaction, of either flavour.
struct GroupStart {
  std::optional<MariadbGtid> mariadb;
  std::optional<MysqlGtid> mysql;  ///< neither: an anonymous transaction
  bool standalone = false;         ///< MariaDB: one statement, no commit event
  bool ddl = false;                ///< MariaDB marks them
  bool completed_xa = false;       ///< MariaDB: XA COMMIT or XA ROLLBACK, one query
  std::string to_string() const;
};
/// Bodies without header and checksum. Nothing when the bytes make no sense.
std::optional<GroupStart> parse_mariadb_gtid_event(const EventHeader& header, ByteSpan body);
std::optional<GroupStart> parse_gtid_event(ByteSpan body);
std::optional<GroupStart> parse_tagged_gtid_event(ByteSpan body);

/// The statement of a query event and its default database.
struct QueryText {
  std::string_view database, statement;
};
std::optional<QueryText> parse_query(const Format& format, ByteSpan body);
/// "db.table" of a table map event.
std::optional<std::string> parse_table_map(const Format& format, ByteSpan body);
/// File named by a rotate event.
std::optional<std::string> parse_rotate(ByteSpan body);

/// Little-endian reader that never runs over its end: once too short it stays failed and gives zeros.
class Reader {
 public:
  explicit Reader(ByteSpan bytes) : bytes_(bytes) {}
  uint64_t fixed(size_t width) {
    const ByteSpan bytes = take(width);
    uint64_t value = 0;
    for (size_t i = bytes.size(); i-- > 0;) value = value << 8 | bytes[i];
    return value;
  }
  ByteSpan take(size_t count) {
    if (!ok_ || count > left()) {
      ok_ = false;
      return {};
    }
    const ByteSpan result = bytes_.subspan(at_, count);
    at_ += count;
    return result;
  }
  /// A length of the client protocol: one byte, or a mark and 2, 3 or 8 more.
  uint64_t packed() {
    const uint64_t first = fixed(1);
    return first < 251 ? first : first == 252 ? fixed(2) : first == 253 ? fixed(3) : fixed(8);
  }
  /// MySQL's serialisation library: as many trailing one bits in the first byte as bytes follow.
  uint64_t variable();
  int64_t variable_signed();
  size_t left() const { return bytes_.size() - at_; }
  bool ok() const { return ok_; }

 private:
  ByteSpan bytes_;
  size_t at_ = 0;
  bool ok_ = true;
};

}  // namespace holdfast::engine::binlog

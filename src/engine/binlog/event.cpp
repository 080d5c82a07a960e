#include "engine/binlog/event.h"

#include <fmt/format.h>

#include <charconv>
#include <cstring>
#include <limits>

#include "codec/crc32.h"
#include "codec/hex.h"

namespace holdfast::engine::binlog {

uint64_t Reader::variable() {
  const ByteSpan first = take(1);
  if (!ok_) return 0;
  unsigned more = 0;
  while (more < 8 && (first[0] >> more & 1)) ++more;
  if (more == 8) return fixed(8);
  // The bits above the marker of the first byte are the lowest ones of the value.
  uint64_t value = first[0] >> (more + 1);
  const ByteSpan rest = take(more);
  for (size_t i = 0; i < rest.size(); ++i) value |= uint64_t{rest[i]} << (8 * i + 7 - more);
  return value;
}

int64_t Reader::variable_signed() {
  const uint64_t value = variable();
  return static_cast<int64_t>(value >> 1) ^ -static_cast<int64_t>(value & 1);
}

Result<Format> parse_format(ByteSpan event) {
  const auto bad = [](std::string why) { return fail(ErrorClass::failed, "binlog.format", std::move(why)); };
  constexpr size_t kFixed = kHeaderSize + 2 + 50 + 4 + 1;
  // Algorithm byte and checksum stand behind the table of header lengths (MySQL 5.6.1, MariaDB 5.3 and later).
  if (event.size() < kFixed + 15 + 1 + kChecksumSize) return bad("its format description event is too short");
  Reader reader(event.subspan(kHeaderSize));
  if (reader.fixed(2) != 4) return bad("it is not in format 4");
  const ByteSpan version = reader.take(50);
  reader.take(4);
  if (reader.fixed(1) != kHeaderSize) return bad("its events have headers of another length");
  const size_t types = event.size() - kFixed - 1 - kChecksumSize;
  const ByteSpan lengths = reader.take(types);
  const auto algorithm = reader.fixed(1);
  if (algorithm > 1) return bad(fmt::format("checksum algorithm {} is not known", algorithm));
  if (!checksum_holds(event)) return bad("the checksum of its format description event is wrong");
  Format format;
  format.checksums = algorithm == 1;
  const auto text = as_text(version);
  format.server_version = std::string(text.substr(0, text.find('\0')));
  format.flavour = types >= kMariadbGtidList ? Flavour::mariadb : Flavour::mysql;
  const auto length_of = [&](size_t type, uint8_t usual) { return types >= type ? lengths[type - 1] : usual; };
  format.query_header = length_of(kQuery, 13);
  format.table_map_header = length_of(kTableMap, 8);
  format.rows_header = length_of(kWriteRows, 10);
  return format;
}

bool checksum_holds(ByteSpan event) {
  if (event.size() < kHeaderSize + kChecksumSize) return false;
  const ByteSpan body = event.first(event.size() - kChecksumSize);
  const uint32_t wanted = static_cast<uint32_t>(Reader(event.last(kChecksumSize)).fixed(4));
  if (event[4] != kFormatDescription) return codec::crc32(body) == wanted;
  // The server sets and clears the in-use flag in place, and computes the checksum without it.
  std::array<uint8_t, kHeaderSize> head;
  std::memcpy(head.data(), event.data(), head.size());
  head[17] = static_cast<uint8_t>(head[17] & ~kFlagInUse);
  return codec::crc32(body.subspan(kHeaderSize), codec::crc32(head)) == wanted;
}

std::string MariadbGtid::to_string() const {
  return fmt::format("{}-{}-{}", domain, server, sequence);
}

std::optional<MariadbGtid> parse_mariadb_gtid(std::string_view text) {
  MariadbGtid gtid;
  const char* at = text.data();
  const char* const end = at + text.size();
  const auto number = [&](auto& into, bool last) {
    const auto [next, error] = std::from_chars(at, end, into);
    if (error != std::errc() || next == at || (last ? next != end : next == end || *next != '-')) return false;
    at = last ? next : next + 1;
    return true;
  };
  if (!number(gtid.domain, false) || !number(gtid.server, false) || !number(gtid.sequence, true)) return std::nullopt;
  return gtid;
}

std::string MysqlSource::uuid_text() const {
  const std::string hex = codec::to_hex(uuid);
  return fmt::format("{}-{}-{}-{}-{}", hex.substr(0, 8), hex.substr(8, 4), hex.substr(12, 4), hex.substr(16, 4),
                     hex.substr(20));
}

std::optional<std::array<uint8_t, 16>> parse_uuid(std::string_view text) {
  if (text.size() != 36 || text[8] != '-' || text[13] != '-' || text[18] != '-' || text[23] != '-') return std::nullopt;
  std::string digits;
  for (const size_t at : {0, 9, 14, 19, 24}) digits += text.substr(at, at == 0 ? 8 : at == 24 ? 12 : 4);
  std::array<uint8_t, 16> uuid;
  if (!codec::from_hex(digits, uuid)) return std::nullopt;
  return uuid;
}

std::string MysqlGtid::to_string() const {
  return source.uuid_text() + (source.tag.empty() ? "" : ":" + source.tag) + ":" + std::to_string(number);
}

std::string GroupStart::to_string() const {
  if (mariadb) return mariadb->to_string();
  if (mysql) return mysql->to_string();
  return "ANONYMOUS";
}

std::optional<GroupStart> parse_mariadb_gtid_event(const EventHeader& header, ByteSpan body) {
  Reader reader(body);
  MariadbGtid gtid;
  gtid.sequence = reader.fixed(8);
  gtid.domain = static_cast<uint32_t>(reader.fixed(4));
  gtid.server = header.server_id;
  const auto flags = reader.fixed(1);
  if (!reader.ok() || gtid.sequence == 0) return std::nullopt;
  GroupStart start;
  start.mariadb = gtid;
  start.standalone = flags & 1;
  start.ddl = flags & 32;
  start.completed_xa = flags & 128;
  return start;
}

namespace {

std::optional<GroupStart> mysql_start(const MysqlSource& source, int64_t number) {
  if (number < 1 || number == std::numeric_limits<int64_t>::max()) return std::nullopt;
  GroupStart start;
  start.mysql = MysqlGtid{source, static_cast<uint64_t>(number)};
  return start;
}

bool is_tag(std::string_view text) {
  if (text.empty() || text.size() > 32) return false;
  for (size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    const bool letter = (c >= 'a' && c <= 'z') || c == '_';
    if (!letter && !(i > 0 && c >= '0' && c <= '9')) return false;
  }
  return true;
}

}  // namespace

std::optional<GroupStart> parse_gtid_event(ByteSpan body) {
  Reader reader(body);
  reader.take(1);
  const ByteSpan uuid = reader.take(16);
  const auto number = static_cast<int64_t>(reader.fixed(8));
  if (!reader.ok()) return std::nullopt;
  MysqlSource source;
  std::memcpy(source.uuid.data(), uuid.data(), 16);
  return mysql_start(source, number);
}

std::optional<GroupStart> parse_tagged_gtid_event(ByteSpan body) {
  // Serialised message: version, size, last field that must be understood, then {field id, value}.
  Reader reader(body);
  if (reader.variable() != 1) return std::nullopt;
  reader.variable();
  reader.variable();
  MysqlSource source;
  if (reader.variable() != 0) return std::nullopt;  // flags
  reader.variable();
  if (reader.variable() != 1) return std::nullopt;  // uuid, byte by byte
  for (auto& byte : source.uuid) {
    const uint64_t value = reader.variable();
    if (value > 0xff) return std::nullopt;
    byte = static_cast<uint8_t>(value);
  }
  if (reader.variable() != 2) return std::nullopt;
  const int64_t number = reader.variable_signed();
  if (reader.variable() != 3) return std::nullopt;
  const uint64_t length = reader.variable();
  if (length > 32) return std::nullopt;
  source.tag = std::string(as_text(reader.take(length)));
  if (!reader.ok() || (!source.tag.empty() && !is_tag(source.tag))) return std::nullopt;
  return mysql_start(source, number);
}

std::optional<QueryText> parse_query(const Format& format, ByteSpan body) {
  if (format.query_header < 13) return std::nullopt;
  Reader reader(body);
  reader.take(8);
  const auto database_length = reader.fixed(1);
  reader.take(2);
  const auto variables = reader.fixed(2);
  reader.take(format.query_header - 13u);
  reader.take(variables);
  QueryText query;
  query.database = as_text(reader.take(database_length));
  reader.take(1);
  if (!reader.ok()) return std::nullopt;
  query.statement = as_text(reader.take(reader.left()));
  return query;
}

std::optional<std::string> parse_table_map(const Format& format, ByteSpan body) {
  Reader reader(body);
  reader.take(format.table_map_header);
  std::string name;
  for (const char* dot : {".", ""}) {
    name += as_text(reader.take(reader.fixed(1)));
    name += dot;
    reader.take(1);
  }
  if (!reader.ok()) return std::nullopt;
  return name;
}

std::optional<std::string> parse_rotate(ByteSpan body) {
  Reader reader(body);
  reader.take(8);
  const std::string name(as_text(reader.take(reader.left())));
  if (!reader.ok() || name.empty() || name.find('\0') != std::string::npos) return std::nullopt;
  return name;
}

}  // namespace holdfast::engine::binlog

// Writes small binary logs of either flavour, byte by byte, for tests of what reads them.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "codec/crc32.h"
#include "engine/binlog/event.h"

namespace holdfast::test {

class BinlogWriter {
 public:
  using Flavour = engine::binlog::Flavour;

  explicit BinlogWriter(Flavour flavour, bool checksums = true, uint16_t flags = engine::binlog::kFlagInUse)
      : flavour_(flavour), checksums_(checksums) {
    bytes_ =
        "\xfe"
        "bin";
    std::string body = number(4, 2);
    std::string version = flavour == Flavour::mariadb ? "10.11.19-MariaDB-log" : "9.7.4";
    version.resize(50, '\0');
    std::string lengths(flavour == Flavour::mariadb ? 171 : 42, '\0');
    lengths[engine::binlog::kQuery - 1] = 13;
    lengths[engine::binlog::kTableMap - 1] = 8;
    lengths[engine::binlog::kWriteRows - 1] = 10;
    body += version + number(0, 4) + number(19, 1) + lengths + number(checksums ? 1 : 0, 1);
    // Format descriptions carry a checksum in any case, computed without the in-use flag.
    const uint64_t at = bytes_.size();
    const uint16_t closed = flags & static_cast<uint16_t>(~engine::binlog::kFlagInUse);
    std::string event = header(engine::binlog::kFormatDescription, 1, body.size() + 4, closed, at) + body;
    event += number(codec::crc32(as_bytes(event)), 4);
    event[17] = static_cast<char>(flags & 0xff);
    bytes_ += event;
  }

  /// Lowest byte first, zeros behind its eight.
  static std::string number(uint64_t value, size_t width) {
    std::string text;
    for (size_t i = 0; i < width; ++i, value >>= 8) text += static_cast<char>(value & 0xff);
    return text;
  }

  /// Appends an event; its offset.
  uint64_t event(uint8_t type, const std::string& body, uint32_t server = 1) {
    const uint64_t at = bytes_.size();
    std::string event = header(type, server, body.size() + (checksums_ ? 4 : 0), 0, at) + body;
    if (checksums_) event += number(codec::crc32(as_bytes(event)), 4);
    bytes_ += event;
    return at;
  }

  void mariadb_list(const std::vector<engine::binlog::MariadbGtid>& list) {
    std::string body = number(list.size(), 4);
    for (const auto& gtid : list) body += number(gtid.domain, 4) + number(gtid.server, 4) + number(gtid.sequence, 8);
    if (list.empty()) body += number(0, 2);
    event(engine::binlog::kMariadbGtidList, body);
  }
  /// flags: 1 = standalone
  uint64_t mariadb_gtid(uint32_t domain, uint32_t server, uint64_t sequence, uint8_t flags = 0) {
    return event(engine::binlog::kMariadbGtid,
                 number(sequence, 8) + number(domain, 4) + number(flags, 1) + number(0, 6), server);
  }
  /// {uuid byte, tag, intervals}: every uuid is 16 times the byte.
  struct Known {
    uint8_t uuid;
    std::string tag;
    std::vector<std::pair<uint64_t, uint64_t>> intervals;  // first, last
  };
  void previous_gtids(const std::vector<Known>& list, bool tagged = false) {
    std::string body = tagged ? number(1, 1) + number(list.size(), 6) + number(1, 1) : number(list.size(), 8);
    for (const auto& known : list) {
      body += std::string(16, static_cast<char>(known.uuid));
      if (tagged) body += number(known.tag.size() << 1, 1) + known.tag;
      body += number(known.intervals.size(), 8);
      for (const auto& [first, last] : known.intervals) body += number(first, 8) + number(last + 1, 8);
    }
    event(engine::binlog::kPreviousGtids, body);
  }
  uint64_t mysql_gtid(uint8_t uuid, uint64_t value) {
    return event(engine::binlog::kGtid, number(1, 1) + std::string(16, static_cast<char>(uuid)) + number(value, 8) +
                                            number(2, 1) + number(0, 16));
  }
  /// Numbers and the uuid byte below 64: then every field fits one byte of the serialisation.
  uint64_t tagged_gtid(uint8_t uuid, const std::string& tag, uint64_t value) {
    std::string body = number(0, 1) + number(0, 1) + number(1 << 1, 1);
    for (int i = 0; i < 16; ++i) body += number(uuid << 1, 1);
    body += number(2 << 1, 1) + number(value << 2, 1) + number(3 << 1, 1) + number(tag.size() << 1, 1) + tag;
    return event(engine::binlog::kGtidTagged,
                 number(1 << 1, 1) + number((body.size() + 2) << 1, 1) + number(0, 1) + body);
  }
  uint64_t query(const std::string& statement, const std::string& database = "shop") {
    return event(engine::binlog::kQuery, number(1, 4) + number(0, 4) + number(database.size(), 1) + number(0, 2) +
                                             number(3, 2) + "\1\2\3" + database + '\0' + statement);
  }
  uint64_t table_map(const std::string& database, const std::string& table) {
    return event(engine::binlog::kTableMap, number(18, 6) + number(1, 2) + number(database.size(), 1) + database +
                                                '\0' + number(table.size(), 1) + table + '\0' + number(1, 1) + "\3");
  }
  uint64_t rows(size_t size = 20) {
    return event(engine::binlog::kWriteRows, number(18, 6) + number(1, 2) + std::string(size, 'r'));
  }
  uint64_t xid() { return event(engine::binlog::kXid, number(7, 8)); }
  void rotate(const std::string& next) { event(engine::binlog::kRotate, number(4, 8) + next); }
  void stop() { event(engine::binlog::kStop, ""); }

  /// A whole transaction that writes to shop.orders.
  void mariadb_transaction(uint32_t domain, uint32_t server, uint64_t sequence, size_t size = 20) {
    mariadb_gtid(domain, server, sequence);
    table_map("shop", "orders");
    rows(size);
    xid();
  }
  void mysql_transaction(uint8_t uuid, uint64_t value, size_t size = 20) {
    mysql_gtid(uuid, value);
    query("BEGIN");
    table_map("shop", "orders");
    rows(size);
    xid();
  }

  const std::string& bytes() const { return bytes_; }
  std::string& bytes() { return bytes_; }
  uint64_t size() const { return bytes_.size(); }

 private:
  std::string header(uint8_t type, uint32_t server, size_t behind, uint16_t flags, uint64_t at) const {
    const uint64_t size = engine::binlog::kHeaderSize + behind;
    return number(1'700'000'000, 4) + number(type, 1) + number(server, 4) + number(size, 4) + number(at + size, 4) +
           number(flags, 2);
  }
  Flavour flavour_;
  bool checksums_;
  std::string bytes_;
};

}  // namespace holdfast::test

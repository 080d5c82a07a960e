#include "engine/binlog/row_events.h"

#include <fmt/format.h>

#include <array>
#include <bit>
#include <ctime>

namespace holdfast::engine::binlog {

namespace {

/// Field types of both servers.
enum Type : uint8_t {
  kTiny = 1,
  kShort = 2,
  kLong = 3,
  kFloat = 4,
  kDouble = 5,
  kLongLong = 8,
  kInt24 = 9,
  kDate = 10,
  kYear = 13,
  kVarchar = 15,
  kBit = 16,
  kTimestamp2 = 17,
  kDatetime2 = 18,
  kTime2 = 19,
  kVector = 242,
  kJson = 245,
  kNewDecimal = 246,
  kEnum = 247,
  kSet = 248,
  kTinyBlob = 249,
  kMediumBlob = 250,
  kLongBlob = 251,
  kBlob = 252,
  kVarString = 253,
  kString = 254,
  kGeometry = 255,
};

std::unexpected<Error> unreadable(std::string why) {
  return fail(ErrorClass::failed, "binlog.rows", std::move(why));
}

uint64_t big_endian(ByteSpan bytes) {
  uint64_t value = 0;
  for (const uint8_t byte : bytes) value = value << 8 | byte;
  return value;
}

int64_t with_sign(uint64_t value, unsigned width) {
  const unsigned shift = 64 - 8 * width;
  return static_cast<int64_t>(value << shift) >> shift;
}

std::string fraction(uint64_t value, unsigned decimals) {
  if (decimals == 0) return {};
  static constexpr std::array<unsigned, 4> kStored = {0, 2, 4, 6};
  const unsigned stored = kStored[(decimals + 1) / 2];
  return fmt::format(".{:0{}}", value, stored).substr(0, 1 + decimals);
}

/// DECIMAL: nine digits in four bytes, from the point outwards; negative numbers inverted.
std::optional<std::string> decimal(Reader& reader, unsigned precision, unsigned scale) {
  static constexpr std::array<unsigned, 10> kBytes = {0, 1, 1, 2, 2, 3, 3, 4, 4, 4};
  if (precision > 65 || scale > precision) return std::nullopt;
  const unsigned whole = precision - scale;
  const unsigned size = whole / 9 * 4 + kBytes[whole % 9] + scale / 9 * 4 + kBytes[scale % 9];
  const ByteSpan stored = reader.take(size);
  if (!reader.ok() || stored.empty()) return std::nullopt;
  Buffer copy;
  copy.resize(stored.size());
  const bool negative = (stored[0] & 0x80) == 0;
  for (size_t i = 0; i < stored.size(); ++i) copy.data()[i] = negative ? static_cast<uint8_t>(~stored[i]) : stored[i];
  copy.data()[0] ^= 0x80;
  Reader digits(copy.span());
  std::string text = negative ? "-" : "";
  auto group = [&](unsigned count) {
    if (count > 0) text += fmt::format("{:0{}}", big_endian(digits.take(kBytes[count])), count);
  };
  group(whole % 9);
  for (unsigned i = 0; i < whole / 9; ++i) group(9);
  if (whole == 0) text += "0";
  if (scale > 0) text += ".";
  for (unsigned i = 0; i < scale / 9; ++i) group(9);
  group(scale % 9);
  return text;
}

Cell bytes_cell(ByteSpan bytes) {
  return {.kind = Cell::Kind::bytes, .number = 0, .width = 0, .text = std::string(as_text(bytes))};
}

Cell text_cell(Cell::Kind kind, std::string text) {
  return {.kind = kind, .number = 0, .width = 0, .text = std::move(text)};
}

Cell datetime_cell(Reader& reader, unsigned decimals) {
  const auto packed_time = static_cast<int64_t>(big_endian(reader.take(5))) - 0x8000000000LL;
  const uint64_t micros = big_endian(reader.take((decimals + 1) / 2));
  const int64_t months = packed_time >> 22;
  return text_cell(
      Cell::Kind::quoted,
      fmt::format("{:04}-{:02}-{:02} {:02}:{:02}:{:02}{}", months / 13, months % 13, (packed_time >> 17) & 31,
                  (packed_time >> 12) & 31, (packed_time >> 6) & 63, packed_time & 63, fraction(micros, decimals)));
}

Cell time_cell(Reader& reader, unsigned decimals) {
  const unsigned below = (decimals + 1) / 2;
  const auto stored = static_cast<int64_t>(big_endian(reader.take(3 + below)));
  const int64_t value = stored - (int64_t{0x800000} << (8 * below));
  const auto size = static_cast<uint64_t>(value < 0 ? -value : value);
  const uint64_t whole = size >> (8 * below), rest = size & ((uint64_t{1} << (8 * below)) - 1);
  return text_cell(Cell::Kind::quoted, fmt::format("{}{:02}:{:02}:{:02}{}", value < 0 ? "-" : "", (whole >> 12) & 1023,
                                                   (whole >> 6) & 63, whole & 63, fraction(rest, decimals)));
}

Cell timestamp_cell(Reader& reader, unsigned decimals) {
  const auto seconds = static_cast<std::time_t>(big_endian(reader.take(4)));
  const uint64_t micros = big_endian(reader.take((decimals + 1) / 2));
  std::tm parts{};
  ::gmtime_r(&seconds, &parts);
  char text[32] = "0000-00-00 00:00:00";
  if (seconds != 0) std::strftime(text, sizeof text, "%Y-%m-%d %H:%M:%S", &parts);
  return text_cell(Cell::Kind::quoted, text + fraction(micros, decimals));
}

/// The value as a double literal: exact, and no DECIMAL.
std::string double_literal(double value) {
  std::string text = fmt::format("{:.17g}", value);
  return text.find('e') == std::string::npos ? text + "e0" : text;
}

std::optional<Cell> read_cell(Reader& reader, const MappedColumn& column) {
  const auto integer = [&](unsigned width) {
    return Cell{.kind = Cell::Kind::integer,
                .number = with_sign(reader.fixed(width), width),
                .width = static_cast<uint8_t>(width),
                .text = {}};
  };
  const auto counted = [&](Cell::Kind kind, uint64_t number) {
    return Cell{.kind = kind, .number = static_cast<int64_t>(number), .width = 0, .text = {}};
  };
  const uint8_t low = column.meta & 0xff, high = column.meta >> 8;
  switch (column.type) {
    case kTiny:
      return integer(1);
    case kShort:
      return integer(2);
    case kInt24:
      return integer(3);
    case kLong:
      return integer(4);
    case kLongLong:
      return integer(8);
    case kFloat:
      if (low != 4) return std::nullopt;
      return text_cell(Cell::Kind::literal,
                       double_literal(std::bit_cast<float>(static_cast<uint32_t>(reader.fixed(4)))));
    case kDouble:
      if (low != 8) return std::nullopt;
      return text_cell(Cell::Kind::literal, double_literal(std::bit_cast<double>(reader.fixed(8))));
    case kYear: {
      const uint64_t year = reader.fixed(1);
      return text_cell(Cell::Kind::literal, std::to_string(year == 0 ? 0 : 1900 + year));
    }
    case kDate: {
      const uint64_t date = reader.fixed(3);
      return text_cell(Cell::Kind::quoted, fmt::format("{:04}-{:02}-{:02}", date >> 9, (date >> 5) & 15, date & 31));
    }
    case kNewDecimal: {
      auto text = decimal(reader, low, high);
      if (!text) return std::nullopt;
      return text_cell(Cell::Kind::literal, std::move(*text));
    }
    case kTimestamp2:
      return low > 6 ? std::nullopt : std::optional(timestamp_cell(reader, low));
    case kDatetime2:
      return low > 6 ? std::nullopt : std::optional(datetime_cell(reader, low));
    case kTime2:
      return low > 6 ? std::nullopt : std::optional(time_cell(reader, low));
    case kBit: {
      const unsigned bytes = high + (low > 0 ? 1 : 0);
      return bytes > 8 ? std::nullopt : std::optional(counted(Cell::Kind::bits, big_endian(reader.take(bytes))));
    }
    case kEnum:
    case kSet:
      return low > 8 ? std::nullopt : std::optional(counted(Cell::Kind::index, reader.fixed(low)));
    case kVarchar:
    case kVarString:
    case kString:
      return bytes_cell(reader.take(reader.fixed(column.meta < 256 ? 1 : 2)));
    case kTinyBlob:
    case kMediumBlob:
    case kLongBlob:
    case kBlob:
      return low < 1 || low > 4 ? std::nullopt : std::optional(bytes_cell(reader.take(reader.fixed(low))));
    case kJson:
    case kGeometry:
    case kVector:
      if (low < 1 || low > 4) return std::nullopt;
      return text_cell(Cell::Kind::opaque, std::string(as_text(reader.take(reader.fixed(low)))));
    default:
      return std::nullopt;
  }
}

bool read_meta(Reader& meta, MappedColumn& column) {
  switch (column.type) {
    case kFloat:
    case kDouble:
    case kTinyBlob:
    case kMediumBlob:
    case kLongBlob:
    case kBlob:
    case kGeometry:
    case kJson:
    case kVector:
    case kTimestamp2:
    case kDatetime2:
    case kTime2:
      column.meta = static_cast<uint16_t>(meta.fixed(1));
      break;
    case kVarchar:
    case kBit:
    case kNewDecimal:
    case kVarString:
      column.meta = static_cast<uint16_t>(meta.fixed(2));
      break;
    case kEnum:
    case kSet:
    case kString: {
      const auto first = static_cast<uint8_t>(meta.fixed(1)), second = static_cast<uint8_t>(meta.fixed(1));
      column.type = first | 0x30;
      column.meta = static_cast<uint16_t>(second | (((first & 0x30) ^ 0x30) << 4));
      break;
    }
    default:
      break;
  }
  return meta.ok();
}

bool all_set(ByteSpan bitmap, size_t columns) {
  for (size_t i = 0; i < columns; ++i)
    if ((bitmap[i / 8] >> (i % 8) & 1) == 0) return false;
  return true;
}

Result<Cells> read_row(Reader& reader, const TableMap& map) {
  const ByteSpan nulls = reader.take((map.columns.size() + 7) / 8);
  if (!reader.ok()) return unreadable("a row is cut short");
  Cells cells;
  cells.reserve(map.columns.size());
  for (size_t i = 0; i < map.columns.size(); ++i) {
    if (nulls[i / 8] >> (i % 8) & 1) {
      cells.emplace_back();
      continue;
    }
    auto cell = read_cell(reader, map.columns[i]);
    if (!cell) return unreadable(fmt::format("column {} is of a type that is not known here", i + 1));
    if (!reader.ok()) return unreadable("a row is cut short");
    cells.push_back(std::move(*cell));
  }
  return cells;
}

}  // namespace

std::optional<TableMap> parse_whole_table_map(const Format& format, ByteSpan body) {
  if (format.table_map_header != 8) return std::nullopt;
  Reader reader(body);
  TableMap map;
  map.id = reader.fixed(6);
  reader.take(2);
  map.database = as_text(reader.take(reader.fixed(1)));
  reader.take(1);
  map.table = as_text(reader.take(reader.fixed(1)));
  reader.take(1);
  const uint64_t count = reader.packed();
  const ByteSpan types = reader.take(count);
  Reader meta(reader.take(reader.packed()));
  reader.take((count + 7) / 8);
  if (!reader.ok() || count == 0) return std::nullopt;
  for (const uint8_t type : types) {
    MappedColumn column{type, 0};
    if (!read_meta(meta, column)) return std::nullopt;
    map.columns.push_back(column);
  }
  return map;
}

std::optional<uint64_t> rows_table_id(ByteSpan body) {
  Reader reader(body);
  const uint64_t id = reader.fixed(6);
  return reader.ok() ? std::optional(id) : std::nullopt;
}

Result<RowsEvent> parse_rows_event(const Format& format, uint8_t type, ByteSpan body, const TableMap& map) {
  const bool first_form = type == kWriteRowsV1 || type == kUpdateRowsV1 || type == kDeleteRowsV1;
  const bool update = type == kUpdateRowsV1 || type == kUpdateRows;
  const bool insert = type == kWriteRowsV1 || type == kWriteRows;
  Reader reader(body);
  RowsEvent event;
  event.table_id = reader.fixed(6);
  const uint64_t flags = reader.fixed(2);
  event.ends_statement = flags & 1;
  event.unchecked = flags & 6;
  if (format.rows_header != 10) return unreadable("a row event has no header that is known");
  if (!first_form) {
    const uint64_t extra = reader.fixed(2);
    if (extra < 2) return unreadable("a row event has no header that is known");
    // Partition numbers stand here, and nothing that says what the rows are.
    reader.take(extra - 2);
  }
  if (reader.packed() != map.columns.size()) return unreadable("rows and table map have different columns");
  for (int i = 0; i < (update ? 2 : 1); ++i) {
    const ByteSpan present = reader.take((map.columns.size() + 7) / 8);
    if (!reader.ok()) return unreadable("a row event is cut short");
    if (!all_set(present, map.columns.size()))
      return unreadable("its rows hold some of the columns only (binlog_row_image is not FULL)");
  }
  while (reader.ok() && reader.left() > 0) {
    RowChange change;
    if (!insert) change.before = TRY(read_row(reader, map));
    if (insert || update) change.after = TRY(read_row(reader, map));
    event.changes.push_back(std::move(change));
  }
  if (!reader.ok()) return unreadable("a row event is cut short");
  return event;
}

}  // namespace holdfast::engine::binlog

// Layout: MariaDB/MySQL sources' documentation of fil0fil (FIL header and trailer), page0page (index page header,
// infimum and supremum, page directory) and rem0rec (compact record format).
#include "tests/bench/innodb_data.h"

#include <array>
#include <cstring>
#include <string>
#include <vector>

#include "tests/bench/random.h"
#include "tests/bench/words.h"

namespace holdfast::bench {
namespace {

constexpr size_t kPage = 16384;
constexpr uint32_t kExtentPages = 64;
constexpr uint32_t kSpaceId = 42;
constexpr size_t kFilHeader = 38, kFilTrailer = 8;
constexpr size_t kRecordsAt = 120;  // after FIL header, page header, segment headers, infimum and supremum
constexpr uint16_t kTypeIndex = 0x45bf, kTypeSpaceHeader = 8, kTypeInode = 3, kTypeBitmap = 5;

using Page = std::array<uint8_t, kPage>;

void put(Page& page, size_t at, uint64_t value, size_t bytes) {
  for (size_t i = 0; i < bytes; ++i) page[at + i] = static_cast<uint8_t>(value >> (8 * (bytes - 1 - i)));
}

uint32_t crc32c(const uint8_t* data, size_t size) {
  static const auto table = [] {
    std::array<std::array<uint32_t, 256>, 8> made{};
    for (uint32_t i = 0; i < 256; ++i) {
      uint32_t crc = i;
      for (int bit = 0; bit < 8; ++bit) crc = crc >> 1 ^ (crc & 1 ? 0x82f63b78u : 0);
      made[0][i] = crc;
    }
    for (size_t k = 1; k < 8; ++k) {
      for (uint32_t i = 0; i < 256; ++i) made[k][i] = made[k - 1][i] >> 8 ^ made[0][made[k - 1][i] & 255];
    }
    return made;
  }();
  uint32_t crc = ~0u;
  for (; size >= 8; data += 8, size -= 8) {
    uint64_t word;
    std::memcpy(&word, data, 8);
    word ^= crc;
    crc = 0;
    for (size_t k = 0; k < 8; ++k) crc ^= table[7 - k][word >> (8 * k) & 255];
  }
  for (; size > 0; ++data, --size) crc = crc >> 8 ^ table[0][(crc ^ *data) & 255];
  return ~crc;
}

void seal(Page& page, uint32_t number, uint16_t type, uint64_t lsn) {
  put(page, 4, number, 4);
  put(page, 16, lsn, 8);
  put(page, 24, type, 2);
  put(page, 34, kSpaceId, 4);
  put(page, kPage - 4, lsn & 0xffffffff, 4);
  const uint32_t sum = crc32c(&page[4], 22) ^ crc32c(&page[kFilHeader], kPage - kFilHeader - kFilTrailer);
  put(page, 0, sum, 4);
  put(page, kPage - 8, sum, 4);
}

/// One row: id, transaction id, roll pointer, two numbers, a time, three strings and padding bytes a CHAR column has.
size_t write_record(Page& page, size_t at, uint64_t id, uint64_t lsn, size_t heap_number, Random& random) {
  std::string strings;
  uint8_t lengths[3];
  for (auto& length : lengths) {
    const size_t before = strings.size();
    for (uint64_t words = random.between(1, 4); words-- > 0;) strings.append(vocabulary().common(random)).append(" ");
    length = static_cast<uint8_t>(strings.size() - before);
  }
  for (size_t i = 0; i < 3; ++i) page[at++] = lengths[2 - i];
  page[at++] = 0;  // null bits
  put(page, at, heap_number << 3, 5);
  at += 5;
  put(page, at, id | 1ull << 63, 8), at += 8;
  put(page, at, lsn >> 12, 6), at += 6;
  put(page, at, 1ull << 55 | random.below(1ull << 32), 7), at += 7;
  put(page, at, random.below(1'000'000) | 1u << 31, 4), at += 4;
  put(page, at, random.next(), 8), at += 8;
  put(page, at, 0x99b6000000 + random.below(1u << 28), 5), at += 5;
  std::memcpy(&page[at], strings.data(), strings.size());
  at += strings.size();
  static constexpr char kHex[] = "0123456789abcdef";
  for (uint64_t bits = random.next(), i = 0; i < 16; ++i, bits >>= 4)
    page[at++] = static_cast<uint8_t>(kHex[bits & 15]);
  std::memset(&page[at], ' ', 8);
  return at + 8;
}

void write_index_page(Page& page, uint32_t number, uint64_t version, const InnodbOptions& options) {
  Random random(options.seed ^ version << 40, number);
  // Pages are written in no order, so their log positions are not sorted by number.
  const uint64_t lsn = 0x1000000 + random.below(1ull << 34) + (version << 34);
  put(page, 8, number - 1, 4);
  put(page, 12, number + 1, 4);
  std::memcpy(&page[94],
              "\x01\x00\x02\x00\x1a"
              "infimum\0"
              "\x05\x00\x0b\x00\x00"
              "supremum",
              26);
  size_t at = kRecordsAt, records = 0;
  std::vector<size_t> slots;
  const double fill = random.chance(0.7) ? 15.0 / 16 : 0.5 + 0.4 * random.unit();
  const auto end = static_cast<size_t>(fill * (kPage - kFilTrailer)) - 200;
  while (at < end) {
    const size_t start = at;
    at = write_record(page, at, number * 100ull + records, lsn, records + 2, random);
    if (++records % 6 == 0) slots.push_back(start + 9);
  }
  for (size_t i = 0; i < slots.size(); ++i) put(page, kPage - kFilTrailer - 4 - 2 * i, slots[i], 2);
  put(page, 38, slots.size() + 2, 2);
  put(page, 40, at, 2);
  put(page, 42, 0x8000 | (records + 2), 2);
  put(page, 48, at, 2);
  put(page, 54, records, 2);
  put(page, 66, 137, 8);
  seal(page, number, kTypeIndex, lsn);
}

}  // namespace

void write_innodb(const InnodbOptions& options, Output& out) {
  const auto pages = static_cast<uint32_t>(options.size / kPage);
  const uint32_t extents = (pages + kExtentPages - 1) / kExtentPages;
  // The last part of the file was preallocated and never used; the other zero extents lie between used ones.
  const auto tail = static_cast<uint32_t>(extents * options.zero_share / 2);
  const double hole = extents > tail ? (extents * options.zero_share - tail) / (extents - tail) : 0;
  Random extent_dice(options.seed, 0x657874), change_dice(options.seed, 0x6368);
  Page page;
  for (uint32_t extent = 0; extent < extents; ++extent) {
    const bool zero = extent_dice.chance(hole) || extent >= extents - tail;
    for (uint32_t i = 0; i < kExtentPages && extent * kExtentPages + i < pages; ++i) {
      const uint32_t number = extent * kExtentPages + i;
      const bool changed = change_dice.chance(options.changed_share);
      page.fill(0);
      if (number == 0) {
        put(page, 38, kSpaceId, 4);
        put(page, 46, pages, 4);
        seal(page, number, kTypeSpaceHeader, 0x1000000);
      } else if (number == 1 || number == 2) {
        seal(page, number, number == 1 ? kTypeBitmap : kTypeInode, 0x1000000);
      } else if (!zero) {
        write_index_page(page, number, changed ? 1 : 0, options);
      }
      out.write({reinterpret_cast<const char*>(page.data()), page.size()});
    }
  }
}

}  // namespace holdfast::bench

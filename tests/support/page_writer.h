// Pages of InnoDB and PostgreSQL, byte by byte, with the checksums that their servers give them, for tests of what
// reads them.
#pragma once

#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <vector>

#include "engine/pages/postgres.h"

namespace holdfast::test {

/// How InnoDB seals a page: MariaDB's way of today, and the older one that MySQL has.
enum class InnodbSeal { full_crc32, classic };

/// A page of zeros but for these bytes, in hex.
struct Piece {
  size_t at;
  std::string_view hex;
};
inline std::string page_of(size_t size, const std::vector<Piece>& pieces) {
  std::string page(size, '\0');
  for (const Piece& piece : pieces)
    for (size_t i = 0; i < piece.hex.size() / 2; ++i)
      page[piece.at + i] = static_cast<char>(std::stoi(std::string(piece.hex.substr(2 * i, 2)), nullptr, 16));
  return page;
}

/// A page that a server wrote: PostgreSQL 15, pg_proc_oid_index, block 3.
inline std::string postgres_index_page() {
  return page_of(8192, {{4, "d8010601cba300002400c81ff01f042000000000e89f1000d89f2000c89f2000c89f20"},
                        {8138, "0400010010205d0e"},
                        {8154, "0200010010202f05"},
                        {8170, "010000000820"},
                        {8184, "0100000002"}});
}

/// Changes one bit.
inline void flip(std::string& page, size_t at) {
  page[at] = static_cast<char>(page[at] ^ 1);
}
/// A number of `width` bytes, the highest first.
inline void put(std::string& page, size_t at, uint64_t value, int width) {
  for (int i = 0; i < width; ++i) page[at + static_cast<size_t>(i)] = static_cast<char>(value >> 8 * (width - 1 - i));
}

/// Bit by bit: shares nothing with what is tested.
inline uint32_t slow_crc32c(std::string_view bytes) {
  uint32_t crc = ~0u;
  for (const char byte : bytes) {
    crc ^= static_cast<uint8_t>(byte);
    for (int bit = 0; bit < 8; ++bit) crc = crc & 1 ? crc >> 1 ^ 0x82f63b78 : crc >> 1;
  }
  return ~crc;
}

/// Gives a page of InnoDB its checksum.
inline void seal(std::string& page, InnodbSeal kind) {
  const std::string_view all = page;
  const size_t size = page.size();
  if (kind == InnodbSeal::full_crc32)
    put(page, size - 4, slow_crc32c(all.substr(0, size - 4)), 4);
  else
    put(page, 0, slow_crc32c(all.substr(4, 22)) ^ slow_crc32c(all.substr(38, size - 46)), 4);
}
/// Page `number` of a table's file, of an index unless another type is asked for. Page 0 tells the file's flags and how
/// many pages it has.
inline std::string innodb_page(InnodbSeal kind, uint64_t number, size_t size, uint32_t flags, uint64_t of_pages,
                               uint32_t type = 17855) {
  std::string page(size, '\0');
  put(page, 4, number, 4);
  put(page, 16, 5000 + number, 8);
  put(page, 24, type, 2);
  for (size_t i = 38; i < size - 8; ++i) page[i] = static_cast<char>(i * (number + 7) / 3);
  if (kind == InnodbSeal::full_crc32) put(page, 0, 0, 4);
  if (number == 0) {
    put(page, 46, of_pages, 4);
    put(page, 54, flags, 4);
  }
  seal(page, kind);
  return page;
}
/// A table's file of `count` pages.
inline std::string innodb_file(InnodbSeal kind, uint64_t count, size_t size = 16384) {
  uint32_t shift = 0;
  while (size_t{512} << shift != size) ++shift;
  const uint32_t flags = kind == InnodbSeal::full_crc32 ? 16 + shift : 0x4021 | (size == 16384 ? 0 : shift << 6);
  std::string file;
  for (uint64_t page = 0; page < count; ++page) file += innodb_page(kind, page, size, flags, count);
  return file;
}
/// A page of an index as a server writes it at block `block`.
inline std::string postgres_page(uint32_t block) {
  std::string page = postgres_index_page();
  const uint16_t sum = engine::pages::postgres_checksum(as_bytes(page), block);
  std::memcpy(page.data() + 8, &sum, 2);
  return page;
}
/// `count` of them, beginning with block `first`.
inline std::string postgres_file(uint32_t first, uint32_t count) {
  std::string file;
  for (uint32_t block = first; block < first + count; ++block) file += postgres_page(block);
  return file;
}

}  // namespace holdfast::test

// InnoDB's page formats: MariaDB's full_crc32, and the older one of MySQL and MariaDB with its three checksums.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/bytes.h"

namespace holdfast::engine::pages {

struct InnodbFormat {
  bool full_crc32 = false;
  size_t page_size = 16384;
  uint64_t pages = 0;  ///< that the tablespace has, by its first page
};

/// CRC-32C of all but the last 4 bytes, stored there.
bool full_crc32_fits(ByteSpan page);
/// CRC-32C, the checksum of old servers ("innodb"), or the magic of none.
bool classic_fits(ByteSpan page);
/// The newest checkpoint that the redo log's files note: what was changed before it is on the disk. Of MariaDB
/// from 10.2 and of MySQL from 5.7 on; nothing where none of their checksums holds.
std::optional<uint64_t> innodb_checkpoint(const std::string& data_dir);
/// Of a page that describes the extents behind it: which pages are in use, from its own on. Not the places where each
/// such page and the one behind it lie: a server may never write them.
std::vector<bool> pages_in_use(ByteSpan descriptors);
/// What the first page of a tablespace says, if its checksum holds; nothing for KEY_BLOCK_SIZE. `head`: as much of the
/// file's start as a page may be (64 KiB).
std::optional<InnodbFormat> innodb_format(ByteSpan head);

}  // namespace holdfast::engine::pages

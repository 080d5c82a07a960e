// Which WAL segments of a stopped server nobody needs any more, and their removal. What is not archived, not past the
// last checkpoint, or wanted by a slot is needed.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "engine/postgres/control.h"

namespace holdfast::engine::postgres {

struct SlotOnDisk {
  std::string name;
  bool physical = true;
  Lsn restart = 0;  ///< 0 = it keeps nothing
};
/// pg_replslot/NAME/state. "postgres.slot" (failed) when it makes no sense.
Result<SlotOnDisk> read_slot(const std::string& data_dir, const std::string& name);

struct WalRoom {
  uint32_t segment_size = 0;
  Lsn oldest = 0;               ///< where the oldest segment begins
  Lsn recovery = 0;             ///< crash recovery begins here
  std::optional<Lsn> archiver;  ///< the oldest segment that waits to be archived
  std::vector<SlotOnDisk> slots;
  std::string unknown;  ///< why one of these is not known; "" = all are
};
/// Reads only.
WalRoom read_wal_room(const std::string& data_dir);

struct FreedWal {
  uint64_t segments = 0, bytes = 0;
};
/// Removes the named slots, then the segments that end at or before `keep_from` and that nobody else needs: all is read
/// again first. No server may run on it. "postgres.wal_room" (refused) when something is not known.
Result<FreedWal> free_wal(const std::string& data_dir, Lsn keep_from, const std::vector<std::string>& drop_slots);

}  // namespace holdfast::engine::postgres

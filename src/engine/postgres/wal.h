// The true end of a PostgreSQL member's write-ahead log, read from pg_wal without a server.
//
// Own reader, not pg_waldump: it must work where no program of the right major version is installed, tell the end from
// damage, and follow timelines; checksums are CRC-32C, about 1 GB/s. Known page formats: PostgreSQL 13 to 18.
//
// From the redo point of the latest checkpoint record by record (length, back link, checksum) to the first that is not
// valid. As recovery does, each segment is taken from the newest timeline of the member's history that has it. That
// place is the end unless something speaks against it: it lies before the checkpoint; a segment is missing, short, or
// of another system; a valid page or record stands behind it; WAL of a timeline the member does not know. Then the end
// is unknown, and `at_least` is how far it was seen to go.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "base/deadline.h"
#include "engine/postgres/control.h"
#include "engine/postgres/timeline.h"

namespace holdfast::engine::postgres {

struct WalEnd {
  Lsn end = 0;                ///< behind the last valid record, as pg_current_wal_lsn() tells it
  uint32_t timeline = 0;      ///< it is on
  Lsn last_record = 0;        ///< where that record begins
  std::string ended_because;  ///< what stands behind it: "no record", "a record that was not finished", ...
  uint64_t records = 0;       ///< walked
  /// The minimum recovery point is later: the member has applied WAL that is no longer (or not) in pg_wal, and `end`
  /// and `timeline` are that point.
  bool from_minimum_recovery_point = false;
};

struct WalReading {
  std::optional<WalEnd> end;
  std::string unknown;             ///< why not
  std::optional<WalEnd> at_least;  ///< the truth is this or later; never to be taken for the end
};

struct WalOptions {
  /// standby.signal or recovery.signal is there: the newest timeline in pg_wal is followed, as recovery would.
  bool standby = false;
  Deadline deadline = Deadline::never();
  std::stop_token stop;
};

/// Cost: one pass over the WAL since the latest checkpoint (about 1 s per GB from the page cache), the page headers of
/// the rest of the last segment, and the first page of each later segment.
WalReading read_wal_end(const std::string& data_dir, const ControlData& control, const WalOptions& options = {});

/// One valid record.
struct WalItem {
  Lsn start = 0, end = 0;
  uint32_t timeline = 0;
  uint16_t magic = 0;  ///< first field of its page: tells the major version
  ByteSpan bytes;      ///< header and all, put together over pages
};
struct WalPiece {
  Lsn from = 0;  ///< where a record begins
  Lsn to = 0;    ///< records that begin before it are told
};
struct WalWalk {
  Lsn end = 0;  ///< behind the last record told
  uint64_t records = 0;
  std::string unknown;  ///< why it did not come to `to`; "" = it did
};
/// Tells each record of a piece of the member's log, in order. Segments are chosen as by read_wal_end(); nothing is
/// said about whether the log goes on. Cost: one pass over the piece, about 1 s per GB from the page cache.
WalWalk walk_wal(const std::string& data_dir, const ControlData& control, const WalPiece& piece,
                 const std::function<void(const WalItem&)>& on_record, const WalOptions& options = {});

}  // namespace holdfast::engine::postgres

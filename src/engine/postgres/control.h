// global/pg_control, read without PostgreSQL's own program: format 1300 (PostgreSQL 13 to 17) and 1800 (18), with its
// CRC-32C. Own code because pg_controldata of the right major version need not be installed where a stopped member's
// disk is, prints CRC trouble as a warning followed by numbers, and translates its labels. Other formats are refused.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/bytes.h"
#include "base/result.h"

namespace holdfast::engine::postgres {

using Lsn = uint64_t;
/// "0/179C938"
std::string lsn_text(Lsn lsn);

enum class ControlState {
  starting_up = 0,
  shut_down = 1,              ///< cleanly, as a primary
  shut_down_in_recovery = 2,  ///< cleanly, as a standby
  shutting_down = 3,
  crash_recovery = 4,
  archive_recovery = 5,  ///< a standby that runs, or was killed
  in_production = 6,     ///< a primary that runs, or was killed
};
std::string_view control_state_name(ControlState state);

struct ControlData {
  uint64_t system_identifier = 0;
  uint32_t control_version = 0, catalog_version = 0;
  ControlState state = ControlState::starting_up;
  int64_t modified = 0;                          ///< seconds since 1970
  Lsn checkpoint = 0;                            ///< where the latest checkpoint's record is
  Lsn redo = 0;                                  ///< where recovery would begin
  uint32_t timeline = 0, previous_timeline = 0;  ///< of that checkpoint
  int64_t checkpoint_time = 0;
  uint64_t next_xid = 0;  ///< with epoch
  uint32_t oldest_xid = 0, oldest_xid_database = 0;
  uint32_t next_multi = 0, oldest_multi = 0, oldest_multi_database = 0;
  Lsn minimum_recovery_point = 0;  ///< 0 = none: data files may hold changes up to here
  uint32_t minimum_recovery_timeline = 0;
  Lsn backup_start = 0, backup_end = 0;
  bool backup_end_required = false;  ///< restored from a base backup whose end it has not reached
  uint32_t wal_block_size = 0, wal_segment_size = 0, block_size = 0;
  uint32_t segment_blocks = 0;         ///< of one file of a relation
  uint32_t data_checksum_version = 0;  ///< 0 = none
  bool wal_log_hints = false;

  /// Transactions since the oldest one not frozen, at the latest checkpoint; 2 billion is the end.
  uint32_t xid_age() const { return static_cast<uint32_t>(next_xid) - oldest_xid; }
  uint32_t multi_age() const { return next_multi - oldest_multi; }
};

/// "postgres.control" (failed) tells what is wrong: too short, another format, another byte order, a wrong checksum, or
/// values that cannot be.
Result<ControlData> parse_control(ByteSpan file);
/// Reads DATA/global/pg_control; tries again when the server is just writing it. Cost: one small read.
Result<ControlData> read_control(const std::string& data_dir);

}  // namespace holdfast::engine::postgres

#include "engine/postgres/control.h"

#include <fmt/format.h>

#include <bit>
#include <cstring>

#include "codec/crc32.h"
#include "engine/stored/files.h"

namespace holdfast::engine::postgres {

std::string lsn_text(Lsn lsn) {
  return fmt::format("{:X}/{:X}", lsn >> 32, lsn & 0xffffffff);
}

std::string_view control_state_name(ControlState state) {
  switch (state) {
    case ControlState::starting_up:
      return "starting up";
    case ControlState::shut_down:
      return "shut down";
    case ControlState::shut_down_in_recovery:
      return "shut down in recovery";
    case ControlState::shutting_down:
      return "shutting down";
    case ControlState::crash_recovery:
      return "in crash recovery";
    case ControlState::archive_recovery:
      return "in archive recovery";
    case ControlState::in_production:
      break;
  }
  return "in production";
}

Result<ControlData> parse_control(ByteSpan file) {
  const auto bad = [](const std::string& why) {
    return fail(ErrorClass::failed, "postgres.control", "pg_control: " + why);
  };
  // Offsets of struct ControlFileData on machines that align 8-byte values to 8 bytes (all that PostgreSQL is built for
  // in 64 bits). 1300 is of 13 to 16; 1700 puts a field where padding was; 1800 another one, and moves the checksum.
  constexpr size_t kCrc1300 = 288, kCrc1800 = 292, kSize = 296;
  if (file.size() < kSize) return bad(fmt::format("{} bytes are too few", file.size()));
  const auto four = [&](size_t at) {
    uint32_t value;
    std::memcpy(&value, file.data() + at, 4);
    return value;
  };
  const auto eight = [&](size_t at) {
    uint64_t value;
    std::memcpy(&value, file.data() + at, 8);
    return value;
  };
  ControlData data;
  data.control_version = four(8);
  const auto is_known = [](uint32_t format) { return format == 1300 || format == 1700 || format == 1800; };
  if (!is_known(data.control_version)) {
    const bool swapped = is_known(std::byteswap(data.control_version));
    return bad(swapped ? "it was written on a machine of another byte order"
                       : fmt::format("format {} is not known here (13 to 18 are)", data.control_version));
  }
  const size_t crc_at = data.control_version < 1800 ? kCrc1300 : kCrc1800;
  if (codec::crc32c(file.first(crc_at)) != four(crc_at)) return bad("its checksum is wrong");
  data.system_identifier = eight(0);
  data.catalog_version = four(12);
  if (four(16) > 6) return bad("its state is none");
  data.state = static_cast<ControlState>(four(16));
  data.modified = static_cast<int64_t>(eight(24));
  data.checkpoint = eight(32);
  data.redo = eight(40);
  data.timeline = four(48);
  data.previous_timeline = four(52);
  data.next_xid = eight(64);
  data.next_multi = four(76);
  data.oldest_xid = four(84);
  data.oldest_xid_database = four(88);
  data.oldest_multi = four(92);
  data.oldest_multi_database = four(96);
  data.checkpoint_time = static_cast<int64_t>(eight(104));
  data.minimum_recovery_point = eight(136);
  data.minimum_recovery_timeline = four(144);
  data.backup_start = eight(152);
  data.backup_end = eight(160);
  data.backup_end_required = file[168] != 0;
  data.wal_log_hints = file[176] != 0;
  double float_format;
  std::memcpy(&float_format, file.data() + 208, 8);
  data.block_size = four(216);
  data.segment_blocks = four(220);
  data.wal_block_size = four(224);
  data.wal_segment_size = four(228);
  data.data_checksum_version = four(252);
  const auto power = [](uint32_t value, uint32_t least, uint32_t most) {
    return std::has_single_bit(value) && value >= least && value <= most;
  };
  if (four(204) != 8 || float_format != 1234567.0) return bad("it was written on another kind of machine");
  if (!power(data.wal_segment_size, 1 << 20, 1 << 30) || !power(data.wal_block_size, 1 << 10, 1 << 16))
    return bad("its WAL sizes cannot be");
  if (data.system_identifier == 0 || data.timeline == 0 || data.redo == 0 || data.redo > data.checkpoint)
    return bad("its checkpoint cannot be");
  return data;
}

Result<ControlData> read_control(const std::string& data_dir) {
  Result<ControlData> result = fail(ErrorClass::bug, "", "");
  // The server rewrites it in place, in one write of one sector: a wrong checksum may be a read in the middle of that.
  for (int attempt = 0; attempt < 5; ++attempt) {
    const std::string text = TRY(stored::read_small(data_dir + "/global/pg_control", 64 << 10));
    result = parse_control(as_bytes(text));
    if (result) break;
  }
  return result;
}

}  // namespace holdfast::engine::postgres

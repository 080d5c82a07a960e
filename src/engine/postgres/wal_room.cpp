#include "engine/postgres/wal_room.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <filesystem>

#include "codec/crc32.h"
#include "engine/postgres/timeline.h"
#include "engine/stored/files.h"
#include "sys/file.h"

namespace holdfast::engine::postgres {

namespace fs = std::filesystem;

namespace {

/// ReplicationSlotOnDisk: magic, checksum, version, length, then name[64], database, persistency, xmin, catalog_xmin,
/// restart_lsn; the same from version 2 (9.4) to 5 (18).
constexpr uint32_t kMagic = 0x1051CA1;
constexpr size_t kNameAt = 16, kNameBytes = 64, kDatabaseAt = 80, kRestartAt = 96;

template <class Number>
Number number_at(std::string_view text, size_t at) {
  Number value{};
  std::memcpy(&value, text.data() + at, sizeof value);
  return value;
}

bool is_segment(const std::string& name) {
  return name.size() == 24 && name.find_first_not_of("0123456789ABCDEF") == std::string::npos;
}

}  // namespace

Result<SlotOnDisk> read_slot(const std::string& data_dir, const std::string& name) {
  const std::string path = data_dir + "/pg_replslot/" + name + "/state";
  const auto text = stored::read_small(path, 4096);
  if (!text) return fail(text.error());
  const bool whole = text->size() >= kRestartAt + 8 && number_at<uint32_t>(*text, 12) + kNameAt == text->size();
  const uint32_t version = whole ? number_at<uint32_t>(*text, 8) : 0;
  if (!whole || number_at<uint32_t>(*text, 0) != kMagic || version < 2 || version > 5 ||
      number_at<uint32_t>(*text, 4) != codec::crc32c(as_bytes(std::string_view(*text).substr(8))) ||
      std::string(text->c_str() + kNameAt, strnlen(text->c_str() + kNameAt, kNameBytes)) != name)
    return fail(ErrorClass::failed, "postgres.slot", path + " makes no sense");
  return SlotOnDisk{name, number_at<uint32_t>(*text, kDatabaseAt) == 0, number_at<uint64_t>(*text, kRestartAt)};
}

WalRoom read_wal_room(const std::string& data_dir) {
  WalRoom room;
  const auto control = read_control(data_dir);
  if (!control) {
    room.unknown = control.error().message;
    return room;
  }
  room.segment_size = control->wal_segment_size;
  room.recovery = control->redo;
  if (control->backup_start != 0 || control->backup_end_required ||
      stored::presence(data_dir + "/backup_label") != stored::Presence::absent)
    room.unknown = "recovery would not begin at the last checkpoint";
  const auto begin = [&](const std::string& name) -> std::optional<Lsn> {
    const auto segment = is_segment(name) ? parse_segment_name(name, room.segment_size) : std::nullopt;
    if (!segment) return std::nullopt;
    return segment->number * room.segment_size;
  };
  std::optional<Lsn> oldest;
  const auto wal = stored::list_directory(data_dir + "/pg_wal", 1'000'000);
  const auto archive = stored::list_directory(data_dir + "/pg_wal/archive_status", 1'000'000);
  const auto slots = stored::list_directory(data_dir + "/pg_replslot");
  for (const auto* listing : {&wal, &archive, &slots})
    if (!listing->all_names && room.unknown.empty()) room.unknown = "it cannot be listed: " + listing->why;
  for (const auto& name : wal.names)
    if (const auto at = begin(name); at && (!oldest || *at < *oldest)) oldest = at;
  room.oldest = oldest.value_or(room.recovery);
  for (const auto& name : archive.names) {
    if (!name.ends_with(".ready")) continue;
    const auto at = begin(name.substr(0, 24));
    if (at && (!room.archiver || *at < *room.archiver)) room.archiver = at;
  }
  for (const auto& name : slots.names) {
    if (name.ends_with(".tmp")) continue;  // the server removes it when it starts
    auto slot = read_slot(data_dir, name);
    if (slot)
      room.slots.push_back(std::move(*slot));
    else if (room.unknown.empty())
      room.unknown = slot.error().message;
  }
  return room;
}

Result<FreedWal> free_wal(const std::string& data_dir, Lsn keep_from, const std::vector<std::string>& drop_slots) {
  const WalRoom room = read_wal_room(data_dir);
  if (!room.unknown.empty() || room.segment_size == 0)
    return fail(ErrorClass::refused, "postgres.wal_room", "who needs the WAL is not known: " + room.unknown);
  Lsn limit = std::min(keep_from, room.recovery);
  if (room.archiver) limit = std::min(limit, *room.archiver);
  for (const auto& slot : room.slots) {
    if (std::ranges::find(drop_slots, slot.name) != drop_slots.end()) continue;
    if (slot.restart != 0) limit = std::min(limit, slot.restart);
  }
  for (const auto& slot : room.slots) {
    if (std::ranges::find(drop_slots, slot.name) == drop_slots.end()) continue;
    // As the server does it: from the rename on it is gone, whatever comes in between.
    const std::string path = data_dir + "/pg_replslot/" + slot.name, dropped = path + ".tmp";
    std::error_code error;
    fs::rename(path, dropped, error);
    if (error) return fail(sys::errno_error(error.value(), "rename " + path));
    fs::remove_all(dropped, error);
    if (error) return fail(sys::errno_error(error.value(), "remove " + dropped));
    TRY_VOID(sys::sync_directory(data_dir + "/pg_replslot"));
  }
  FreedWal freed;
  const std::string wal = data_dir + "/pg_wal";
  const auto listing = stored::list_directory(wal, 1'000'000);
  for (const auto& name : listing.names) {
    const auto segment = is_segment(name) ? parse_segment_name(name, room.segment_size) : std::nullopt;
    if (!segment || (segment->number + 1) * room.segment_size > limit) continue;
    if (stored::presence(wal + "/archive_status/" + name + ".ready") != stored::Presence::absent) continue;
    std::error_code error;
    fs::remove(wal + "/" + name, error);
    if (error) return fail(sys::errno_error(error.value(), "remove " + wal + "/" + name));
    fs::remove(wal + "/archive_status/" + name + ".done", error);
    ++freed.segments;
    freed.bytes += room.segment_size;
  }
  TRY_VOID(sys::sync_directory(wal));
  return freed;
}

}  // namespace holdfast::engine::postgres

#include "engine/postgres/stored.h"

#include <algorithm>
#include <charconv>
#include <filesystem>

namespace holdfast::engine::postgres {

namespace fs = std::filesystem;
using stored::Known;
using stored::Presence;

namespace {

template <class Number>
bool read_number(std::string_view text, Number& value) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return error == std::errc() && end == text.data() + text.size();
}

std::string_view next_line(std::string_view& text) {
  const size_t end = std::min(text.find('\n'), text.size());
  std::string_view line = text.substr(0, end);
  text.remove_prefix(std::min(end + 1, text.size()));
  while (!line.empty() && (line.back() == ' ' || line.back() == '\r')) line.remove_suffix(1);
  return line;
}

void find_markers(const std::string& data_dir, const std::vector<std::string>& names,
                  std::vector<StoredMarker>& markers) {
  const std::string ours = (fs::path(data_dir) / "..").lexically_normal().string() + "initialising";
  if (stored::presence(ours) == Presence::present)
    markers.push_back({ours, "the agent had not finished making this data directory"});
  if (std::ranges::binary_search(names, "backup_label"))
    markers.push_back({data_dir + "/backup_label", "a base backup that has not recovered to its end yet"});
}

void read_wal_directory(const std::string& wal_dir, const ControlData* control, PostgresStored& result) {
  const auto listing = stored::list_directory(wal_dir, 1'000'000);
  if (!listing.all_names) {
    result.histories_unknown = wal_dir + " cannot be listed: " + listing.why;
    result.segments = Known<uint64_t>::unknown(result.histories_unknown);
  } else {
    uint64_t segments = 0;
    for (const auto& name : listing.names) {
      segments += parse_segment_name(name, control ? control->wal_segment_size : 16 << 20).has_value();
      const auto timeline = history_file_timeline(name);
      if (!timeline) continue;
      const auto text = stored::read_small(wal_dir + "/" + name);
      auto history = text ? parse_history(*timeline, *text) : fail(text.error());
      if (history)
        result.histories.emplace(*timeline, std::move(*history));
      else
        result.histories_unknown = history.error().message;
    }
    result.segments = segments;
  }
  const auto archive = stored::list_directory(wal_dir + "/archive_status", 1'000'000);
  if (!archive.all_names)
    result.archive_ready = Known<uint64_t>::unknown(wal_dir + "/archive_status: " + archive.why);
  else
    result.archive_ready = static_cast<uint64_t>(
        std::ranges::count_if(archive.names, [](const std::string& name) { return name.ends_with(".ready"); }));
}

}  // namespace

Result<PostmasterPid> parse_postmaster_pid(std::string_view text) {
  const auto bad = [] { return fail(ErrorClass::failed, "postgres.postmaster_pid", "postmaster.pid makes no sense"); };
  PostmasterPid file;
  // A negative number: a single-user backend.
  if (!read_number(next_line(text), file.pid) || file.pid == 0) return bad();
  file.data_dir = next_line(text);
  if (!read_number(next_line(text), file.started)) return bad();
  const std::string_view port = next_line(text);  // the lines from here on come a little later
  if (!port.empty() && (!read_number(port, file.port) || file.port < 0 || file.port > 65535)) return bad();
  file.socket_dir = next_line(text);
  file.listen = next_line(text);
  next_line(text);  // shared memory
  file.status = next_line(text);
  return file;
}

PostgresStored read_postgres_stored(const std::string& data_dir, const PostgresStoredOptions& options) {
  PostgresStored result;
  const auto listing = stored::list_directory(data_dir);
  const auto has = [&](const char* name) { return std::ranges::binary_search(listing.names, name); };
  static_cast<ContentOf&>(result) =
      judge_content(listing, {.is_ours =
                                  [&](std::vector<StoredMarker>& markers) {
                                    if (!has("PG_VERSION") && !has("global") && !has("pg_wal")) return false;
                                    for (const char* name : {"PG_VERSION", "global", "pg_wal", "base"})
                                      if (!has(name)) markers.push_back({data_dir + "/" + name, "it is missing"});
                                    return true;
                                  },
                              .not_ours = "neither PG_VERSION nor its directories are in it",
                              .find_markers = [&](auto& markers) { find_markers(data_dir, listing.names, markers); }});
  result.data_volume = stored::volume_of(data_dir);
  result.wal_volume = stored::volume_of(data_dir + "/pg_wal");
  if (result.content != StoredContent::data && result.content != StoredContent::half_made) {
    result.wal.unknown = "there is no data directory";
    return result;
  }

  result.signals_known = listing.all_names;
  result.standby_signal = has("standby.signal");
  result.recovery_signal = has("recovery.signal");
  const auto version = stored::read_small(data_dir + "/PG_VERSION", 64);
  int number = 0;
  std::string_view rest = version ? std::string_view(*version) : std::string_view();
  const std::string_view line = next_line(rest);
  if (!version)
    result.version = Known<std::string>::unknown(version.error());
  else if (!read_number(line, number) || number < 1)
    result.version = Known<std::string>::unknown("PG_VERSION makes no sense");
  else
    result.version = std::string(line);

  const auto pid = stored::read_small(data_dir + "/postmaster.pid", 8192);
  if (pid) {
    auto parsed = parse_postmaster_pid(*pid);
    result.postmaster =
        parsed ? Known<PostmasterPid>(std::move(*parsed)) : Known<PostmasterPid>::unknown(parsed.error());
  } else {
    result.postmaster = Known<PostmasterPid>::unknown(pid.error());
    result.postmaster_absent = listing.all_names && !has("postmaster.pid");
  }

  const auto slots = stored::list_directory(data_dir + "/pg_replslot");
  result.slots = slots.all_names ? Known<std::vector<std::string>>(slots.names)
                                 : Known<std::vector<std::string>>::unknown("pg_replslot: " + slots.why);

  // A running server may take a checkpoint and recycle WAL while it is read: then everything is read again.
  for (int attempt = 0; attempt < 3; ++attempt) {
    auto control = read_control(data_dir);
    result.control = control ? Known<ControlData>(*control) : Known<ControlData>::unknown(control.error());
    if (!control) {
      result.wal = {};
      result.wal.unknown = control.error().message;
      break;
    }
    if (!options.wal) {
      result.wal.unknown = "the end of WAL was not asked for";
      break;
    }
    WalOptions how;
    how.standby = result.standby_signal || result.recovery_signal;
    how.deadline = options.deadline;
    how.stop = options.stop;
    result.wal = read_wal_end(data_dir, *control, how);
    if (has("backup_label") && result.wal.end) {
      result.wal.at_least = std::move(result.wal.end);
      result.wal.end.reset();
      result.wal.unknown = "backup_label is there: recovery would not begin where pg_control says";
    }
    if (result.wal.end || options.deadline.passed() || options.stop.stop_requested()) break;
    const auto again = read_control(data_dir);
    if (again && again->checkpoint == control->checkpoint && again->modified == control->modified) break;
  }
  read_wal_directory(data_dir + "/pg_wal", result.control ? &*result.control : nullptr, result);
  return result;
}

}  // namespace holdfast::engine::postgres

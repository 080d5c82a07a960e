#include "engine/binlog/position.h"

#include <fmt/format.h>

#include <chrono>
#include <filesystem>
#include <thread>

#include "engine/stored/files.h"

namespace holdfast::engine::binlog {

namespace fs = std::filesystem;

namespace {

constexpr int kAttempts = 4;
constexpr auto kBetween = std::chrono::milliseconds(20);  // a rotation is a few file operations long

struct FileScan {
  std::string path;
  Scan scan;
};

Result<Scan> scan_file(const std::string& path, const ReadOptions& options, bool start_only, bool relay) {
  auto source = TRY(FileSource::open(path));
  ScanOptions how;
  how.start_only = start_only;
  how.relay = relay;
  how.deadline = options.deadline;
  how.stop = options.stop;
  return scan_log(source, how);
}

BinlogPosition describe(const FileScan& last, Gtids gtids) {
  const Scan& scan = last.scan;
  BinlogPosition position;
  if (scan.format) {
    position.flavour = scan.format->flavour;
    position.server_version = scan.format->server_version;
  }
  position.text = gtids.text();
  position.position = gtids.position_text();
  position.gtids = std::move(gtids);
  position.anonymous = scan.anonymous > 0;
  position.file = last.path;
  position.offset = scan.valid_end;
  position.size = scan.file_size;
  position.in_use = scan.in_use;
  position.clean = scan.end == Scan::End::closed;
  position.tail = scan.tail;
  if (scan.partial) position.partial = scan.partial->to_string();
  if (scan.last_group) {
    position.last_gtid = scan.last_group->start.to_string();
    position.last_timestamp = scan.last_group->timestamp;
  }
  position.source = "binary log";
  return position;
}

/// "<base>.state" of MariaDB: written when a log is closed by a shutdown, one GTID per line.
std::optional<Gtids> read_state_file(const LogFiles& files) {
  const fs::path index(files.index);
  auto text = stored::read_small((index.parent_path() / index.stem()).string() + ".state");
  if (!text || (!text->empty() && text->back() != '\n')) return std::nullopt;
  Gtids state;
  for (size_t at = 0; at < text->size();) {
    const size_t end = text->find('\n', at);
    const auto line = std::string_view(*text).substr(at, end - at);
    at = end + 1;
    if (line.empty()) continue;
    const auto gtid = parse_mariadb_gtid(line);
    if (!gtid) return std::nullopt;
    state.add(*gtid);
  }
  return state;
}

std::string name_of(const std::string& path) {
  return fs::path(path).filename().string();
}

class PositionReader {
 public:
  PositionReader(const std::string& data_dir, const ReadOptions& options) : data_dir_(data_dir), options_(options) {}

  /// One look. False when the files changed under it, so that another look is worth it.
  bool look(BinlogReading& reading) {
    reading = {};
    auto files = find_log_files(data_dir_, LogKind::binary, options_.base, options_.moved);
    if (!files) {
      reading.unknown = files.error().message;
      return true;
    }
    reading.files = std::move(*files);
    const auto& paths = reading.files.paths;
    if (paths.empty()) {
      reading.unknown = reading.files.index + " is empty";
      return true;
    }
    if (!reading.files.unlisted.empty()) {
      reading.unknown = fmt::format("{} is not in the index {}", name_of(reading.files.unlisted), reading.files.index);
      return false;
    }
    std::vector<FileScan> read;  // newest first
    for (auto path = paths.rbegin();; ++path) {
      if (path == paths.rend()) {
        if (reading.unknown.empty()) reading.unknown = "no log file begins with a list of GTIDs";
        break;
      }
      auto scan = scan_file(*path, options_, false, false);
      if (!scan) {
        if (reading.unknown.empty()) reading.unknown = scan.error().message;
        return false;
      }
      read.push_back({*path, std::move(*scan)});
      const Scan& at = read.back().scan;
      if (reading.unknown.empty() && !at.trouble.empty()) reading.unknown = fmt::format("{}: {}", *path, at.trouble);
      if (reading.unknown.empty() && read.size() > 1) note_join(reading, read);
      if (at.has_list || at.encrypted) break;
      // A file that says nothing yet: the server was killed while it began it. The one before says it all.
    }
    Gtids gtids = read.back().scan.at_start;
    for (auto file = read.rbegin(); file != read.rend(); ++file) for_each_added(file->scan, gtids);
    BinlogPosition position = describe(read.front(), std::move(gtids));
    const Scan& last = read.front().scan;
    if (reading.unknown.empty()) {
      if (last.end == Scan::End::rotated)
        reading.unknown = fmt::format("{} continues in {}, which is not there", paths.back(), last.next_file);
      else if (!last.in_use && last.end != Scan::End::closed)
        reading.unknown = fmt::format("{} was closed, yet its end is missing{}{}", paths.back(),
                                      last.tail.empty() ? "" : ": ", last.tail);
      else if (last.relay_log)
        reading.unknown = paths.back() + " is a relay log";
    }
    if (reading.unknown.empty()) {
      reading.position = std::move(position);
    } else if (last.encrypted && !last.in_use && use_state_file(reading, last, position)) {
      reading.unknown.clear();
    } else if (read.back().scan.has_list) {
      reading.at_least = std::move(position);
    }
    note_purged(reading);
    return reading.position.has_value() || last.end != Scan::End::rotated;
  }

 private:
  static void for_each_added(const Scan& scan, Gtids& into) {
    for (const auto& gtid : scan.added.mariadb()) into.add(gtid);
    for (const auto& interval : scan.added.mysql()) into.add(interval);
  }

  /// The file read last is older than the one before it: does the one lead to the other?
  void note_join(BinlogReading& reading, const std::vector<FileScan>& read) {
    const FileScan& older = read.back();
    const FileScan& newer = read[read.size() - 2];
    if (older.scan.end == Scan::End::rotated && older.scan.next_file != name_of(newer.path) &&
        older.scan.next_file != newer.path)
      reading.unknown = fmt::format("{} continues in {}, not in {}", older.path, older.scan.next_file, newer.path);
    else if (older.scan.end != Scan::End::rotated && older.scan.end != Scan::End::closed && older.scan.in_use)
      reading.unknown = fmt::format("{} has no list of GTIDs, and {} has no end", newer.path, older.path);
  }

  /// A closed log whose events cannot be read may have left its state beside it.
  bool use_state_file(BinlogReading& reading, const Scan& last, BinlogPosition position) {
    if (!last.format || last.format->flavour != Flavour::mariadb) return false;
    auto state = read_state_file(reading.files);
    if (!state) return false;
    position.text = state->text();
    position.position = state->position_text();
    position.gtids = std::move(*state);
    position.clean = true;
    position.offset = last.file_size;
    position.source = "state file of the binary log";
    reading.position = std::move(position);
    return true;
  }

  void note_purged(BinlogReading& reading) {
    // The index may lag behind a purge: the first that is there counts, unless one behind it is missing too.
    const std::string& first = reading.files.paths.front();
    auto scan = scan_file(first, options_, true, false);
    if (!scan) {
      reading.purged_unknown = scan.error().message;
    } else if (!scan->has_list) {
      reading.purged_unknown =
          fmt::format("{} has no list of GTIDs{}{}", first, scan->trouble.empty() ? "" : ": ", scan->trouble);
    } else {
      reading.purged = PurgedLog{first, scan->at_start, scan->at_start.text()};
    }
  }

  const std::string& data_dir_;
  const ReadOptions& options_;
};

}  // namespace

BinlogReading read_binlog_position(const std::string& data_dir, const ReadOptions& options) {
  BinlogReading reading;
  PositionReader reader(data_dir, options);
  for (int attempt = 0; attempt < kAttempts; ++attempt) {
    if (attempt > 0) std::this_thread::sleep_for(kBetween);
    if (reader.look(reading) || options.deadline.passed() || options.stop.stop_requested()) break;
  }
  return reading;
}

namespace {

/// One connection's relay logs, into `received` and `all`; "" or why they cannot be read.
std::string read_relay_log(const LogFiles& files, const ReadOptions& options, Received& received, Gtids& all) {
  if (files.paths.empty()) return files.index + " is empty";
  if (!files.unlisted.empty()) return files.unlisted + " is not listed in " + files.index;
  for (const std::string& path : files.paths) {
    auto scan = scan_file(path, options, false, true);
    if (!scan) return scan.error().message;
    if (!scan->trouble.empty()) return path + ": " + scan->trouble;
    if (scan->format) received.flavour = scan->format->flavour;
    if (scan->format && scan->format->flavour == Flavour::mysql && scan->has_list)
      for (const auto& interval : scan->at_start.mysql()) all.add(interval);
    for (const auto& gtid : scan->added.mariadb()) all.add(gtid);
    for (const auto& interval : scan->added.mysql()) all.add(interval);
    if (&path == &files.paths.back() && !scan->tail.empty()) received.tail = scan->tail;
  }
  return "";
}

}  // namespace

stored::Known<Received> read_received(const std::string& data_dir, const ReadOptions& options) {
  using Answer = stored::Known<Received>;
  std::string why;
  for (int attempt = 0; attempt < kAttempts; ++attempt) {
    auto logs = find_relay_logs(data_dir, options.base, options.moved);
    if (!logs) return Answer::unknown(logs.error().message);
    Received received;
    why.clear();
    for (const auto& files : *logs) {
      why = read_relay_log(files, options, received, received.gtids);
      if (!why.empty()) break;
    }
    if (why.empty()) {
      // Of every server: the last of a domain says nothing of what another server wrote before it.
      received.text = received.gtids.text();
      return received;
    }
    if (options.deadline.passed() || options.stop.stop_requested()) break;
    std::this_thread::sleep_for(kBetween);
  }
  return Answer::unknown(why);
}

}  // namespace holdfast::engine::binlog

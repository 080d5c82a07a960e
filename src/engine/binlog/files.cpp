#include "engine/binlog/files.h"

#include <fmt/format.h>
#include <sys/stat.h>

#include <charconv>
#include <filesystem>

#include "engine/binlog/scan.h"
#include "engine/stored/files.h"

namespace holdfast::engine::binlog {

namespace fs = std::filesystem;

namespace {

std::unexpected<Error> bad_index(std::string why) {
  return fail(ErrorClass::failed, "binlog.index", std::move(why));
}

constexpr size_t kLargestIndex = 16 << 20;

/// Path of an entry as the server resolves it.
std::string resolve(const std::string& data_dir, const std::string& entry) {
  const fs::path path(entry);
  return (path.is_absolute() ? path : fs::path(data_dir) / path).lexically_normal().string();
}

bool same_file(const std::string& one, const std::string& other) {
  struct stat a{}, b{};
  return ::stat(one.c_str(), &a) == 0 && ::stat(other.c_str(), &b) == 0 && a.st_dev == b.st_dev && a.st_ino == b.st_ino;
}

Result<LogFiles> read_index(const std::string& data_dir, const std::string& index, bool moved) {
  const std::string text = TRY(stored::read_small(index, kLargestIndex));
  LogFiles files;
  files.index = index;
  const fs::path beside = fs::path(index).parent_path();
  if (!text.empty() && text.back() != '\n') return bad_index(index + " ends in the middle of a line");
  uint64_t previous = 0;
  for (size_t at = 0; at < text.size();) {
    const size_t end = text.find('\n', at);
    const std::string line = text.substr(at, end - at);
    at = end + 1;
    if (line.empty()) continue;
    const auto number = log_number(line);
    if (line.find('\0') != std::string::npos || !number)
      return bad_index(index + " holds a line that does not name a log file");
    if (*number <= previous && !files.paths.empty()) return bad_index(index + " is not in order");
    previous = *number;
    std::string path = resolve(data_dir, line);
    const std::string here = (beside / fs::path(line).filename()).lexically_normal().string();
    if (here != path && stored::presence(here) == stored::Presence::present && !same_file(here, path)) {
      // Another server's files must never pass for this one's, nor stale ones for those in use.
      if (!moved && stored::presence(path) != stored::Presence::absent)
        return bad_index(fmt::format("{} and {} are different files, and {} names the first", path, here, index));
      files.relocated = true;
      path = here;
    }
    files.paths.push_back(std::move(path));
  }
  if (!files.paths.empty()) {
    const fs::path last(files.paths.back());
    const std::string stem = last.stem().string() + ".";
    const auto listing = stored::list_directory(last.parent_path().string());
    if (!listing.all_names) return bad_index("the directory of its logs cannot be listed: " + listing.why);
    for (const auto& name : listing.names)
      if (name.starts_with(stem))
        if (const auto number = log_number(name); number && *number > previous)
          files.unlisted = (last.parent_path() / name).string();
  }
  return files;
}

/// Does the log's newest readable file say that it is a relay log?
std::optional<LogKind> kind_of(const LogFiles& files) {
  for (auto path = files.paths.rbegin(); path != files.paths.rend(); ++path) {
    auto source = FileSource::open(*path);
    if (!source) continue;
    uint8_t head[4 + kHeaderSize];
    const auto got = source->read(0, head);
    if (!got || *got < sizeof head) continue;
    const auto header = parse_header(ByteSpan(head).subspan(4));
    if (header && header->type == kFormatDescription)
      return header->flags & kFlagRelayLog ? LogKind::relay : LogKind::binary;
  }
  return std::nullopt;
}

/// By name, where no file of the log can be asked: relay-log names hold "relay" unless somebody chose otherwise.
LogKind kind_by_name(const std::string& index) {
  return fs::path(index).filename().string().find("relay") != std::string::npos ? LogKind::relay : LogKind::binary;
}

}  // namespace

std::optional<uint64_t> log_number(const std::string& path) {
  const size_t dot = path.rfind('.');
  if (dot == std::string::npos || dot + 1 == path.size() || path.size() - dot > 20) return std::nullopt;
  uint64_t number = 0;
  const char* const end = path.data() + path.size();
  const auto [next, error] = std::from_chars(path.data() + dot + 1, end, number);
  if (error != std::errc() || next != end) return std::nullopt;
  return number;
}

namespace {

/// Every log of that kind whose index file is in the data directory.
Result<std::vector<LogFiles>> logs_in(const std::string& data_dir, LogKind kind, bool moved) {
  const auto listing = stored::list_directory(data_dir);
  if (!listing.all_names) return bad_index(data_dir + " cannot be listed: " + listing.why);
  std::vector<LogFiles> found;
  for (const auto& name : listing.names) {
    if (name.starts_with("binlog-") && name.ends_with(".ibb") && kind == LogKind::binary)
      return bad_index("the binary log is kept inside InnoDB's own files (" + name + ")");
    if (!name.ends_with(".index")) continue;
    const std::string path = data_dir + "/" + name;
    auto files = read_index(data_dir, path, moved);
    if (!files) {
      if (kind_by_name(path) == kind) return fail(std::move(files).error());
      continue;
    }
    if (kind_of(*files).value_or(kind_by_name(path)) == kind) found.push_back(std::move(*files));
  }
  return found;
}

std::string index_of_base(const std::string& data_dir, const std::string& base) {
  fs::path index(resolve(data_dir, base));
  if (index.has_extension()) index.replace_extension();
  return index.string() + ".index";
}

Result<LogFiles> log_of_base(const std::string& data_dir, const std::string& base, bool moved) {
  const std::string path = index_of_base(data_dir, base);
  switch (stored::presence(path)) {
    case stored::Presence::present:
      return read_index(data_dir, path, moved);
    case stored::Presence::absent:
      return fail(ErrorClass::failed, "binlog.no_index", path + " does not exist");
    default:
      return bad_index(path + " cannot be looked at");
  }
}

/// Of the default connection and of named ones: relay.index, relay-reports.index.
Result<std::vector<LogFiles>> relay_logs_of_base(const std::string& data_dir, const std::string& base, bool moved) {
  const fs::path index(index_of_base(data_dir, base));
  const std::string folder = index.parent_path().string(), stem = index.stem().string();
  const auto listing = stored::list_directory(folder);
  if (!listing.all_names) return bad_index(folder + " cannot be listed: " + listing.why);
  if (listing.names.empty())
    return bad_index(folder + ", where its relay logs were, is empty: its volume may not be mounted");
  std::vector<LogFiles> found;
  for (const auto& name : listing.names) {
    const bool is_of_it = name == stem + ".index" || (name.starts_with(stem + "-") && name.ends_with(".index"));
    if (is_of_it) found.push_back(TRY(read_index(data_dir, folder + "/" + name, moved)));
  }
  return found;
}

/// MariaDB writes down how far it has applied its relay logs: where that is and they are not, they are elsewhere.
Status check_none_is_missing(const std::string& data_dir) {
  for (const auto& name : stored::list_directory(data_dir).names)
    if (name.starts_with("relay-log") && name.ends_with(".info"))
      return bad_index(data_dir + "/" + name + " names relay logs, and there are none");
  return {};
}

}  // namespace

Result<LogFiles> find_log_files(const std::string& data_dir, LogKind kind, const std::string& base, bool moved) {
  if (!base.empty()) return log_of_base(data_dir, base, moved);
  auto found = TRY(logs_in(data_dir, kind, moved));
  if (found.size() > 1) return bad_index("more than one index file: " + found[0].index + " and " + found[1].index);
  if (found.empty())
    return fail(
        ErrorClass::failed, "binlog.no_index",
        fmt::format("{} holds no index file of a {} log", data_dir, kind == LogKind::binary ? "binary" : "relay"));
  return std::move(found[0]);
}

Result<std::vector<LogFiles>> find_relay_logs(const std::string& data_dir, const std::string& base, bool moved) {
  auto found = TRY(base.empty() ? logs_in(data_dir, LogKind::relay, moved) : relay_logs_of_base(data_dir, base, moved));
  if (found.empty()) TRY_VOID(check_none_is_missing(data_dir));
  return found;
}

}  // namespace holdfast::engine::binlog

#include "engine/mysql_family_stored.h"

#include <algorithm>
#include <filesystem>

#include "codec/value.h"

namespace holdfast::engine {

namespace fs = std::filesystem;
using stored::Known;
using stored::Presence;

namespace {

std::string trimmed(std::string_view text) {
  const size_t first = text.find_first_not_of(" \t\r\n\0");
  if (first == std::string_view::npos) return {};
  return std::string(text.substr(first, text.find_last_not_of(" \t\r\n\0") - first + 1));
}

bool printable(std::string_view text) {
  return !text.empty() && text.size() < 200 && std::ranges::all_of(text, [](char c) { return c >= ' ' && c < 127; });
}

/// auto.cnf: "[auto]\nserver-uuid=...". The server reads it as an option file.
Known<std::string> read_server_uuid(const std::string& path) {
  const auto text = stored::read_small(path);
  if (!text) return Known<std::string>::unknown(text.error());
  std::string found;
  for (size_t at = 0; at < text->size();) {
    const size_t end = std::min(text->find('\n', at), text->size());
    const std::string line = trimmed(std::string_view(*text).substr(at, end - at));
    at = end + 1;
    const size_t equals = line.find('=');
    if (equals == std::string::npos) continue;
    const std::string key = trimmed(std::string_view(line).substr(0, equals));
    if (key == "server-uuid" || key == "server_uuid") found = trimmed(std::string_view(line).substr(equals + 1));
  }
  const auto uuid = binlog::parse_uuid(found);
  if (!uuid) return Known<std::string>::unknown(path + " holds no server uuid");
  return binlog::MysqlSource{*uuid, ""}.uuid_text();
}

/// mysql_upgrade_info and mariadb_upgrade_info are one line; mysql_upgrade_history (MySQL 8.4) is JSON, oldest first.
Known<std::string> read_version(const std::string& data_dir) {
  for (const char* name : {"/mariadb_upgrade_info", "/mysql_upgrade_info"}) {
    const auto text = stored::read_small(data_dir + name, 4096);
    if (text && printable(trimmed(*text))) return trimmed(*text);
  }
  const auto text = stored::read_small(data_dir + "/mysql_upgrade_history");
  if (!text) return Known<std::string>::unknown("no file names the version of its server");
  const auto value = codec::parse_value(*text);
  if (!value) return Known<std::string>::unknown("mysql_upgrade_history makes no sense");
  const codec::Value history = (*value)["upgrade_history"];
  std::string version;
  for (const auto& entry : history.items()) version = entry["version"].text();
  if (!printable(version)) return Known<std::string>::unknown("mysql_upgrade_history has no version");
  return version;
}

/// A physical copy that was never prepared holds pages of different moments.
void note_backup(const std::string& data_dir, std::vector<StoredMarker>& markers) {
  for (const char* name : {"xtrabackup_checkpoints", "mariadb_backup_checkpoints"}) {
    const std::string path = data_dir + "/" + name;
    if (stored::presence(path) == Presence::absent) continue;
    const auto text = stored::read_small(path, 4096);
    if (!text)
      markers.push_back({path, "a physical backup's state that cannot be read"});
    else if (text->find("full-prepared") == std::string::npos)
      markers.push_back({path, "a physical backup that was never prepared"});
  }
}

void find_markers(const std::string& data_dir, const std::vector<std::string>& names,
                  std::vector<StoredMarker>& markers) {
  const std::string ours = (fs::path(data_dir) / "..").lexically_normal().string() + "initialising";
  if (stored::presence(ours) == Presence::present)
    markers.push_back({ours, "the agent had not finished making this data directory"});
  note_backup(data_dir, markers);
  const auto has = [&](const char* name) { return std::ranges::binary_search(names, name); };
  if (has("#clone"))
    for (const char* name : {"#status_in_progress", "#status_error", "#status_recovery", "#status_fix"})
      if (const std::string path = data_dir + "/#clone/" + name; stored::presence(path) == Presence::present)
        if (std::string_view(name) != "#status_recovery")
          markers.push_back({path, "a clone into this data directory did not come to its end"});
}

}  // namespace

MysqlFamilyStored read_mysql_family_stored(const std::string& data_dir, const StoredOptions& options) {
  MysqlFamilyStored result;
  const auto listing = stored::list_directory(data_dir);
  const auto has = [&](const char* name) { return std::ranges::binary_search(listing.names, name); };
  result.has_innodb = has("ibdata1");
  result.has_aria = has("aria_log_control");
  result.has_system_schema = has("mysql") || has("mysql.ibd");
  result.has_redo = has("ib_logfile0") || has("#innodb_redo");
  static_cast<ContentOf&>(result) =
      judge_content(listing, {.is_ours =
                                  [&](std::vector<StoredMarker>& markers) {
                                    if (!result.has_innodb && !result.has_system_schema) return false;
                                    if (!result.has_innodb) markers.push_back({data_dir, "ibdata1 is missing"});
                                    if (!result.has_system_schema)
                                      markers.push_back({data_dir, "the system schema is missing"});
                                    return true;
                                  },
                              .not_ours = "neither ibdata1 nor the system schema is in it",
                              .find_markers = [&](auto& markers) { find_markers(data_dir, listing.names, markers); }});
  if (result.content == StoredContent::data || result.content == StoredContent::half_made) {
    result.server_uuid = read_server_uuid(data_dir + "/auto.cnf");
    result.version = read_version(data_dir);
  } else {
    const std::string why = "there is no data directory";
    result.server_uuid = result.version = Known<std::string>::unknown(why);
  }
  binlog::ReadOptions how;
  how.base = options.log_base;
  how.moved = options.moved;
  how.deadline = options.deadline;
  how.stop = options.stop;
  result.binlog = binlog::read_binlog_position(data_dir, how);
  how.base = options.relay_base;
  result.received = options.relay ? binlog::read_received(data_dir, how)
                                  : Known<binlog::Received>::unknown("the relay logs were not asked for");
  result.data_volume = stored::volume_of(data_dir);
  const auto& paths = result.binlog.files.paths;
  result.log_volume = paths.empty() ? Known<stored::Volume>::unknown("no binary log was found")
                                    : stored::volume_of(fs::path(paths.back()).parent_path().string());
  return result;
}

}  // namespace holdfast::engine

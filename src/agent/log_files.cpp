#include "agent/log_files.h"

#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>
#include <cstdio>
#include <filesystem>

#include "agent/server_files.h"
#include "engine/binlog/position.h"
#include "position/gtid_vector.h"
#include "sys/beneath.h"
#include "sys/file.h"

namespace holdfast::agent {

namespace fs = std::filesystem;
using cluster::Engine;

namespace {

/// In a directory of logs: all that belongs here is in it.
constexpr const char* kWhole = "/holdfast.whole";

std::string name_of(const std::string& path) {
  return path.substr(path.rfind('/') + 1);
}

std::string folder_of(const std::string& path) {
  return path.substr(0, path.rfind('/'));
}

bool is_there(const std::string& path) {
  struct stat info{};
  return ::lstat(path.c_str(), &info) == 0;
}

/// "bin.000007", "bin.index", "bin.state", "bin.000007.idx" of "bin": not what another server calls
/// "bin.second.000001".
bool is_of(const std::string& base, const std::string& name) {
  if (!name.starts_with(base + ".")) return false;
  std::string rest = name.substr(base.size() + 1);
  if (rest.ends_with(".idx")) rest.resize(rest.size() - std::string_view(".idx").size());
  return rest == "index" || rest == "state" || rest == "~rec~" || rest == "index_crash_safe" ||
         (!rest.empty() && rest.find_first_not_of("0123456789") == std::string::npos);
}

/// The names of a base's files in a folder, the index last: without it the others are nobody's.
Result<std::vector<std::string>> names_of(const std::string& folder, const std::string& base) {
  std::vector<std::string> found;
  std::error_code error;
  for (fs::directory_iterator it(folder, error), end; !error && it != end; it.increment(error))
    if (std::string name = it->path().filename().string(); is_of(base, name)) found.push_back(std::move(name));
  if (error) return fail(sys::errno_error(error.value(), "listing " + folder));
  std::ranges::sort(found, {}, [&](const std::string& name) { return std::pair(name == base + ".index", name); });
  return found;
}

std::vector<std::string> bases(const MemberConfig& c) {
  std::vector<std::string> all;
  if (!c.existing) return all;
  for (const auto& base : {c.existing->binlog_base, c.existing->relay_base})
    if (!base.empty()) all.push_back(base);
  return all;
}

/// Where the logs of a directory that was moved aside are.
std::string place_of(const MemberConfig& c, const std::string& base, const std::string& aside) {
  return base + aside.substr(std::min(aside.size(), c.beside("").size()));
}

Status rename_file(const std::string& from, const std::string& to) {
  if (::rename(from.c_str(), to.c_str()) != 0) return fail(sys::errno_error(errno, "rename " + from));
  return {};
}

Status move_all(const std::string& from, const std::string& to, const std::string& base) {
  for (const auto& name : TRY(names_of(from, base))) TRY_VOID(rename_file(from + "/" + name, to + "/" + name));
  TRY_VOID(sys::sync_directory(to));
  return sys::sync_directory(from);
}

/// The logs that are here now into `place`, once.
Status move_out(const std::string& base, const std::string& place) {
  if (is_there(place + kWhole)) return {};
  TRY_VOID(sys::own_directory(place, 0700, static_cast<uid_t>(-1), static_cast<gid_t>(-1)));
  TRY_VOID(move_all(folder_of(base), place, name_of(base)));
  TRY_VOID(sys::publish_file(place + kWhole, {}, 0600));
  return sys::sync_directory(folder_of(base));
}

/// MariaDB: what the copy's own binary log says of all that was ever logged. A server with an empty index takes it from
/// this file, one "domain-server-number" a line.
Status carry_state(const MemberConfig& c, const std::string& base) {
  if (c.engine == Engine::mysql) return {};
  engine::binlog::ReadOptions options;
  options.base = c.data_dir() + "/" + name_of(base);
  options.moved = true;
  if (!is_there(options.base + ".index")) return {};  // carried by an earlier try, or the copy never logged
  const auto read = engine::binlog::read_binlog_position(c.data_dir(), options);
  if (!read.position)
    return fail(ErrorClass::failed, "agent.log_files", "what the copy's binary log has cannot be read: " + read.unknown,
                "undo the operation, and repair again");
  std::string text;
  for (const auto& gtid : TRY(position::GtidState::parse(read.position->text)).entries())
    text += fmt::format("{}-{}-{}\n", gtid.domain, gtid.server, gtid.seq);
  return sys::publish_file(base + ".state", as_bytes(text), 0660);
}

/// The index first: what it still names can be read.
Status drop_among_data(const MemberConfig& c, const std::string& base) {
  const std::string data = c.data_dir();
  auto names = TRY(names_of(data, name_of(base)));
  std::ranges::reverse(names);
  for (const auto& name : names)
    if (::unlink((data + "/" + name).c_str()) != 0 && errno != ENOENT)
      return fail(sys::errno_error(errno, "remove " + data + "/" + name));
  return sys::sync_directory(data);
}

}  // namespace

LogPlaces log_places(const std::string& data_dir, const std::map<std::string, std::string>& settings) {
  LogPlaces places;
  const auto said = [&](const char* name) {
    const auto found = settings.find(name);
    const std::string is = found == settings.end() || found->second == "NULL" ? "" : found->second;
    return is.empty() || is.starts_with('/') ? is : data_dir + "/" + is;
  };
  const auto among_data = [&](const std::string& path) {
    std::error_code error;
    const std::string real = fs::weakly_canonical(folder_of(path), error).string();
    return real == data_dir || real.starts_with(data_dir + "/");
  };
  const auto take = [&](const char* base_name, const char* index_name, std::string& place) {
    const std::string base = said(base_name), index = said(index_name);
    if (base.empty()) return;
    // Neither a log whose files are in two places, nor one whose folder is called as its files are.
    if ((!index.empty() && index != base + ".index" && !(among_data(base) && among_data(index))) ||
        (!among_data(base) && folder_of(base).empty())) {
      places.unfit.push_back(fmt::format("{} = {}", base_name, base));
    } else if (!among_data(base)) {
      place = base;
    }
  };
  take("log_bin_basename", "log_bin_index", places.binlog);
  take("relay_log_basename", "relay_log_index", places.relay);
  // Named connections have relay logs of other names.
  std::error_code error;
  if (!places.relay.empty() && fs::exists(data_dir + "/multi-master.info", error) &&
      fs::file_size(data_dir + "/multi-master.info", error) > 0)
    places.unfit.push_back("relay logs of several connections, as " + places.relay);
  return places;
}

bool has_logs_elsewhere(const MemberConfig& config) {
  return !bases(config).empty();
}

std::vector<std::string> logs_among_data(const MemberConfig& config) {
  if (!config.existing || config.data_name == "data") return {};
  std::vector<std::string> arguments;
  const auto add = [&](const char* option, const std::string& base) {
    if (base.empty()) return;
    arguments.push_back(fmt::format("--{}={}", option, name_of(base)));
    arguments.push_back(fmt::format("--{}-index={}.index", option, name_of(base)));
  };
  add("log-bin", config.existing->binlog_base);
  add("relay-log", config.existing->relay_base);
  return arguments;
}

Status swap_logs(const MemberConfig& config, const std::string& aside) {
  if (!has_logs_elsewhere(config)) return {};
  const sys::ActAs as_server(server_identity(config));
  for (const auto& base : bases(config)) {
    if (!aside.empty()) {
      TRY_VOID(move_out(base, place_of(config, base, aside)));
    } else if (is_there(base + ".index")) {
      // Of a directory that is gone as a whole.
      int n = 1;
      while (is_there(fmt::format("{}.left-{}", base, n))) ++n;
      TRY_VOID(move_out(base, fmt::format("{}.left-{}", base, n)));
    }
  }
  if (const auto& base = config.existing->binlog_base; !base.empty()) TRY_VOID(carry_state(config, base));
  // It names relay logs that are not here. What was applied is in a table.
  if (!config.existing->relay_base.empty()) {
    const std::string info = config.data_dir() + "/relay-log.info";
    if (::unlink(info.c_str()) != 0 && errno != ENOENT) return fail(sys::errno_error(errno, "remove " + info));
  }
  for (const auto& base : bases(config)) TRY_VOID(drop_among_data(config, base));
  return {};
}

Status put_logs_back(const MemberConfig& config, const std::string& aside, const std::string& other) {
  const sys::ActAs as_server(server_identity(config));
  for (const auto& base : bases(config)) {
    const std::string place = place_of(config, base, aside);
    if (!is_there(place)) continue;  // back already
    // Whole: all of them are there, and what is here is the other directory's. Not whole: they are on their way back.
    if (is_there(place + kWhole)) {
      TRY_VOID(move_out(base, other.empty() ? place + ".undone" : place_of(config, base, other)));
      if (::unlink((place + kWhole).c_str()) != 0) return fail(sys::errno_error(errno, "remove " + place + kWhole));
      TRY_VOID(sys::sync_directory(place));
    }
    TRY_VOID(move_all(place, folder_of(base), name_of(base)));
    TRY_VOID(sys::remove_tree(place));
  }
  return {};
}

Status remove_logs(const MemberConfig& config, const std::string& aside) {
  const sys::ActAs as_server(server_identity(config));
  for (const auto& base : bases(config)) {
    const std::string place = place_of(config, base, aside);
    if (place == base) continue;
    TRY_VOID(sys::remove_tree(place).context("its logs in " + place));
  }
  return {};
}

Result<std::vector<std::string>> logs_of(const MemberConfig& config, const std::string& data_dir) {
  const sys::ActAs as_server(server_identity(config));
  std::vector<std::string> files;
  for (const auto& base : bases(config)) {
    const std::string place = data_dir == config.beside("") ? folder_of(base) : place_of(config, base, data_dir);
    if (!is_there(place)) continue;
    for (const auto& name : TRY(names_of(place, name_of(base)))) files.push_back(place + "/" + name);
  }
  std::ranges::sort(files);
  return files;
}

}  // namespace holdfast::agent

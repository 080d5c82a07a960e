#include "agent/log_files.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <optional>

#include "agent/server_files.h"
#include "engine/binlog/position.h"
#include "position/gtid_vector.h"
#include "sys/beneath.h"
#include "sys/file.h"

namespace holdfast::agent {

namespace fs = std::filesystem;
using cluster::Engine;

namespace {

constexpr std::string_view kDropping = ".dropping";

/// In the member's directory, until its server has started without the relay logs that its tables name.
std::string left_mark(const MemberConfig& c) {
  return c.dir + "/relay-logs-left";
}

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

Result<std::vector<std::string>> list(const std::string& folder) {
  std::vector<std::string> found;
  std::error_code error;
  for (fs::directory_iterator it(folder, error), end; !error && it != end; it.increment(error))
    found.push_back(it->path().filename().string());
  if (error) return fail(sys::errno_error(error.value(), "listing " + folder));
  std::ranges::sort(found);
  return found;
}

Result<std::vector<std::string>> names_of(const std::string& folder, const std::string& base) {
  auto found = TRY(list(folder));
  std::erase_if(found, [&](const std::string& name) { return !is_of(base, name); });
  return found;
}

std::vector<std::string> bases(const MemberConfig& c) {
  std::vector<std::string> all = {c.binlog_base(), c.relay_base()};
  std::erase(all, "");
  return all;
}

std::string place_of(const std::string& base, std::string_view suffix) {
  return base + std::string(suffix);
}

Status rename_to(const std::string& from, const std::string& to) {
  int done = ::renameat2(AT_FDCWD, from.c_str(), AT_FDCWD, to.c_str(), RENAME_NOREPLACE);
  if (done != 0 && errno == EINVAL && !is_there(to)) done = ::rename(from.c_str(), to.c_str());  // some file systems
  if (done == 0) return {};
  if (errno == EEXIST || errno == EINVAL)
    return fail(ErrorClass::needs_operator, "agent.log_files", fmt::format("{} and {} are both there", from, to),
                "a server ran while its logs were moved: look which of both is to be kept, and move the other away");
  return fail(sys::errno_error(errno, "rename " + from));
}

/// All of a base's files, each by a rename; what an earlier try has moved is there already.
Status move_all(const std::string& from, const std::string& to, const std::string& base) {
  for (const auto& name : TRY(names_of(from, base))) TRY_VOID(rename_to(from + "/" + name, to + "/" + name));
  TRY_VOID(sys::sync_directory(to));
  return sys::sync_directory(from);
}

Status remove_file(const std::string& path) {
  if (::unlink(path.c_str()) != 0 && errno != ENOENT) return fail(sys::errno_error(errno, "remove " + path));
  return {};
}

/// MariaDB's copy: what its binary log has; nullopt where it never logged, or has left its logs. Errors:
/// "agent.log_files".
Result<std::optional<engine::binlog::BinlogPosition>> read_log_of_copy(const std::string& data_dir,
                                                                       const std::string& base) {
  engine::binlog::ReadOptions options;
  options.base = data_dir + "/" + name_of(base);
  options.moved = true;
  if (!is_there(options.base + ".index")) return std::nullopt;
  auto read = engine::binlog::read_binlog_position(data_dir, options);
  if (read.position) return std::move(read.position);
  return fail(ErrorClass::failed, "agent.log_files", "what the copy's binary log has cannot be read: " + read.unknown,
              "undo the operation, and make the copy again");
}

/// All that was ever logged. A server whose index is empty takes it from this file, one "domain-server-number" a line.
Status carry_state(const MemberConfig& c, const std::string& base) {
  const auto position = TRY(read_log_of_copy(c.data_dir(), base));
  if (!position) return {};
  std::string text;
  for (const auto& gtid : TRY(position::GtidState::parse(position->text)).entries())
    text += fmt::format("{}-{}-{}\n", gtid.domain, gtid.server, gtid.seq);
  return sys::publish_file(base + ".state", as_bytes(text), 0660);
}

/// The index first: what it still names can be read.
Status drop_among_data(const MemberConfig& c, const std::string& base) {
  const std::string data = c.data_dir(), name = name_of(base);
  TRY_VOID(remove_file(data + "/" + name + ".index"));
  TRY_VOID(sys::sync_directory(data));
  for (const auto& one : TRY(names_of(data, name))) TRY_VOID(remove_file(data + "/" + one));
  return sys::sync_directory(data);
}

}  // namespace

bool has_logs_elsewhere(const MemberConfig& config) {
  return !bases(config).empty();
}

std::vector<std::string> logs_among_data(const MemberConfig& config) {
  if (config.data_name == "data") return {};
  std::vector<std::string> arguments;
  const auto add = [&](const char* option, const std::string& base) {
    if (base.empty()) return;
    arguments.push_back(fmt::format("--{}={}", option, name_of(base)));
    arguments.push_back(fmt::format("--{}-index={}.index", option, name_of(base)));
  };
  add("log-bin", config.binlog_base());
  add("relay-log", config.relay_base());
  return arguments;
}

Status check_logs_can_go(const MemberConfig& config) {
  const std::string base = config.relay_base();
  if (base.empty()) return {};
  const sys::ActAs as_server(server_identity(config));
  for (const auto& name : TRY(list(folder_of(base))))
    if (name.starts_with(name_of(base) + "-") && name.ends_with(".index"))
      return fail(ErrorClass::refused, "agent.data_elsewhere",
                  fmt::format("the data of {} cannot be replaced: {}/{} belongs to a named replication connection, and "
                              "is not in its data directory",
                              config.member, folder_of(base), name),
                  "move its relay logs into the data directory (relay_log), restart the server, then: holdfast agent "
                  "adopt");
  return {};
}

Status check_logs_of_copy(const MemberConfig& config, const std::string& data_dir) {
  if (config.engine != Engine::mariadb || config.binlog_base().empty()) return {};
  const sys::ActAs as_server(server_identity(config));
  const auto position = TRY(read_log_of_copy(data_dir, config.binlog_base()));
  if (!position || position->clean) return {};
  return fail(ErrorClass::failed, "agent.log_files",
              "the copy's server was killed: its last transactions may need its binary log", "make the copy again");
}

bool has_logs(const MemberConfig& config, std::string_view suffix) {
  const sys::ActAs as_server(server_identity(config));
  return std::ranges::any_of(bases(config), [&](const auto& base) { return is_there(place_of(base, suffix)); });
}

Status move_logs_out(const MemberConfig& config, std::string_view suffix) {
  const sys::ActAs as_server(server_identity(config));
  for (const auto& base : bases(config)) {
    if (TRY(names_of(folder_of(base), name_of(base))).empty()) continue;
    const std::string place = place_of(base, suffix);
    TRY_VOID(sys::own_directory(place, 0700, static_cast<uid_t>(-1), static_cast<gid_t>(-1)));
    TRY_VOID(move_all(folder_of(base), place, name_of(base)));
  }
  return {};
}

Status move_logs_back(const MemberConfig& config, std::string_view suffix) {
  forget_left_logs(config);
  const sys::ActAs as_server(server_identity(config));
  for (const auto& base : bases(config)) {
    const std::string place = place_of(base, suffix);
    if (!is_there(place)) continue;
    TRY_VOID(move_all(place, folder_of(base), name_of(base)));
    if (const auto left = TRY(list(place)); !left.empty())
      return fail(ErrorClass::needs_operator, "agent.log_files", fmt::format("{} is in {}", left.front(), place),
                  "it is not a log of this server: move it away");
    TRY_VOID(sys::remove_tree(place));
  }
  return {};
}

Status leave_logs_of_copy(const MemberConfig& config) {
  if (!has_logs_elsewhere(config) || config.data_name != "data") return {};
  if (config.engine == Engine::mysql && !config.relay_base().empty())
    TRY_VOID(sys::publish_file(left_mark(config), {}, 0600));
  const sys::ActAs as_server(server_identity(config));
  if (config.engine == Engine::mariadb && !config.binlog_base().empty())
    TRY_VOID(carry_state(config, config.binlog_base()));
  // It names relay logs that are not here. What was applied is in a table.
  if (!config.relay_base().empty()) TRY_VOID(remove_file(config.data_dir() + "/relay-log.info"));
  for (const auto& base : bases(config)) TRY_VOID(drop_among_data(config, base));
  return {};
}

std::vector<std::string> after_leaving_logs(const MemberConfig& config) {
  if (!is_there(left_mark(config)) || config.data_name != "data") return {};
  return {"--relay-log-recovery=ON"};
}

void forget_left_logs(const MemberConfig& config) {
  ::unlink(left_mark(config).c_str());
}

Status remove_logs_here(const MemberConfig& config) {
  const sys::ActAs as_server(server_identity(config));
  for (const auto& base : bases(config))
    for (const auto& name : TRY(names_of(folder_of(base), name_of(base))))
      TRY_VOID(remove_file(folder_of(base) + "/" + name));
  return {};
}

Status remove_logs(const MemberConfig& config, std::string_view suffix) {
  if (suffix.empty()) return {};
  const sys::ActAs as_server(server_identity(config));
  for (const auto& base : bases(config)) {
    const std::string place = place_of(base, suffix);
    if (!is_there(place)) continue;
    const std::string dropping = place_of(base, kDropping) + std::string(suffix);
    TRY_VOID(rename_to(place, dropping));
    TRY_VOID(sys::sync_directory(folder_of(base)));
    TRY_VOID(sys::remove_tree(dropping).context("its logs in " + dropping));
  }
  return {};
}

std::vector<std::string> dropping_logs(const MemberConfig& config) {
  const sys::ActAs as_server(server_identity(config));
  std::vector<std::string> found;
  for (const auto& base : bases(config))
    if (const auto names = list(folder_of(base)))
      for (const auto& name : *names)
        if (name.starts_with(name_of(base) + std::string(kDropping) + "."))
          found.push_back(folder_of(base) + "/" + name);
  return found;
}

Result<std::vector<std::string>> logs_of(const MemberConfig& config, const std::string& data_dir) {
  const sys::ActAs as_server(server_identity(config));
  std::vector<std::string> files;
  const std::string main = config.beside("");
  for (const auto& base : bases(config)) {
    const std::string suffix = data_dir.starts_with(main) ? data_dir.substr(main.size()) : "";
    const std::string folder = data_dir == main ? folder_of(base) : place_of(base, suffix);
    if (!is_there(folder)) continue;
    for (const auto& name : TRY(names_of(folder, name_of(base)))) files.push_back(folder + "/" + name);
  }
  std::ranges::sort(files);
  return files;
}

}  // namespace holdfast::agent

#include "engine/stored/parts.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <set>
#include <string_view>
#include <thread>

#include "engine/stored/files.h"
#include "sys/file.h"

namespace holdfast::engine {

namespace fs = std::filesystem;
using cluster::Engine;
using stored::Presence;

namespace {

constexpr size_t kMost = 16;
constexpr std::chrono::milliseconds kBetween(300);
constexpr off_t kControlFile = 512;  ///< what a server writes of it in one go; the file is padded to more

bool absent(const std::string& path) {
  return stored::presence(path) == Presence::absent;
}

void of_postgres(const std::string& dir, std::set<std::string>& missing) {
  for (const char* part : {"PG_VERSION", "base", "global", "global/pg_control", "global/pg_filenode.map", "pg_wal",
                           "pg_xact", "pg_multixact/members", "pg_multixact/offsets", "pg_subtrans", "pg_notify",
                           "pg_tblspc", "pg_twophase", "pg_replslot", "pg_logical/snapshots", "pg_logical/mappings"})
    if (absent(dir + "/" + part)) missing.insert(part);
  for (const char* part : {"base", "pg_xact"})
    if (stored::list_directory(dir + "/" + part).kind == stored::DirectoryState::Kind::empty)
      missing.insert(fmt::format("{}/*", part));
  struct stat info{};
  if (::lstat((dir + "/global/pg_control").c_str(), &info) == 0 && S_ISREG(info.st_mode) && info.st_size < kControlFile)
    missing.insert("global/pg_control");
}

void of_innodb(Engine engine, const std::string& dir, std::set<std::string>& missing) {
  for (const char* part : {"ibdata1", "mysql"})
    if (absent(dir + "/" + part)) missing.insert(part);
  const bool mysql = engine == Engine::mysql;
  // Without its undo logs MySQL starts: what was uncommitted stays in the tables. MariaDB without this file starts
  // once.
  for (const char* part : {"mysql.ibd", "undo_001", "undo_002"})
    if (mysql && absent(dir + "/" + part)) missing.insert(part);
  if (!mysql && absent(dir + "/aria_log_control")) missing.insert("aria_log_control");
  // MySQL kept its redo log there before 8.0.30.
  if (absent(dir + "/ib_logfile0") && (!mysql || absent(dir + "/#innodb_redo")))
    missing.insert(mysql ? "#innodb_redo" : "ib_logfile0");
}

/// "binlog.index", where binary logs are there and it is not.
void indexes_of_logs(const std::string& dir, std::set<std::string>& missing) {
  constexpr std::string_view kMagic =
      "\xfe"
      "bin";
  std::error_code error;
  for (fs::directory_iterator it(dir, error), end; !error && it != end; it.increment(error)) {
    const std::string name = it->path().filename().string();
    const size_t dot = name.rfind('.');
    if (dot == 0 || dot == std::string::npos || name.size() < dot + 7 || name.find("relay") != std::string::npos ||
        name.find_first_not_of("0123456789", dot + 1) != std::string::npos)
      continue;
    char begin[4] = {};
    const auto file = sys::open_file(it->path().string(), O_RDONLY | O_NOFOLLOW);
    if (!file || ::pread(file->get(), begin, sizeof begin, 0) != sizeof begin) continue;
    const std::string index = name.substr(0, dot) + ".index";
    if (std::string_view(begin, sizeof begin) == kMagic && absent(dir + "/" + index)) missing.insert(index);
  }
}

/// Not what comes and goes while a server works: temporary and intermediate tables, relay logs.
bool is_kept(const std::string& file) {
  const std::string name = fs::path(file).filename().string();
  if (name.starts_with("#sql") || name.starts_with("ibtmp") || file.find("relay") != std::string::npos ||
      file.starts_with("#innodb_temp") || name.ends_with("_tmp") || name.find("~rec~") != std::string::npos)
    return false;
  for (const std::string_view start : {"ibdata", "ib_logfile", "#ib_redo", "undo", "aria_log"})
    if (name.starts_with(start)) return true;
  for (const std::string_view end : {".ibd", ".ibu", ".MAI", ".MAD", ".MYI", ".MYD", ".index"})
    if (name.ends_with(end)) return true;
  return false;
}

/// Files that the process has open, and that no name leads to any more.
void deleted_and_open(pid_t pid, const std::string& dir, std::set<std::string>& missing) {
  constexpr std::string_view kDeleted = " (deleted)";
  std::error_code error;
  const std::string below = fs::canonical(dir, error).string() + "/";
  if (error) return;
  for (fs::directory_iterator it(fmt::format("/proc/{}/fd", pid), error), end; !error && it != end;
       it.increment(error)) {
    std::error_code gone;
    std::string target = fs::read_symlink(it->path(), gone).string();
    if (gone || !target.starts_with(below) || !target.ends_with(kDeleted)) continue;
    target.resize(target.size() - kDeleted.size());
    if (is_kept(target.substr(below.size())) && absent(target)) missing.insert(target.substr(below.size()));
  }
}

std::set<std::string> look(Engine engine, const std::string& dir, pid_t pid) {
  std::set<std::string> missing;
  const auto kind = stored::list_directory(dir).kind;
  const bool there = kind == stored::DirectoryState::Kind::populated;
  const bool gone = kind == stored::DirectoryState::Kind::missing || kind == stored::DirectoryState::Kind::empty;
  if (!there && !(gone && pid > 0)) return missing;
  if (engine == Engine::postgres)
    of_postgres(dir, missing);
  else
    of_innodb(engine, dir, missing);
  if (engine != Engine::postgres && pid <= 0) indexes_of_logs(dir, missing);
  // A start writes another one: of a stopped server nothing is lost by it that was not lost before.
  if (engine == Engine::mysql && pid > 0 && there && absent(dir + "/auto.cnf")) missing.insert("auto.cnf");
  if (pid > 0 && engine != Engine::postgres) deleted_and_open(pid, dir, missing);
  return missing;
}

}  // namespace

std::vector<std::string> missing_parts(Engine engine, const std::string& data_dir, pid_t pid) {
  const auto first = look(engine, data_dir, pid);
  if (first.empty()) return {};
  std::this_thread::sleep_for(kBetween);
  const auto second = look(engine, data_dir, pid);
  std::vector<std::string> parts;
  std::ranges::set_intersection(first, second, std::back_inserter(parts));
  if (parts.size() > kMost) parts.resize(kMost);
  return parts;
}

}  // namespace holdfast::engine

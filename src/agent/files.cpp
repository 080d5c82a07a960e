#include "agent/files.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>

#include "agent/server_files.h"
#include "sys/file.h"

namespace holdfast::agent {

namespace {

/// Name -> path. Configuration files are left out: they may hold passwords.
std::vector<std::pair<std::string, std::string>> known_files(const MemberConfig& c) {
  std::vector<std::pair<std::string, std::string>> files = {{"server.log", c.log_file()},
                                                            {"agent.log", c.dir + "/agent.log"}};
  auto data = [&](const char* name) { files.emplace_back(name, c.data_dir() + "/" + name); };
  switch (c.engine) {
    case cluster::Engine::galera:
      data("grastate.dat");
      data("gvwstate.dat");
      files.emplace_back("recover.log", c.dir + "/log/recover.log");
      [[fallthrough]];
    case cluster::Engine::mariadb:
      data("mysql_upgrade_info");
      data("mariadb_upgrade_info");  // 11.0 and later
      data("binlog.index");
      data("binlog.state");
      data("relay-log.info");
      break;
    case cluster::Engine::mysql:
      data("auto.cnf");
      data("binlog.index");
      files.emplace_back("initialise.log", c.dir + "/log/initialise.log");
      break;
    case cluster::Engine::postgres:
      data("PG_VERSION");
      data("standby.signal");
      data("recovery.signal");
      data("backup_label");
      data("postmaster.pid");
      data("postmaster.opts");
      break;
  }
  return files;
}

/// All but the agent's own log lie in directories of the server's user.
std::optional<sys::Identity> owner_of(const MemberConfig& config, const std::string& name) {
  return name == "agent.log" ? std::nullopt : server_identity(config);
}

}  // namespace

codec::Value list_files(const MemberConfig& config) {
  codec::Value result{codec::Value::List()};
  for (const auto& [name, path] : known_files(config)) {
    const sys::ActAs as_server(owner_of(config, name));
    struct stat info{};
    if (::stat(path.c_str(), &info) == 0) result.push(codec::Value::object({{"name", name}, {"size", info.st_size}}));
  }
  return result;
}

Result<codec::Value> read_named_file(const MemberConfig& config, const std::string& name, uint64_t offset,
                                     uint64_t limit, uint64_t tail) {
  std::string names;
  for (const auto& [known, path] : known_files(config)) {
    names += (names.empty() ? "" : ", ") + known;
    if (known != name) continue;
    // The server's user owns the folder: no link may lead a root agent elsewhere, no fifo may hold it.
    const sys::ActAs as_owner(owner_of(config, name));
    sys::Fd fd = TRY(sys::open_file(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK));
    struct stat info{};
    if (::fstat(fd.get(), &info) != 0 || !S_ISREG(info.st_mode))
      return fail(ErrorClass::refused, "agent.no_file", name + " is not a regular file");
    const auto size = static_cast<uint64_t>(info.st_size);
    limit = std::min<uint64_t>(limit ? limit : 64 << 10, 1 << 20);
    if (tail) {
      tail = std::min(tail, std::min<uint64_t>(size, 1 << 20));
      offset = size - tail;
      limit = tail;
    }
    std::string text(limit, '\0');
    ssize_t got = limit ? ::pread(fd.get(), text.data(), text.size(), static_cast<off_t>(offset)) : 0;
    if (got < 0) return fail(sys::errno_error(errno, "read " + path));
    text.resize(static_cast<size_t>(got));
    return codec::Value::object(
        {{"name", name}, {"size", size}, {"offset", offset}, {"nextOffset", offset + text.size()}, {"text", text}});
  }
  return fail(ErrorClass::usage, "agent.no_file", "there is no file named " + name, "one of: " + names);
}

}  // namespace holdfast::agent

#include "agent/launch.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>
#include <sstream>

#include "agent/data_dir.h"
#include "agent/dir_users.h"
#include "sql/mariadb.h"
#include "sql/postgres.h"
#include "sys/file.h"

namespace holdfast::agent {

namespace fs = std::filesystem;
using cluster::Engine;

std::optional<sys::Identity> server_identity(const MemberConfig& config) {
  if (config.uid == ::geteuid() && config.gid == ::getegid()) return std::nullopt;
  return sys::Identity{config.uid, config.gid, {}};
}

namespace detail {

Status make_server_dir(const MemberConfig& config, const std::string& path, unsigned mode) {
  TRY_VOID(sys::make_directories(path, mode));
  if (::chmod(path.c_str(), mode) != 0) return fail(sys::errno_error(errno, "chmod " + path));
  if (server_identity(config) && ::chown(path.c_str(), config.uid, config.gid) != 0)
    return fail(sys::errno_error(errno, "chown " + path));
  return {};
}

Result<std::string> write_etc(const MemberConfig& config, const std::string& name, const std::string& body) {
  TRY_VOID(sys::make_directories(config.etc_dir(), 0755));
  std::string path = config.etc_dir() + "/" + name;
  // Ours to write, the server's to read: it must not be able to change how it is started.
  TRY_VOID(sys::publish_file(path, as_bytes(body), 0600));
  if (server_identity(config)) {
    if (::chown(path.c_str(), config.uid, config.gid) != 0) return fail(sys::errno_error(errno, "chown " + path));
    if (::chmod(path.c_str(), 0400) != 0) return fail(sys::errno_error(errno, "chmod " + path));
  }
  return path;
}

sys::Command base_command(const MemberConfig& config, std::vector<std::string> argv) {
  sys::Command command;
  command.argv = std::move(argv);
  command.cwd = config.dir;
  command.identity = server_identity(config);
  command.clear_env = true;
  command.env = {{"PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"},
                 {"LC_ALL", "C.UTF-8"},
                 {"HOME", config.dir},
                 {"TZ", "UTC"}};
  command.new_session = true;
  command.die_with_parent = SIGKILL;
  command.umask = 0027;
  return command;
}

Result<std::string> mysql_accounts(const MemberConfig& config) {
  const std::string admin = TRY(read_password(config.admin_password_file));
  const std::string replication = TRY(read_password(config.replication_password_file));
  std::string sql;
  for (const char* host : {"localhost", "%"}) {
    sql += fmt::format("CREATE USER '{}'@'{}' IDENTIFIED BY {};\n", config.admin_user, host, sql::quote_mysql(admin));
    sql += fmt::format("GRANT ALL PRIVILEGES ON *.* TO '{}'@'{}' WITH GRANT OPTION;\n", config.admin_user, host);
  }
  sql +=
      fmt::format("CREATE USER '{}'@'%' IDENTIFIED BY {};\n", config.replication_user, sql::quote_mysql(replication));
  sql += fmt::format("GRANT REPLICATION SLAVE ON *.* TO '{}'@'%';\n", config.replication_user);
  return sql;
}

}  // namespace detail

Result<sys::Command> prepare_launch(const MemberConfig& config, const LaunchOptions& options) {
  TRY_VOID(detail::make_server_dir(config, config.dir + "/log", 0750));
  // Of its own: a starting mariadbd deletes every #sql file in its temporary folder, also those of other servers.
  TRY_VOID(detail::make_server_dir(config, config.tmp_dir(), 0700));
  switch (config.engine) {
    case Engine::mysql:
      return detail::launch_mysql(config, options);
    case Engine::postgres:
      return detail::launch_postgres(config, options);
    default:
      return detail::launch_mariadb(config, options);
  }
}

Status initialise_empty(const MemberConfig& config, Deadline deadline, std::stop_token stop) {
  return make_data_dir(config, [&]() -> Status {
    switch (config.engine) {
      case Engine::mysql:
        return detail::initialise_mysql(config, deadline, stop);
      case Engine::postgres:
        return detail::initialise_postgres(config, deadline, stop);
      default:
        return detail::initialise_mariadb(config, deadline, stop);
    }
  });
}

namespace detail {

Status copy_files(const MemberConfig& config, const std::string& from, Deadline deadline, std::stop_token stop) {
  sys::Command copy;
  copy.argv = {"/bin/cp", "-a", "--reflink=auto", "--sparse=auto", "-T", from, config.data_dir()};
  copy.die_with_parent = SIGKILL;  // the next one removes what it made and begins anew
  TRY(sys::run_ok(copy, deadline, stop));
  std::error_code ignored;
  for (const char* name : {"auto.cnf", "postmaster.pid", "postmaster.opts"})
    fs::remove(config.data_dir() + "/" + name, ignored);
  return give_to_server(config, deadline, stop);
}

Status give_to_server(const MemberConfig& config, Deadline deadline, std::stop_token stop) {
  if (!server_identity(config)) return {};
  sys::Command chown;
  chown.argv = {"/bin/chown", "-R", "-h", fmt::format("{}:{}", config.uid, config.gid), config.data_dir()};
  TRY(sys::run_ok(chown, deadline, stop));
  return {};
}

}  // namespace detail

Status initialise_copy(const MemberConfig& config, const std::string& from, Deadline deadline, std::stop_token stop) {
  return make_data_dir(config, [&] { return detail::copy_files(config, from, deadline, stop); });
}

Status probe_ready(const MemberConfig& config, Deadline deadline) {
  sql::Target target;
  target.socket = config.server_socket();
  target.user = config.admin_user;
  target.password = Secret(TRY(read_password(config.admin_password_file)));
  target.app_name = "holdfast-agent";
  if (config.engine == Engine::postgres) {
    auto connection = TRY(sql::PostgresConnection::connect(target, deadline));
    TRY(connection.query("SELECT 1", deadline));
    return {};
  }
  auto connection = TRY(sql::MariadbConnection::connect(target, deadline));
  if (config.engine == Engine::galera) {
    auto rows = TRY(connection.query("SHOW GLOBAL STATUS LIKE 'wsrep_ready'", deadline));
    auto provider = TRY(connection.query("SELECT @@wsrep_on AS is_on", deadline));
    if (provider.text("is_on") == "1" && rows.text("Value") != "ON")
      return fail(ErrorClass::unavailable, "agent.not_ready", "the node is not yet part of a primary component");
  } else {
    TRY(connection.query("SELECT 1", deadline));
  }
  return {};
}

int stop_signal(Engine engine) {
  return engine == Engine::postgres ? SIGINT : SIGTERM;
}

Status clear_stale(const MemberConfig& config) {
  TRY_VOID(wait_until_unused(config));
  std::error_code ignored;
  for (const auto& path : {config.server_socket(), config.server_socket() + ".lock", config.pid_file(),
                           config.data_dir() + "/postmaster.pid"})
    fs::remove(path, ignored);
  return {};
}

}  // namespace holdfast::agent

#include "agent/launch.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>
#include <sstream>

#include "agent/copy.h"
#include "agent/data_dir.h"
#include "agent/dir_users.h"
#include "sql/mariadb.h"
#include "sql/postgres.h"
#include "sys/beneath.h"
#include "sys/file.h"

namespace holdfast::agent {

namespace fs = std::filesystem;
using cluster::Engine;

namespace detail {

Status make_server_dir(const MemberConfig& config, const std::string& path, unsigned mode) {
  const bool other = server_identity(config).has_value();
  const sys::ActAs as_owner(path.starts_with(config.beside("")) ? beside_identity(config) : std::nullopt);
  return sys::own_directory(path, mode, other ? config.uid : static_cast<uid_t>(-1), config.gid);
}

Result<std::string> write_etc(const MemberConfig& config, const std::string& name, std::string_view body) {
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
                 {"HOME", config.dir}};
  // What an existing server makes of times is not to depend on who starts it.
  if (!config.existing || !config.existing->time_zone.empty())
    command.env.push_back({"TZ", config.existing ? config.existing->time_zone : "UTC"});
  command.new_session = true;
  command.die_with_parent = SIGKILL;
  command.umask = 0027;
  return command;
}

Result<Secret> mysql_accounts(const MemberConfig& config) {
  Secret sql;
  const auto create = [&](const std::string& user, const char* host, const Secret& password) {
    sql.append(fmt::format("CREATE USER '{}'@'{}' IDENTIFIED BY ", user, host)).append(password).append(";\n");
  };
  // A server that stands alone is asked by its socket: nobody else is to sign in, least of all an administrator.
  const bool alone = config.replication == cluster::ReplicationMode::standalone && config.peers.empty();
  // Without a password it is root, whom the server lets in by the kernel's word.
  if (!config.admin_password_file.empty()) {
    const Secret admin = sql::quote_mysql(TRY(read_password(config.admin_password_file)));
    for (const char* host : {"localhost", "%"}) {
      if (alone && std::string_view(host) == "%") continue;
      create(config.admin_user, host, admin);
      sql.append(fmt::format("GRANT ALL PRIVILEGES ON *.* TO '{}'@'{}' WITH GRANT OPTION;\n", config.admin_user, host));
    }
  }
  if (alone || config.replication_user.empty()) return sql;
  create(config.replication_user, "%", sql::quote_mysql(TRY(read_password(config.replication_password_file))));
  sql.append(fmt::format("GRANT REPLICATION SLAVE ON *.* TO '{}'@'%';\n", config.replication_user));
  return sql;
}

}  // namespace detail

Result<sys::Command> prepare_launch(const MemberConfig& config, const LaunchOptions& options) {
  TRY_VOID(detail::make_server_dir(config, config.dir + "/log", 0750));
  // Of its own: a starting mariadbd deletes every #sql file in its temporary folder, also those of other servers.
  TRY_VOID(detail::make_server_dir(config, config.tmp_dir(), 0700));
  if (config.existing) return detail::launch_existing(config, options);
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
  // As the one whose files they are, who can read nothing else; then they are given to the member's server.
  MemberConfig owner = config;
  struct stat info{};
  if (::lstat(from.c_str(), &info) != 0) return fail(sys::errno_error(errno, "stat " + from));
  if (server_identity(config)) {
    owner.uid = info.st_uid;
    owner.gid = info.st_uid == config.uid ? config.gid : info.st_gid;
    TRY_VOID(make_server_dir(owner, config.data_dir(), 0700));
  }
  // die_with_parent: the next one removes what it made and begins anew.
  auto copy = base_command(owner, {"/bin/cp", "-a", "--no-preserve=ownership", "--reflink=auto", "--sparse=auto", "-T",
                                   from, config.data_dir()});
  copy.umask = 0077;
  TRY(sys::run_ok(std::move(copy), deadline, stop));
  if (server_identity(config)) TRY_VOID(sys::give_tree(config.data_dir(), owner.uid, config.uid, config.gid));
  const sys::ActAs as_server(server_identity(config));
  std::error_code ignored;
  for (const char* name : {"auto.cnf", "postmaster.pid", "postmaster.opts"})
    fs::remove(config.data_dir() + "/" + name, ignored);
  return {};
}

}  // namespace detail

Status initialise_copy(const MemberConfig& config, const std::string& from, Deadline deadline, std::stop_token stop) {
  return make_data_dir(config, [&] { return detail::copy_files(config, from, deadline, stop); });
}

Status probe_ready(const MemberConfig& config, Deadline deadline) {
  const sql::Target target = TRY(detail::admin_target(config));
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

bool takes_connections(const MemberConfig& config, Deadline deadline) {
  const auto probed = probe_ready(config, deadline);
  return probed || probed.error().id == "agent.not_ready" || probed.error().id == "sql.denied" ||
         probed.error().id == "sql.error";
}

int stop_signal(Engine engine) {
  return engine == Engine::postgres ? SIGINT : SIGTERM;
}

Status clear_stale(const MemberConfig& config) {
  TRY_VOID(wait_until_unused(config));
  // Only called while no server of this member runs (the agent holds the member's lock): every such file is stale.
  const sys::ActAs as_server(server_identity(config));
  std::error_code ignored;
  // A unit clears up behind its own server, in directories that may be others' too.
  if (config.existing && config.work.empty() && !config.apart) return {};
  for (const auto& path : {config.server_socket(), config.server_socket() + ".lock", config.pid_file(),
                           config.data_dir() + "/postmaster.pid"})
    fs::remove(path, ignored);
  return {};
}

}  // namespace holdfast::agent

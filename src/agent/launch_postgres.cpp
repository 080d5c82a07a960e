// PostgreSQL with streaming replication.
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <sstream>

#include "agent/data_dir.h"
#include "agent/launch.h"
#include "agent/wal_dir.h"
#include "engine/private_files.h"
#include "engine/programs.h"
#include "sql/postgres.h"
#include "sql/rows.h"
#include "sys/file.h"

namespace holdfast::agent {

namespace fs = std::filesystem;

namespace {

std::string tool(const MemberConfig& c, const char* name) {
  return (fs::path(c.server_program).parent_path() / name).string();
}

/// Connection to the upstream, with the password in a file of its own.
Result<std::string> upstream_conninfo(const MemberConfig& c) {
  const Peer* upstream = c.find_peer(c.upstream);
  if (!upstream) return fail(ErrorClass::bug, "agent.config", "a replica without an upstream: " + c.member);
  const std::string passfile = TRY(detail::write_etc(c, "pgpass", TRY(detail::replication_passfile(c)).reveal()));
  return detail::replication_conninfo(c, upstream->host, upstream->port, passfile);
}

/// Recovery refuses tablespaces that are directories of the data directory, unless it is started with an option for
/// them.
bool has_in_place_tablespaces(const MemberConfig& c) {
  std::error_code error;
  for (fs::directory_iterator it(c.data_dir() + "/pg_tblspc", error), end; !error && it != end; it.increment(error)) {
    if (it->symlink_status(error).type() == fs::file_type::directory) return true;
  }
  return false;
}

Result<std::string> server_config(const MemberConfig& c, StartMode mode) {
  std::string text = fmt::format(
      "listen_addresses = {listen}\nport = {port}\nunix_socket_directories = {sockets}\nunix_socket_permissions = "
      "0777\n"
      "hba_file = {hba}\nident_file = {ident}\nexternal_pid_file = {pid}\n"
      "logging_collector = off\nlog_line_prefix = '%m [%p] %q%u@%d '\nlog_timezone = 'UTC'\ntimezone = 'UTC'\n"
      "max_connections = 100\nshared_buffers = 48MB\nwork_mem = 4MB\nmaintenance_work_mem = 32MB\n"
      "wal_level = replica\nmax_wal_senders = 10\nmax_replication_slots = 10\nwal_keep_size = 64MB\nmax_wal_size = "
      "256MB\n"
      // Memory under a name in /dev/shm outlives a server that is killed, and is 64 MB in a container.
      "dynamic_shared_memory_type = mmap\n"
      "min_wal_size = 48MB\nmax_slot_wal_keep_size = 2GB\nwal_log_hints = on\nhot_standby = on\n"
      "password_encryption = 'scram-sha-256'\ncluster_name = {member}\n",
      fmt::arg("listen", mode == StartMode::isolated ? "''" : detail::postgres_setting(c.host)),
      fmt::arg("port", c.port), fmt::arg("sockets", detail::postgres_setting(c.socket_dir)),
      fmt::arg("hba", detail::postgres_setting(c.etc_dir() + "/pg_hba.conf")),
      fmt::arg("ident", detail::postgres_setting(c.etc_dir() + "/pg_ident.conf")),
      fmt::arg("pid", detail::postgres_setting(c.pid_file())), fmt::arg("member", detail::postgres_setting(c.member)));
  if (has_in_place_tablespaces(c)) text += "allow_in_place_tablespaces = on\n";
  if (c.role == Role::replica && mode == StartMode::normal)
    text += fmt::format("primary_conninfo = {}\nprimary_slot_name = {}\n",
                        detail::postgres_setting(TRY(upstream_conninfo(c))), detail::postgres_setting(c.slot_name()));
  return text;
}

}  // namespace

namespace detail {

std::string postgres_setting(std::string_view text) {
  std::string result = "'";
  for (const char ch : text) {
    if (ch == '\'' || ch == '\\') result += ch;
    result += ch;
  }
  return result + "'";
}

Result<std::string> replication_conninfo(const MemberConfig& c, const std::string& host, int port,
                                         const std::string& passfile) {
  sql::Target target;
  target.host = host;
  target.port = port;
  target.plain_text = c.plain_text;
  target.user = c.replication_user;
  target.app_name = c.member;
  return TRY(engine::postgres_conninfo(target, passfile, "")) + " connect_timeout=5";
}

Result<Secret> replication_passfile(const MemberConfig& c) {
  sql::Target target;
  target.user = c.replication_user;
  target.password = TRY(read_password(c.replication_password_file));
  return engine::postgres_password_file(target);
}

namespace {

Status publish_in_data(const MemberConfig& c, const char* name, ByteSpan body) {
  const sys::ActAs as_server(server_identity(c));
  return sys::publish_file(c.data_dir() + "/" + name, body, 0600);
}

}  // namespace

Status become_standby(const MemberConfig& c) {
  // Without the signal a start would end recovery and begin a history of its own.
  TRY_VOID(publish_in_data(c, "standby.signal", {}));
  const auto text = read_as_server(c, c.data_dir() + "/postgresql.auto.conf");
  if (!text) return {};
  // What stands there wins over our own file.
  std::string kept;
  std::istringstream lines(*text);
  for (std::string line; std::getline(lines, line);)
    if (!line.starts_with("primary_") && !line.starts_with("recovery_") && !line.starts_with("restore_command"))
      kept += line + "\n";
  return publish_in_data(c, "postgresql.auto.conf", as_bytes(kept));
}

Result<sys::Command> launch_postgres(const MemberConfig& c, const LaunchOptions& options) {
  const std::string file = TRY(write_etc(c, "postgresql.conf", TRY(server_config(c, options.mode))));
  // On a host of its own: who is on the same network.
  const char* from = c.net_namespace.empty() ? "127.0.0.0/8" : "samenet";
  TRY(write_etc(c, "pg_hba.conf",
                fmt::format("local all all scram-sha-256\nlocal replication all scram-sha-256\n"
                            "host all all {0} scram-sha-256\nhost replication all {0} scram-sha-256\n",
                            from)));
  TRY(write_etc(c, "pg_ident.conf", ""));
  // A copy made by hand, or a mount, leaves it open to others, and the server refuses to run on it.
  struct stat info{};
  if (::stat(c.data_dir().c_str(), &info) == 0 && (info.st_mode & 027) != 0 && ::chmod(c.data_dir().c_str(), 0700) != 0)
    return fail(sys::errno_error(errno, "chmod " + c.data_dir()));
  const std::string standby = c.data_dir() + "/standby.signal";
  std::error_code ignored;
  if (c.role == Role::replica && options.mode == StartMode::normal) {
    TRY_VOID(publish_in_data(c, "standby.signal", {}));
  } else if (c.role == Role::primary) {
    const sys::ActAs as_server(server_identity(c));
    fs::remove(standby, ignored);
  }
  std::vector<std::string> argv = {c.server_program, "-D", c.data_dir(), "-c", "config_file=" + file};
  argv.insert(argv.end(), options.extra_args.begin(), options.extra_args.end());
  auto command = base_command(c, std::move(argv));
  command.umask = 0077;
  return command;
}

Status initialise_postgres(const MemberConfig& c, Deadline deadline, std::stop_token stop) {
  auto command =
      base_command(c, {tool(c, "initdb"), "-D", c.data_dir(), "-U", c.admin_user, "--data-checksums", "-E", "UTF8",
                       "--locale=C.UTF-8", "--no-sync", "--no-instructions", "--auth-host=scram-sha-256"});
  command.umask = 0077;
  if (const std::string wal = TRY(make_wal_dir(c)); !wal.empty()) command.argv.push_back("--waldir=" + wal);
  // Without a password it is the user that the server lets in by the kernel's word.
  const bool by_peer = c.admin_password_file.empty();
  command.argv.emplace_back(by_peer ? "--auth-local=peer" : "--auth-local=scram-sha-256");
  if (!by_peer) {
    auto password = TRY(read_password(c.admin_password_file));
    command.argv.push_back("--pwfile=" + TRY(write_etc(c, "initdb.password", password.append("\n").reveal())));
  }
  auto made = sys::run_ok(std::move(command), deadline, stop);
  if (!by_peer) (void)write_etc(c, "initdb.password", "");
  if (!made) return fail(std::move(made).error());
  if (c.replication_user.empty()) return {};  // one that nobody is to follow
  auto single = base_command(c, {c.server_program, "--single", "-D", c.data_dir(), "postgres"});
  Secret create(
      fmt::format("CREATE ROLE {} LOGIN REPLICATION PASSWORD ", sql::quote_postgres_name(c.replication_user)));
  create.append(sql::quote_postgres(TRY(read_password(c.replication_password_file)))).append(";\n");
  auto result = TRY(sys::run_ok(std::move(single), deadline, stop, create.reveal()));
  if (result.err.find("ERROR:") != std::string::npos || result.out.find("ERROR:") != std::string::npos)
    return fail(ErrorClass::failed, "agent.initialise", "creating the replication role failed: " + result.err);
  return {};
}

}  // namespace detail

namespace {

/// Each tablespace of the upstream into a new folder of this member: on one machine its own place is taken.
Result<std::vector<std::string>> tablespace_mappings(const MemberConfig& c, Deadline deadline, std::stop_token stop) {
  const Peer* upstream = c.find_peer(c.upstream);
  if (!upstream) return fail(ErrorClass::bug, "agent.config", "a replica without an upstream: " + c.member);
  sql::Target target;
  target.host = upstream->host;
  target.port = upstream->port;
  target.plain_text = c.plain_text;
  target.user = c.replication_user;
  target.password = TRY(read_password(c.replication_password_file));
  auto connection = TRY(sql::PostgresConnection::connect(target, deadline, stop));
  auto spaces =
      TRY(connection.query("SELECT pg_tablespace_location(oid) AS l FROM pg_tablespace WHERE "
                           "pg_tablespace_location(oid) LIKE '/%'",
                           deadline, stop));
  std::vector<std::string> mappings;
  for (size_t i = 0; i < spaces.rows.size(); ++i) {
    std::string old;
    for (const char ch : spaces.text("l", i)) old += ch == '=' ? std::string("\\=") : std::string(1, ch);
    std::error_code ignored;
    std::string place;
    for (int n = 0; place.empty() || fs::exists(place, ignored); ++n)
      place = fmt::format("{}/tablespaces/{}", c.dir, n);
    while (std::ranges::any_of(mappings, [&](const std::string& m) { return m.ends_with("=" + place); })) place += "x";
    mappings.push_back(fmt::format("--tablespace-mapping={}={}", old, place));
  }
  return mappings;
}

}  // namespace

Status initialise_basebackup(const MemberConfig& c, Deadline deadline, std::stop_token stop) {
  if (c.engine != cluster::Engine::postgres)
    return fail(ErrorClass::usage, "agent.initialise",
                "a base backup is PostgreSQL's way; this member is another engine");
  return make_data_dir(c, [&]() -> Status {
    // -X fetch keeps it one process: the streaming way forks a child that a SIGKILL of its parent would leave behind.
    const std::string upstream = TRY(upstream_conninfo(c)).append(detail::kNoticesSilence);
    auto command = detail::base_command(c, {tool(c, "pg_basebackup"), "-d", upstream, "-D", c.data_dir(), "-X", "fetch",
                                            "-c", "fast", "--no-sync", "--no-password"});
    if (const std::string wal = TRY(make_wal_dir(c)); !wal.empty()) command.argv.push_back("--waldir=" + wal);
    for (auto& mapping : TRY(tablespace_mappings(c, deadline, stop))) command.argv.push_back(std::move(mapping));
    command.umask = 0077;
    TRY(sys::run_ok(std::move(command), deadline, stop));
    return {};
  });
}

}  // namespace holdfast::agent

// Servers that were there before their agent. Their configuration is theirs. What the agent has to say about a start
// stands in etc/role.cnf, which our one file among their configuration includes (MariaDB, MySQL), or in
// postgresql.auto.conf, which the server keeps for such settings, and standby.signal (PostgreSQL).
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <set>
#include <sstream>

#include "agent/galera_node.h"
#include "agent/launch.h"
#include "agent/log_files.h"
#include "base/log.h"
#include "engine/private_files.h"
#include "engine/programs.h"
#include "sql/rows.h"
#include "sys/file.h"

namespace holdfast::agent {

namespace fs = std::filesystem;
using cluster::Engine;
using cluster::ReplicationMode;

namespace {

// ---------------------------------------------------------------- MariaDB, MySQL

/// "--skip-slave-start" as a line of an option file: "skip-slave-start".
std::string option_line(const std::string& argument) {
  return argument.starts_with("--") ? argument.substr(2) : argument;
}

std::string mysql_role_text(const MemberConfig& c, const std::vector<std::string>& extra) {
  std::string text =
      fmt::format("# Of the Holdfast agent of {}: how this member starts. Written at each start.\n[mysqld{}]\n",
                  c.member, detail::group_suffix(*c.existing));
  text += c.role == Role::replica ? "read-only=ON\n" : "read-only=OFF\n";
  if (c.engine == Engine::mysql) text += c.role == Role::replica ? "super-read-only=ON\n" : "super-read-only=OFF\n";
  // The role must be chosen before the server starts: as SLAVE it cuts its own unacknowledged tail.
  if (c.engine == Engine::mariadb && c.replication == ReplicationMode::semi_sync && c.role == Role::replica)
    text += "init-rpl-role=SLAVE\n";
  for (const auto& argument : after_leaving_logs(c)) text += option_line(argument) + "\n";
  for (const auto& argument : extra) text += option_line(argument) + "\n";
  return text;
}

Result<sys::Command> launch_mysql_family(const MemberConfig& c, const LaunchOptions& options) {
  std::vector<std::string> argv = {c.server_program};
  argv.insert(argv.end(), c.existing->arguments.begin(), c.existing->arguments.end());
  argv.insert(argv.end(), {"--datadir=" + c.data_dir(), "--socket=" + c.server_socket(), "--pid-file=" + c.pid_file(),
                           "--log-error=" + c.log_file(), "--tmpdir=" + c.tmp_dir(), fmt::format("--port={}", c.port)});
  for (auto& argument : logs_among_data(c)) argv.push_back(std::move(argument));
  for (auto& argument : after_leaving_logs(c)) argv.push_back(std::move(argument));
  // Beside the member's own server: it needs little, and what that has is not to be taken from it.
  if (!c.work.empty()) argv.push_back("--innodb-buffer-pool-size=128M");
  const bool mysql = c.engine == Engine::mysql, replica = c.role == Role::replica;
  if (options.mode == StartMode::normal && c.engine != Engine::galera) {
    argv.push_back(replica ? "--read-only=ON" : "--read-only=OFF");
    if (mysql) argv.push_back(replica ? "--super-read-only=ON" : "--super-read-only=OFF");
    if (!mysql && replica && c.replication == ReplicationMode::semi_sync) argv.push_back("--init-rpl-role=SLAVE");
  }
  if (options.mode == StartMode::normal && options.new_cluster) argv.emplace_back("--wsrep-new-cluster");
  if (options.mode == StartMode::isolated) {
    argv.insert(argv.end(), {"--skip-networking", mysql ? "--skip-replica-start" : "--skip-slave-start",
                             "--event-scheduler=OFF", "--read-only=OFF"});
    if (mysql) argv.push_back("--super-read-only=OFF");
    if (c.engine == Engine::galera)
      argv.insert(argv.end(), {"--wsrep-on=OFF", "--wsrep-provider=none", "--wsrep-cluster-address="});
    if (!mysql && c.replication == ReplicationMode::semi_sync) argv.push_back("--rpl-semi-sync-master-enabled=OFF");
  }
  // A copy is asked for by a server that has it, and a clone's first start is one with it.
  if (mysql && !c.work.empty() && !detail::clone_library(c).empty()) argv.push_back("--plugin-load-add=mysql_clone.so");
  argv.insert(argv.end(), options.extra_args.begin(), options.extra_args.end());
  return detail::base_command(c, std::move(argv));
}

/// What a data directory is made with: its server does not start with other values.
const std::set<std::string> kLayout = {"innodb-page-size", "innodb-data-file-path", "innodb-undo-tablespaces",
                                       "innodb-checksum-algorithm", "lower-case-table-names"};

// ---------------------------------------------------------------- PostgreSQL

std::string name_of_line(const std::string& line) {
  const size_t begin = line.find_first_not_of(" \t");
  if (begin == std::string::npos || line[begin] == '#') return {};
  return line.substr(begin, line.find_first_of(" \t=", begin) - begin);
}

const std::set<std::string> kOfSource = {"primary_conninfo", "primary_slot_name"};

std::string auto_conf(const MemberConfig& c) {
  return c.data_dir() + "/postgresql.auto.conf";
}

/// The lines of a text that are about one of these settings; or all the others.
std::string lines_of(const std::string& text, const std::set<std::string>& names, bool others = false) {
  std::string found;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);)
    if (names.contains(name_of_line(line)) != others) found += line + "\n";
  return found;
}

/// postgresql.auto.conf with these lines in place of what it says of these settings.
Status put_in_auto_conf(const MemberConfig& c, const std::set<std::string>& names, const std::string& lines) {
  const auto before = read_as_server(c, auto_conf(c));
  const std::string text = lines_of(before.value_or(""), names, true) + lines;
  if (before && *before == text) return {};
  const sys::ActAs as_server(server_identity(c));
  return sys::publish_file(auto_conf(c), as_bytes(text), 0600);
}

/// The same with settings and their values.
Status set_in_auto_conf(const MemberConfig& c, const std::vector<std::pair<std::string, std::string>>& settings) {
  if (settings.empty()) return {};
  std::set<std::string> names;
  std::string lines;
  for (const auto& [name, value] : settings) {
    names.insert(name);
    lines += fmt::format("{} = {}\n", name, detail::postgres_setting(value));
  }
  return put_in_auto_conf(c, names, lines);
}

/// What the server's files say of its source now; "" = nothing.
std::string source_in_auto_conf(const MemberConfig& c) {
  const auto text = read_as_server(c, auto_conf(c));
  if (!text) return {};
  std::string found;
  std::istringstream lines(*text);
  for (std::string line; std::getline(lines, line);)
    if (name_of_line(line) == "primary_conninfo") found = line;
  return found;
}

/// The value of a word of a connection string within a line of configuration: host=db1, host=''db1''.
std::string word_of(const std::string& line, const std::string& word) {
  for (size_t at = line.find(word + "="); at != std::string::npos; at = line.find(word + "=", at + 1)) {
    if (at > 0 && line[at - 1] != ' ' && line[at - 1] != '\'') continue;
    const size_t begin = line.find_first_not_of('\'', at + word.size() + 1);
    if (begin == std::string::npos) return {};
    return line.substr(begin, line.find_first_of(" '", begin) - begin);
  }
  return {};
}

/// A value of a connection string: 'text' with its quotes and backslashes escaped.
std::string conninfo_text(std::string_view text) {
  std::string result = "'";
  for (const char ch : text) {
    if (ch == '\'' || ch == '\\') result += '\\';
    result += ch;
  }
  return result + "'";
}

/// As `pg_basebackup -R` writes it: with the password, in a file that is the server's own. It says so also to a server
/// that has no agent any more.
Result<std::string> source_conninfo(const MemberConfig& c, const Peer& upstream) {
  const std::string whole = TRY(detail::replication_conninfo(c, upstream.host, upstream.port, "-"));
  std::string text = whole;
  if (const size_t at = text.find(" passfile='-'"); at != std::string::npos) text.erase(at, 13);
  if (c.replication_password_file.empty()) return text;
  return text + " password=" + conninfo_text(TRY(read_password(c.replication_password_file)).reveal());
}

/// Whether its files lead there already.
bool leads_to(const MemberConfig& c, const Peer& upstream) {
  const std::string now = source_in_auto_conf(c);
  const std::string port = word_of(now, "port");
  return word_of(now, "host") == upstream.host && (port.empty() ? "5432" : port) == std::to_string(upstream.port);
}

Status tell_postgres(const MemberConfig& c, const std::vector<std::string>& extra) {
  std::vector<std::pair<std::string, std::string>> settings;
  for (size_t i = 0; i + 1 < extra.size(); ++i)
    if (const size_t at = extra[i + 1].find('='); extra[i] == "-c" && at != std::string::npos)
      settings.emplace_back(extra[i + 1].substr(0, at), extra[i + 1].substr(at + 1));
  if (c.role == Role::replica) {
    if (const Peer* upstream = c.find_peer(c.upstream)) {
      // What leads there already is left as it is: a service of its own, a certificate, a password file.
      // Without an account of ours there is nothing better to say.
      if (!leads_to(c, *upstream) && !c.replication_user.empty()) {
        settings.emplace_back("primary_conninfo", TRY(source_conninfo(c, *upstream)));
        settings.emplace_back("primary_slot_name", c.slot_name());
      }
    }
    const sys::ActAs as_server(server_identity(c));
    TRY_VOID(sys::publish_file(c.data_dir() + "/standby.signal", {}, 0600));
  } else {
    const sys::ActAs as_server(server_identity(c));
    std::error_code ignored;
    fs::remove(c.data_dir() + "/standby.signal", ignored);
  }
  return set_in_auto_conf(c, settings);
}

Result<sys::Command> launch_postgres_alone(const MemberConfig& c, const LaunchOptions& options) {
  if (options.mode == StartMode::normal) TRY_VOID(tell_postgres(c, {}));
  std::vector<std::string> argv = {c.server_program};
  argv.insert(argv.end(), c.existing->arguments.begin(), c.existing->arguments.end());
  const auto set = [&](std::string_view name, std::string_view value) {
    argv.insert(argv.end(), {"-c", fmt::format("{}={}", name, value)});
  };
  argv.insert(argv.end(), {"-D", c.data_dir()});
  set("data_directory", c.data_dir());
  set("external_pid_file", c.pid_file());
  set("logging_collector", "off");
  set("log_destination", "stderr");
  if (options.mode == StartMode::isolated) {
    // Nothing of it reaches anybody else, and nothing is fetched.
    set("listen_addresses", "");
    set("archive_mode", "off");
    set("max_logical_replication_workers", "0");
    set("primary_conninfo", "");
    set("restore_command", "");
  }
  argv.insert(argv.end(), options.extra_args.begin(), options.extra_args.end());
  auto command = detail::base_command(c, std::move(argv));
  command.umask = 0077;
  return command;
}

}  // namespace

namespace detail {

std::string group_suffix(const Existing& existing) {
  constexpr std::string_view kFlag = "--defaults-group-suffix=";
  std::string suffix = existing.group_suffix;
  for (const auto& argument : existing.arguments)
    if (argument.starts_with(kFlag)) suffix = argument.substr(kFlag.size());
  return suffix;
}

std::string role_file(const MemberConfig& c) {
  return c.engine == Engine::galera ? start_file(c) : c.dir + "/etc/role.cnf";
}

Status tell_existing(const MemberConfig& c, const std::vector<std::string>& extra) {
  if (c.engine == Engine::postgres) return tell_postgres(c, extra);
  if (c.existing->drop_in.empty()) return {};
  if (c.engine == Engine::galera) return tell_node(c, extra);
  // For everybody to read: each client of the machine reads all of the server's configuration, and fails where it
  // cannot.
  TRY_VOID(sys::make_directories(c.etc_dir(), 0755));
  return sys::publish_file(role_file(c), as_bytes(mysql_role_text(c, extra)), 0644);
}

Result<std::vector<std::string>> layout_arguments(const MemberConfig& c, Deadline deadline, std::stop_token stop) {
  std::vector<std::string> found;
  if (!c.existing) return found;
  std::vector<std::string> argv = {c.server_program};
  argv.insert(argv.end(), c.existing->arguments.begin(), c.existing->arguments.end());
  argv.insert(argv.end(), {"--verbose", "--help"});
  const auto told = TRY(sys::run(base_command(c, std::move(argv)), deadline, std::move(stop)));
  std::istringstream lines(told.out);
  for (std::string line; std::getline(lines, line);) {
    const std::string name = line.substr(0, line.find(' '));
    const size_t value = line.find_first_not_of(' ', name.size());
    if (kLayout.contains(name) && value != std::string::npos && line[value] != '(')
      found.push_back(fmt::format("--{}={}", name, line.substr(value)));
  }
  if (found.empty())
    log(LogLevel::warn, "{}: how its data is to be laid out is not known: {} --verbose --help ended with {}", c.member,
        c.server_program, told.status.to_string());
  return found;
}

Result<bool> tell_source(const MemberConfig& c) {
  const Peer* upstream = c.find_peer(c.upstream);
  if (!upstream || c.role != Role::replica) return false;
  // A second time it would note what the first one has written.
  if (!leads_to(c, *upstream)) {
    const auto text = read_as_server(c, auto_conf(c));
    TRY_VOID(sys::publish_file(c.dir + "/source-before", as_bytes(lines_of(text.value_or(""), kOfSource)), 0600));
  }
  TRY_VOID(tell_postgres(c, {}));
  return leads_to(c, *upstream);
}

Status tell_source_before(const MemberConfig& c) {
  const auto noted = sys::read_file(c.dir + "/source-before");
  if (!noted) return {};
  TRY_VOID(put_in_auto_conf(c, kOfSource, std::string(as_text(noted->span()))));
  ::unlink((c.dir + "/source-before").c_str());
  return sys::sync_directory(c.dir);
}

Result<sys::Command> launch_existing(const MemberConfig& c, const LaunchOptions& options) {
  return c.engine == Engine::postgres ? launch_postgres_alone(c, options) : launch_mysql_family(c, options);
}

}  // namespace detail

}  // namespace holdfast::agent

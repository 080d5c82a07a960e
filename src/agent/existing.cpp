#include "agent/existing.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <filesystem>
#include <map>
#include <sstream>

#include "agent/copy.h"
#include "agent/data_dir.h"
#include "agent/dir_users.h"
#include "agent/launch.h"
#include "agent/option_files.h"
#include "agent/proc.h"
#include "agent/running_server.h"
#include "agent/unit.h"
#include "agent/wal_dir.h"
#include "engine/programs.h"
#include "sql/mariadb.h"
#include "sql/postgres.h"
#include "sys/beneath.h"
#include "sys/file.h"

namespace holdfast::agent {

namespace fs = std::filesystem;
using cluster::Engine;

namespace {

constexpr const char* kUnits = "/etc/systemd/system";
/// MariaDB and MySQL take it for --defaults-group-suffix where that is not given.
constexpr std::string_view kSuffixVariable = "MYSQL_GROUP_SUFFIX=", kOurSuffix = ".holdfast-";

// ---------------------------------------------------------------- what runs here

/// Who listens at a unix socket, as the kernel knows it; 0 = nobody, or not for us.
pid_t listener_of(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof address.sun_path) return 0;
  std::memcpy(address.sun_path, path.c_str(), path.size());
  const sys::Fd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  ucred peer{};
  socklen_t size = sizeof peer;
  if (!fd || ::connect(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) != 0 ||
      ::getsockopt(fd.get(), SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0)
    return 0;
  return peer.pid;
}

std::optional<sys::Identity> user_of(pid_t pid) {
  std::istringstream lines(proc_text(fmt::format("/proc/{}/status", pid)));
  std::optional<sys::Identity> user;
  for (std::string line; std::getline(lines, line);) {
    std::istringstream ids(line.substr(std::min(line.find(':'), line.size() - 1) + 1));
    unsigned real = 0, effective = 0;
    if (line.starts_with("Uid:") && ids >> real >> effective) user.emplace().uid = effective;
    if (line.starts_with("Gid:") && user && ids >> real >> effective) user->gid = effective;
    for (unsigned group = 0; line.starts_with("Groups:") && user && ids >> group;)
      if (group != user->gid) user->groups.push_back(group);
  }
  return user;
}

/// Whether `main` is the script that starts this server, and again when it has crashed: then that is its unit's
/// process.
bool is_minded_by(pid_t pid, pid_t main) {
  std::istringstream lines(proc_text(fmt::format("/proc/{}/status", pid)));
  pid_t parent = 0;
  for (std::string line; std::getline(lines, line);)
    if (line.starts_with("PPid:")) parent = static_cast<pid_t>(std::strtol(line.c_str() + 5, nullptr, 10));
  if (main <= 0 || parent != main) return false;
  return std::ranges::any_of(proc_list(fmt::format("/proc/{}/cmdline", main)), [](const std::string& argument) {
    const std::string name = fs::path(argument).filename().string();
    return name == "mysqld_safe" || name == "mariadbd-safe";
  });
}

/// What a server of PostgreSQL forks works in the same directory, under the same name.
bool is_postmaster(const std::string& data_dir, pid_t pid) {
  std::istringstream lines(read_in(data_dir, "postmaster.pid"));
  std::string first;
  std::getline(lines, first);
  return proc_number(first) == pid;
}

// ---------------------------------------------------------------- what it says of itself

struct Said {
  Settings settings;
  bool follows = false;
  std::string source_host;
  int source_port = 0;
};

Result<Said> ask_mysql(const MemberConfig& c, Deadline deadline, const std::stop_token& stop) {
  auto connection = TRY(sql::MariadbConnection::connect(TRY(detail::admin_target(c)), deadline, stop));
  Said said;
  const auto rows = TRY(connection.query("SHOW GLOBAL VARIABLES", deadline, stop));
  for (size_t i = 0; i < rows.rows.size(); ++i) said.settings[rows.text("Variable_name", i)] = rows.text("Value", i);
  const bool mysql = c.engine == Engine::mysql;
  const auto sources = TRY(connection.query(mysql ? "SHOW REPLICA STATUS" : "SHOW ALL SLAVES STATUS", deadline, stop));
  said.follows = !sources.empty();
  said.source_host = sources.text(mysql ? "Source_Host" : "Master_Host");
  said.source_port =
      static_cast<int>(std::strtol(sources.text(mysql ? "Source_Port" : "Master_Port").c_str(), nullptr, 10));
  return said;
}

Result<Said> ask_postgres(const MemberConfig& c, Deadline deadline, const std::stop_token& stop) {
  auto connection = TRY(sql::PostgresConnection::connect(TRY(detail::admin_target(c)), deadline, stop));
  Said said;
  const auto rows = TRY(connection.query("SELECT name, setting FROM pg_settings", deadline, stop));
  for (size_t i = 0; i < rows.rows.size(); ++i) said.settings[rows.text("name", i)] = rows.text("setting", i);
  const auto role = TRY(connection.query(
      "SELECT pg_is_in_recovery()::int AS r, (SELECT sender_host FROM pg_stat_wal_receiver) AS h, (SELECT sender_port "
      "FROM pg_stat_wal_receiver) AS p",
      deadline, stop));
  said.follows = role.text("r") == "1";
  said.source_host = role.text("h");
  said.source_port = static_cast<int>(std::strtol(role.text("p").c_str(), nullptr, 10));
  return said;
}

std::string without_slash(std::string path) {
  while (path.size() > 1 && path.ends_with('/')) path.pop_back();
  return path;
}

std::string value_of(const Settings& settings, const char* name) {
  const auto found = settings.find(name);
  return found == settings.end() ? std::string() : found->second;
}

/// A path that a server says relative to its data directory.
std::string path_of(const std::string& data_dir, const std::string& path) {
  return path.empty() || path.starts_with('/') ? path : data_dir + "/" + path;
}

bool is_mount_point(const std::string& dir) {
  struct stat here{}, home{};
  const std::string above = fs::path(dir).parent_path().string();
  return ::stat(dir.c_str(), &here) == 0 && ::stat(above.c_str(), &home) == 0 && here.st_dev != home.st_dev;
}

bool is_below(const std::string& path, const std::string& dir) {
  return path == dir || path.starts_with(dir + "/");
}

DataPlaces postgres_places(const std::string& data_dir) {
  DataPlaces places;
  std::error_code error;
  places.wal_dir = wal_elsewhere(data_dir);
  if (places.wal_dir.empty() && fs::is_symlink(data_dir + "/pg_wal", error))
    places.elsewhere.push_back(data_dir + "/pg_wal leads to no directory of the server's user");
  if (!places.wal_dir.empty() && is_mount_point(places.wal_dir))
    places.elsewhere.push_back(places.wal_dir + " (pg_wal) is a mount point: another directory cannot take its place");
  for (fs::directory_iterator it(data_dir + "/pg_tblspc", error), end; !error && it != end; it.increment(error))
    places.elsewhere.push_back("there is a tablespace outside of the data directory: " + it->path().string());
  return places;
}

/// A log that another directory's server may go on with elsewhere, or why it cannot.
class Logs {
 public:
  Logs(DataPlaces& places, const std::string& data_dir, const Settings& settings)
      : places_(places), data_dir_(data_dir), settings_(settings) {}

  void take(const char* base_name, const char* index_name, std::string& place) {
    const std::string base = said(base_name), index = said(index_name);
    const bool index_here = index.empty() || is_among_data(index);
    if (base.empty() || (is_among_data(base) && index_here)) return;
    // Neither a log that is in two places, nor one whose names are not the base with a number behind it.
    const fs::path path(base);
    const bool fits = !is_among_data(base) && (index.empty() || index == base + ".index") && !path.has_extension() &&
                      path.parent_path() != path.root_path();
    if (fits)
      place = base;
    else
      places_.elsewhere.push_back(fmt::format("{} = {}, {} = {}", base_name, base, index_name, index));
  }

  std::string said(const char* name) const {
    const std::string is = value_of(settings_, name);
    return is == "NULL" ? "" : without_slash(path_of(data_dir_, is));
  }
  bool is_among_data(const std::string& path) const {
    std::error_code error;
    return is_below(fs::weakly_canonical(path, error).string(), data_dir_);
  }

 private:
  DataPlaces& places_;
  const std::string& data_dir_;
  const Settings& settings_;
};

DataPlaces mysql_places(Engine engine, const std::string& data_dir, const Settings& settings) {
  DataPlaces places;
  Logs logs(places, data_dir, settings);
  std::vector<const char*> names = {"innodb_data_home_dir", "innodb_log_group_home_dir", "innodb_undo_directory",
                                    "innodb_doublewrite_dir", "aria_log_dir_path"};
  // A node's log is more than its own: others are given a state that ends in it.
  if (engine == Engine::galera)
    names.insert(names.end(), {"log_bin_basename", "log_bin_index", "relay_log_basename", "relay_log_index"});
  for (const char* name : names)
    if (const std::string is = logs.said(name); !is.empty() && !logs.is_among_data(is))
      places.elsewhere.push_back(fmt::format("{} = {}", name, value_of(settings, name)));
  if (engine == Engine::galera) return places;
  logs.take("log_bin_basename", "log_bin_index", places.binlog_base);
  logs.take("relay_log_basename", "relay_log_index", places.relay_base);
  if (!places.binlog_base.empty() && !places.relay_base.empty() &&
      fs::path(places.binlog_base).filename() == fs::path(places.relay_base).filename())
    places.elsewhere.push_back(
        fmt::format("log_bin_basename = {}, relay_log_basename = {}: a copy has both in one directory",
                    places.binlog_base, places.relay_base));
  return places;
}

}  // namespace

DataPlaces data_places(Engine engine, const std::string& data_dir, const Settings& settings) {
  DataPlaces places = engine == Engine::postgres ? postgres_places(data_dir) : mysql_places(engine, data_dir, settings);
  if (is_mount_point(data_dir))
    places.elsewhere.push_back(data_dir + " is a mount point: another directory cannot take its place");
  return places;
}

bool can_change_beside(const std::string& dir, uid_t uid) {
  std::error_code error;
  for (fs::path at = fs::canonical(fs::path(dir).parent_path(), error); !error; at = at.parent_path()) {
    struct stat info{};
    if (::stat(at.c_str(), &info) != 0 || info.st_uid == uid || (info.st_uid != 0) || (info.st_mode & 022) != 0)
      return true;
    if (at == at.root_path()) return false;
  }
  return true;
}

namespace {

Result<FoundServer> one_server(const AdoptRequest& request) {
  const Engine engine = request.like.engine;
  auto all = find_servers(engine, request.sockets);
  std::erase_if(all, [&](const FoundServer& one) {
    return !request.data_dir.empty() && one.data_dir != without_slash(request.data_dir);
  });
  if (all.empty())
    return fail(ErrorClass::refused, "adopt.no_server",
                request.data_dir.empty()
                    ? fmt::format("no server of {} runs on this host", cluster::engine_name(engine))
                    : fmt::format("no server of {} runs on {}", cluster::engine_name(engine), request.data_dir),
                "start it first, as it is started otherwise; run this as root");
  const auto of_agents = std::ranges::count_if(all, &FoundServer::has_agent);
  if (of_agents == static_cast<long>(all.size()))
    return fail(ErrorClass::refused, "adopt.has_agent",
                fmt::format("the server on {} was started by an agent", all.front().data_dir), "holdfast triage");
  std::erase_if(all, &FoundServer::has_agent);
  if (all.size() == 1) return std::move(all.front());
  std::vector<std::string> dirs;
  for (const auto& one : all) dirs.push_back(one.data_dir);
  return fail(ErrorClass::usage, "adopt.several_servers",
              fmt::format("{} servers of {} run on this host, on {}", all.size(), cluster::engine_name(engine),
                          fmt::join(dirs, ", ")),
              "--data-dir DIR says which one");
}

/// One without a unit has no groups of its own: every server that includes the same directory reads them.
Status check_not_shared(const Existing& e, const FoundServer& server, const std::string& folder) {
  if (!detail::group_suffix(e).empty()) return {};
  for (const Engine engine : {Engine::mariadb, Engine::mysql})
    for (const auto& other : find_servers(engine, {}))
      if (other.pid != server.pid && include_directory(other.arguments) == folder)
        return fail(ErrorClass::refused, "adopt.shared_configuration",
                    fmt::format("the server on {} reads {} too: it would start as the one on {} is to start",
                                other.data_dir, folder, e.data_dir),
                    "start this one by a unit, or give it a configuration file of its own (--defaults-file)");
  return {};
}

void remark_on_role(const Said& said, Adoption& adoption) {
  MemberConfig& c = adoption.config;
  for (const auto& peer : c.peers)
    if (said.follows && peer.host == said.source_host && peer.port == said.source_port) c.upstream = peer.name;
  if (!said.follows) return;
  if (c.upstream.empty())
    adoption.remarks.push_back(fmt::format("its source, {}:{}, is not a member of the cluster that was named",
                                           said.source_host, said.source_port));
  if (c.engine != Engine::postgres && value_of(said.settings, "read_only") == "OFF")
    adoption.remarks.push_back("it is a replica and accepts writes; from its next start on it is read-only");
}

}  // namespace

std::vector<FoundServer> find_servers(Engine engine, const std::vector<std::string>& sockets) {
  std::map<pid_t, std::string> listens;
  for (const auto& path : sockets)
    if (const pid_t pid = listener_of(path); pid > 0) listens.emplace(pid, path);
  std::vector<FoundServer> found;
  for (const pid_t pid : all_processes()) {
    if (!is_server_program(engine, pid)) continue;
    std::error_code error;
    FoundServer server;
    server.pid = pid;
    server.data_dir = without_slash(fs::read_symlink(fmt::format("/proc/{}/cwd", pid), error).string());
    const auto user = user_of(pid);
    if (error || !user || (engine == Engine::postgres && !is_postmaster(server.data_dir, pid))) continue;
    server.uid = user->uid;
    server.gid = user->gid;
    server.groups = user->groups;
    server.program = fs::read_symlink(fmt::format("/proc/{}/exe", pid), error).string();
    if (const size_t gone = server.program.find(" (deleted)"); gone != std::string::npos) server.program.resize(gone);
    const auto argv = proc_list(fmt::format("/proc/{}/cmdline", pid));
    size_t first = 1;
    if (fs::path(server.program).filename().string().starts_with("ld-linux")) {
      // Started by a loader of its own: the program is one of its arguments, behind its options.
      const char* name = engine == Engine::postgres ? "postgres" : engine == Engine::mysql ? "mysqld" : "mariadbd";
      while (first < argv.size() && fs::path(argv[first]).filename() != name) ++first;
      server.program = engine::find_program(engine, name).value_or(first < argv.size() ? argv[first] : server.program);
      ++first;
    }
    for (size_t i = first; i < argv.size(); ++i) server.arguments.push_back(argv[i]);
    if (is_position_recovery(server.arguments)) continue;  // it ends by itself, and its unit starts the server then
    if (const auto socket = listens.find(pid); socket != listens.end()) server.socket = socket->second;
    for (const auto& entry : proc_list(fmt::format("/proc/{}/environ", pid))) {
      server.has_agent = server.has_agent || entry.starts_with(fmt::format("{}=", kServerMark));
      if (entry.starts_with(kSuffixVariable) && !entry.substr(kSuffixVariable.size()).starts_with(kOurSuffix))
        server.group_suffix = entry.substr(kSuffixVariable.size());
      if (entry.starts_with("TZ=")) server.time_zone = entry.substr(3);
    }
    const std::string unit = unit_of(pid);
    if (!unit.empty()) {
      const auto state = unit_state(unit, Deadline::in(std::chrono::seconds(5)));
      // What was started in a unit's control group otherwise is not the unit's: its agent's server, for one.
      if (state && (state->main_pid == pid || is_minded_by(pid, state->main_pid))) server.unit = unit;
      for (const auto& trigger : server.unit.empty() ? std::vector<std::string>() : state->triggers)
        if (const auto seen = unit_state(trigger, Deadline::in(std::chrono::seconds(5)));
            seen && seen->active == "active")
          server.triggers.push_back(trigger);
    }
    found.push_back(std::move(server));
  }
  return found;
}

std::string include_directory(const std::vector<std::string>& arguments, const std::string& root) {
  const auto files = option_files(arguments, [&](const std::string& path) { return root + path; });
  return files.directories.empty() ? "" : files.directories.back();
}

Result<DataPlaces> data_places_now(const MemberConfig& c, Deadline deadline, std::stop_token stop) {
  const Said said = TRY(c.engine == Engine::postgres ? ask_postgres(c, deadline, stop) : ask_mysql(c, deadline, stop));
  return data_places(c.engine, c.existing->data_dir, said.settings);
}

std::string unit_drop_in_text(const MemberConfig& config) {
  // systemd replaces what begins with %.
  std::string mark;
  for (const char ch : incomplete_mark(config)) mark += ch == '%' ? std::string("%%") : std::string(1, ch);
  std::string text = fmt::format(
      "# Of the Holdfast agent of {}. `holdfast agent release` removes this file.\n"
      "[Unit]\n"
      "# While a restore or a rebuild of its data directory is not finished it does not start.\n"
      "AssertPathExists=!{}\n",
      config.member, mark);
  if (!config.existing->group_suffix.empty())
    text += fmt::format(
        "[Service]\n"
        "# It alone reads the groups of this name, which say whether it starts read-only.\n"
        "Environment={}{}\n",
        kSuffixVariable, config.existing->group_suffix);
  return text;
}

std::string drop_in_text(const MemberConfig& config) {
  return fmt::format(
      "# {} {}: of its Holdfast agent. `holdfast agent release` removes this file.\n"
      "!include {}\n",
      config.engine == Engine::galera ? "What holds for one start of" : "How each start is made of", config.member,
      detail::role_file(config));
}

Result<Adoption> plan_adoption(const AdoptRequest& request, Deadline deadline, std::stop_token stop) {
  const Engine engine = request.like.engine;
  Adoption adoption{.server = TRY(one_server(request)),
                    .config = request.like,
                    .drop_in = {},
                    .unit_drop_in = {},
                    .remarks = {},
                    .node = {}};
  const FoundServer& server = adoption.server;
  MemberConfig& c = adoption.config;
  c.uid = server.uid;
  c.gid = server.gid;
  c.server_program = server.program;
  c.server_survives = true;
  Existing& e = c.existing.emplace();
  e.data_dir = server.data_dir;
  e.socket = server.socket;
  e.unit = server.unit;
  e.triggers = server.triggers;
  e.arguments = lasting_arguments(server.arguments);
  e.finds_position = is_told_its_position(server.arguments);
  e.time_zone = server.time_zone;
  if (engine != Engine::postgres && !server.group_suffix.empty() && detail::group_suffix(e).empty())
    e.arguments.insert(e.arguments.begin(), "--defaults-group-suffix=" + server.group_suffix);
  e.groups = server.groups;
  if (e.socket.empty() && engine != Engine::postgres)
    // The service manager has opened it: then the kernel names that, and the server has to say whose it is.
    for (const auto& path : request.sockets) {
      if (listener_of(path) != 1) continue;
      e.socket = path;
      const auto said = ask_mysql(c, deadline, stop);
      std::error_code error;
      if (said && fs::canonical(value_of(said->settings, "datadir"), error).string() == e.data_dir) break;
      e.socket.clear();
    }
  if (e.socket.empty())
    return fail(ErrorClass::refused, "adopt.no_server",
                fmt::format("the server on {} listens on no unix socket that was found", e.data_dir), "--socket FILE");
  if (engine == Engine::postgres && c.port == 0)
    c.port = static_cast<int>(std::strtol(e.socket.substr(e.socket.rfind('.') + 1).c_str(), nullptr, 10));
  const Said said = TRY(engine == Engine::postgres ? ask_postgres(c, deadline, stop) : ask_mysql(c, deadline, stop));
  const Settings& settings = said.settings;
  if (engine == Engine::galera) {
    adoption.node = TRY(read_node(settings, has_own_account(c, deadline, stop)));
    adoption.remarks = adoption.node.remarks;
    if (!e.unit.empty()) TRY_VOID(check_node_unit(e.unit, TRY(unit_start(e.unit, deadline, stop))));
  } else if (value_of(settings, "wsrep_on") == "ON") {
    return fail(ErrorClass::refused, "adopt.engine",
                fmt::format("the server on {} is a node of the Galera cluster {}", e.data_dir,
                            value_of(settings, "wsrep_cluster_name")),
                "--engine galera");
  }
  // One that has no source and is closed is not made to accept writes by an agent.
  const bool is_node = engine == Engine::galera;
  const bool closed = engine != Engine::postgres && !is_node && value_of(settings, "read_only") != "OFF" &&
                      !value_of(settings, "read_only").empty();
  c.role = (said.follows && !is_node) || closed ? Role::replica : Role::primary;
  if (closed && !said.follows)
    adoption.remarks.emplace_back(
        "it has no source and is read-only: it stays so at each start, until a repair makes it the primary");
  if (engine == Engine::postgres) {
    const std::string dir = without_slash(value_of(settings, "data_directory"));
    if (dir != e.data_dir)
      return fail(ErrorClass::refused, "adopt.configuration",
                  fmt::format("the server works in {} and says that its data is in {}", e.data_dir, dir),
                  "see its configuration: an agent works on one directory");
    e.pid_file = value_of(settings, "external_pid_file");
    if (e.pid_file.empty()) e.pid_file = e.data_dir + "/postmaster.pid";
    // Debian's clusters: what the server says goes where pg_ctlcluster sends it.
    std::error_code error;
    const std::string log = fs::read_symlink(fmt::format("/proc/{}/fd/2", server.pid), error).string();
    if (!error && log.starts_with('/') && !log.starts_with("/dev/")) e.log_file = log;
  } else {
    const std::string dir = without_slash(value_of(settings, "datadir"));
    std::error_code error;
    if (fs::canonical(dir, error).string() != e.data_dir)
      return fail(ErrorClass::refused, "adopt.configuration",
                  fmt::format("the server works in {} and says that its data is in {}", e.data_dir, dir),
                  "see its configuration: an agent works on one directory");
    e.pid_file = path_of(e.data_dir, value_of(settings, "pid_file"));
    const std::string log = value_of(settings, "log_error");
    if (!log.empty() && log != "stderr") e.log_file = path_of(e.data_dir, log);
    c.server_id = static_cast<unsigned>(std::strtoul(value_of(settings, "server_id").c_str(), nullptr, 10));
  }
  if (const int port = static_cast<int>(std::strtol(value_of(settings, "port").c_str(), nullptr, 10)); c.port == 0)
    c.port = port;
  std::string why;
  const auto running = find_running(c, &why);
  if (!running || running->pid != server.pid)
    return fail(ErrorClass::refused, "adopt.configuration",
                fmt::format("process {} is not proven to be the server of {}: {}", server.pid, e.data_dir,
                            why.empty() ? "its arguments name another directory, or it holds no lock there" : why),
                "an agent would not take it for its own; a server in a container is its container's");
  static_cast<DataPlaces&>(e) = data_places(engine, e.data_dir, settings);
  e.beside_is_servers = can_change_beside(e.data_dir, c.uid);
  for (const auto& part : e.elsewhere)
    adoption.remarks.push_back(fmt::format("it cannot be rebuilt or restored in place: {}", part));
  if (e.unit.empty())
    adoption.remarks.emplace_back("no unit of systemd has started it: from its next start on the agent does");
  if (!is_node) remark_on_role(said, adoption);
  if (engine != Engine::postgres) {
    const std::string folder = include_directory(e.arguments);
    if (folder.empty())
      return fail(ErrorClass::refused, "adopt.configuration",
                  "the server reads no directory of configuration files, where the agent could put how it starts",
                  "add a line to its configuration file: !includedir /etc/mysql/conf.d/");
    if (detail::group_suffix(e).empty() && !e.unit.empty()) e.group_suffix = std::string(kOurSuffix) + c.member;
    TRY_VOID(check_not_shared(e, server, folder));
    // Groups of one instance are read behind those of all.
    const char* first = detail::group_suffix(e).empty() ? "zz" : "zzz";
    e.drop_in = fmt::format("{}/{}-holdfast-{}.cnf", folder, first, c.member);
    adoption.drop_in = drop_in_text(c);
    if (c.admin_password_file.empty())
      adoption.remarks.emplace_back(
          "no other member can be copied from it: that takes an account with a password "
          "(--admin-user, --admin-password-file)");
  }
  if (!e.unit.empty()) {
    e.unit_drop_in = fmt::format("{}/{}.d/holdfast-{}.conf", kUnits, e.unit, c.member);
    adoption.unit_drop_in = unit_drop_in_text(c);
  }
  if (c.replication_user.empty() && !c.peers.empty() && !is_node)
    adoption.remarks.emplace_back(
        "it can be pointed at another source only with an account to replicate (--replication-user, "
        "--replication-password-file)");
  return adoption;
}

Status carry_out(const Adoption& adoption) {
  const MemberConfig& c = adoption.config;
  if (const auto before = read_config(c.dir); before && (!before->existing || before->data_dir() != c.data_dir()))
    return fail(ErrorClass::refused, "adopt.has_agent",
                fmt::format("{} is the directory of the agent of another server, on {}", c.dir, before->data_dir()),
                "-c CLUSTER -i MEMBER gives this one a name of its own, or: --dir DIR");
  TRY_VOID(sys::make_directories(c.dir, 0755));
  TRY_VOID(detail::make_server_dir(c, c.dir + "/log", 0750));
  TRY_VOID(detail::make_server_dir(c, c.tmp_dir(), 0700));
  TRY_VOID(sys::make_directories(fs::path(c.socket_dir).parent_path().string(), 0755));
  TRY_VOID(detail::make_server_dir(c, c.socket_dir, 0755));
  TRY_VOID(check_own_directories(c));
  TRY_VOID(write_config(c));
  if (const std::string& file = c.existing->unit_drop_in; !file.empty()) {
    TRY_VOID(sys::make_directories(fs::path(file).parent_path().string(), 0755));
    TRY_VOID(sys::publish_file(file, as_bytes(adoption.unit_drop_in), 0644));
    TRY_VOID(reload_units(Deadline::in(std::chrono::seconds(60))));
  }
  if (c.existing->drop_in.empty()) return {};
  TRY_VOID(detail::tell_existing(c, {}));
  return sys::publish_file(c.existing->drop_in, as_bytes(adoption.drop_in), 0644);
}

Status check_releasable(const MemberConfig& config) {
  std::error_code error;
  for (const char* name : {"swap.json", "rewinding", "initialising", "initialising.new", "incomplete"})
    if (fs::exists(config.dir + "/" + name, error))
      return fail(ErrorClass::refused, "release.unfinished",
                  fmt::format("an operation on {} is not finished ({}/{})", config.member, config.dir, name),
                  "holdfast operations list");
  const auto running = find_running(config);
  if (running && !running->env.empty() && !config.is_by_unit())
    return fail(ErrorClass::refused, "release.not_by_unit",
                fmt::format("the server of {} was started by its agent, and has its files there", config.member),
                "stop it, and start it as it was started before");
  if (config.is_by_unit()) {
    if (running && unit_of(running->pid) != config.existing->unit)
      return fail(
          ErrorClass::refused, "release.not_by_unit",
          fmt::format("the server of {} was started by its agent, not by {}", config.member, config.existing->unit),
          fmt::format("stop it, then: systemctl start {}", config.existing->unit));
  }
  return {};
}

Status release(const MemberConfig& config) {
  TRY_VOID(check_releasable(config));
  std::error_code error;
  for (const std::string& file : {config.existing->drop_in, config.existing->unit_drop_in}) {
    if (file.empty()) continue;
    const std::string folder = fs::path(file).parent_path().string();
    if (::unlink(file.c_str()) != 0 && errno != ENOENT) return fail(sys::errno_error(errno, "remove " + file));
    if (fs::exists(folder, error)) TRY_VOID(sys::sync_directory(folder));
  }
  if (const std::string& file = config.existing->unit_drop_in; !file.empty()) {
    ::rmdir(fs::path(file).parent_path().c_str());  // stays where something else is in it
    TRY_VOID(reload_units(Deadline::in(std::chrono::seconds(60))));
  }
  for (const char* name :
       {"/agent.json", "/agent.lock", "/last-data.json", "/channels.json", "/stopping", "/source-before"})
    fs::remove(config.dir + name, error);
  for (const char* name : {"/etc", "/tmp", "/log", "/tablespaces"}) (void)sys::remove_tree(config.dir + name);
  fs::remove(config.socket_dir, error);
  fs::remove(config.agent_socket(), error);
  fs::remove(start_file(config), error);
  fs::remove(config.dir, error);  // stays where something else is in it
  return {};
}

}  // namespace holdfast::agent

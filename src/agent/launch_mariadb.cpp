// MariaDB, alone, replicated or as a Galera node.
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>

#include "agent/launch.h"
#include "engine/programs.h"
#include "engine/stored/files.h"
#include "sql/rows.h"
#include "sys/file.h"

namespace holdfast::agent::detail {

using cluster::Engine;
using cluster::ReplicationMode;

namespace {

std::string server_config(const MemberConfig& c) {
  std::string text = fmt::format(
      "[mysqld]\n"
      "datadir={data}\nsocket={socket}\npid-file={pid}\ntmpdir={tmp}\nlog-error={log}\n"
      "bind-address={host}\nport={port}\nskip-name-resolve=ON\n"
      "server-id={id}\nreport-host={host}\nreport-port={port}\n"
      "character-set-server=utf8mb4\ncollation-server=utf8mb4_unicode_ci\n"
      "log-bin=binlog\nbinlog-format=ROW\nlog-slave-updates=ON\nsync-binlog=1\ngtid-strict-mode=ON\n"
      "relay-log=relay\n"
      "innodb-flush-log-at-trx-commit=1\ninnodb-buffer-pool-size=64M\ninnodb-log-file-size=32M\ninnodb-log-buffer-size="
      "4M\n"
      "key-buffer-size=1M\naria-pagecache-buffer-size=4M\nperformance-schema=OFF\nmax-connections=60\n"
      "table-open-cache=300\nthread-cache-size=8\nmax-allowed-packet=64M\nquery-cache-type=0\n",
      fmt::arg("data", c.data_dir()), fmt::arg("socket", c.server_socket()), fmt::arg("pid", c.pid_file()),
      fmt::arg("tmp", c.tmp_dir()), fmt::arg("log", c.log_file()), fmt::arg("host", c.host), fmt::arg("port", c.port),
      fmt::arg("id", c.server_id));
  if (c.engine == Engine::galera) {
    std::string address;
    for (const auto& peer : c.peers)
      address += fmt::format("{}{}:{}", address.empty() ? "" : ",", peer.host, peer.group_port);
    text += fmt::format(
        "default-storage-engine=InnoDB\ninnodb-autoinc-lock-mode=2\n"
        "wsrep-on=ON\nwsrep-provider=/usr/lib/galera/libgalera_smm.so\n"
        "wsrep-cluster-name={cluster}\nwsrep-cluster-address=gcomm://{address}\n"
        "wsrep-node-name={member}\nwsrep-node-address={host}:{group}\nwsrep-node-incoming-address={host}:{port}\n"
        "wsrep-sst-method=rsync\nwsrep-sst-receive-address={host}:{sst}\nwsrep-slave-threads=2\n"
        "wsrep-provider-options=\"gmcast.listen_addr=tcp://"
        "{host}:{group};ist.recv_addr={host}:{ist};gcache.size=32M\"\n",
        fmt::arg("cluster", c.cluster), fmt::arg("address", address), fmt::arg("member", c.member),
        fmt::arg("host", c.host), fmt::arg("port", c.port), fmt::arg("group", c.group_port),
        fmt::arg("sst", c.sst_port), fmt::arg("ist", c.ist_port));
  }
  if (c.replication == ReplicationMode::semi_sync) {
    text +=
        "rpl-semi-sync-slave-enabled=ON\nrpl-semi-sync-master-wait-point=AFTER_SYNC\nrpl-semi-sync-master-timeout="
        "10000\n";
    text += fmt::format("rpl-semi-sync-master-enabled={}\n", c.role == Role::primary ? "ON" : "OFF");
  }
  if (c.engine == Engine::mariadb && c.role == Role::replica) text += "read-only=ON\n";
  return text;
}

}  // namespace

Result<sys::Command> launch_mariadb(const MemberConfig& c, const LaunchOptions& options) {
  const std::string file = TRY(write_etc(c, "server.cnf", server_config(c)));
  std::vector<std::string> argv = {c.server_program, "--defaults-file=" + file};
  if (options.mode == StartMode::isolated) {
    argv.insert(argv.end(), {"--skip-networking", "--skip-slave-start", "--event-scheduler=OFF"});
    if (c.engine == Engine::galera)
      argv.insert(argv.end(), {"--wsrep-on=OFF", "--wsrep-provider=none", "--wsrep-cluster-address="});
    if (c.replication == ReplicationMode::semi_sync) argv.push_back("--rpl-semi-sync-master-enabled=OFF");
  } else {
    if (c.engine == Engine::galera && options.new_cluster) argv.push_back("--wsrep-new-cluster");
    // The role must be chosen before the server starts: as SLAVE it cuts its own unacknowledged tail.
    if (c.engine == Engine::mariadb && c.replication == ReplicationMode::semi_sync && c.role == Role::replica)
      argv.push_back("--init-rpl-role=SLAVE");
    if (c.engine != Engine::mariadb || c.role == Role::primary) argv.push_back("--event-scheduler=ON");
  }
  argv.insert(argv.end(), options.extra_args.begin(), options.extra_args.end());
  return base_command(c, std::move(argv));
}

Result<MariadbShare> find_mariadb_share(const std::string& server_program, const std::vector<std::string>& elsewhere) {
  namespace fs = std::filesystem;
  std::error_code ignored;
  const std::string beside = fs::canonical(server_program, ignored).parent_path().parent_path() / "share";
  std::vector<std::string> folders = {beside + "/mariadb", beside + "/mysql", beside};
  folders.insert(folders.end(), elsewhere.begin(), elsewhere.end());
  for (const auto& folder : folders)
    for (const char* prefix : {"mariadb", "mysql"})  // 11.0 has given its files names of its own
      if (fs::exists(fmt::format("{}/{}_system_tables.sql", folder, prefix), ignored))
        return MariadbShare{folder, prefix};
  return fail(
      ErrorClass::unavailable, "agent.no_system_tables",
      fmt::format("no folder has the statements that make MariaDB's system tables: {}", fmt::join(folders, ", ")),
      "install the package that has mariadb_system_tables.sql: mariadb-server");
}

Status initialise_mariadb(const MemberConfig& c, Deadline deadline, std::stop_token stop) {
  const auto share = TRY(find_mariadb_share(c.server_program));
  // What mariadb-install-db does, without its shell script: no grandchild can be left behind.
  std::string sql =
      "create database if not exists mysql;\nuse mysql;\nset @auth_root_socket='root';\nset @skip_auth_anonymous=1;\n";
  for (const char* name : {"{}_system_tables.sql", "{}_performance_tables.sql", "{}_system_tables_data.sql",
                           "fill_help_tables.sql", "maria_add_gis_sp_bootstrap.sql", "{}_sys_schema.sql"}) {
    const auto text = sys::read_file(share.folder + "/" + fmt::format(fmt::runtime(name), share.prefix));
    if (!text) return fail(text.error());
    sql += as_text(text->span());
    sql += "\n";
  }
  sql += "FLUSH PRIVILEGES;\n";
  const Secret script = Secret(std::move(sql)).append(TRY(mysql_accounts(c)));
  auto command = base_command(
      c, {c.server_program, "--no-defaults", "--bootstrap", "--datadir=" + c.data_dir(), "--tmpdir=" + c.tmp_dir(),
          "--innodb-log-file-size=32M", "--innodb-buffer-pool-size=32M", "--lc-messages-dir=" + share.folder,
          "--character-set-server=utf8mb4", "--collation-server=utf8mb4_unicode_ci", "--max-allowed-packet=8M",
          "--innodb-flush-log-at-trx-commit=0"});
  for (auto& argument : TRY(layout_arguments(c, deadline, stop))) command.argv.push_back(std::move(argument));
  auto result = TRY(sys::run(std::move(command), deadline, stop, script.reveal()));
  if (!result.status.ok() || result.err.find("ERROR:") != std::string::npos) {
    auto at = result.err.find("ERROR:");
    std::string why = at == std::string::npos ? result.err : result.err.substr(at, 400);
    return fail(ErrorClass::failed, "agent.initialise",
                fmt::format("mariadbd --bootstrap ended with {}: {}", result.status.to_string(), why));
  }
  auto version = TRY(sys::run_ok(base_command(c, {c.server_program, "--no-defaults", "--version"}), deadline, stop));
  auto at = version.out.find("Ver ");
  std::string number =
      at == std::string::npos ? "" : version.out.substr(at + 4, version.out.find(' ', at + 4) - at - 4);
  const sys::ActAs as_server(server_identity(c));
  TRY_VOID(sys::publish_file(fmt::format("{}/{}_upgrade_info", c.data_dir(), share.prefix), as_bytes(number), 0644));
  return {};
}

}  // namespace holdfast::agent::detail

namespace holdfast::agent {

std::optional<Grastate> read_grastate(const MemberConfig& config) {
  const auto text = read_as_server(config, config.data_dir() + "/grastate.dat");
  if (!text) return std::nullopt;
  auto state = engine::galera::parse_grastate(*text);
  return state ? std::optional(std::move(*state)) : std::nullopt;
}

Status write_grastate(const MemberConfig& config, const Grastate& state) {
  const std::string path = config.data_dir() + "/grastate.dat";
  const std::string body =
      fmt::format("# GALERA saved state\nversion: 2.1\nuuid:    {}\nseqno:   {}\nsafe_to_bootstrap: {}\n", state.uuid,
                  state.seqno, state.safe_to_bootstrap == true ? 1 : 0);
  const sys::ActAs as_server(server_identity(config));
  return sys::publish_file(path, as_bytes(body), 0660);
}

Status allow_bootstrap(const MemberConfig& config, Grastate state) {
  state.safe_to_bootstrap = true;
  return write_grastate(config, state);
}

}  // namespace holdfast::agent

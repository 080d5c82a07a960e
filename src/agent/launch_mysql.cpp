// MySQL with GTID replication.
#include <fmt/format.h>

#include <filesystem>

#include "agent/launch.h"
#include "sys/file.h"

namespace holdfast::agent::detail {

namespace {

std::string server_config(const MemberConfig& c) {
  std::string text = fmt::format(
      "[mysqld]\n"
      "datadir={data}\nsocket={socket}\npid-file={pid}\ntmpdir={tmp}\nlog-error={log}\n"
      "bind-address={host}\nport={port}\nskip-name-resolve=ON\n"
      "server-id={id}\nreport-host={host}\nreport-port={port}\n"
      "log-bin=binlog\nrelay-log=relay\nsync-binlog=1\ngtid-mode=ON\nenforce-gtid-consistency=ON\n"
      "log-replica-updates=ON\nlog-bin-trust-function-creators=ON\n"
      "innodb-flush-log-at-trx-commit=1\ninnodb-buffer-pool-size=64M\ninnodb-redo-log-capacity=64M\n"
      "innodb-log-buffer-size=4M\nkey-buffer-size=1M\nperformance-schema=OFF\nmax-connections=60\ntable-open-cache="
      "300\n"
      "max-allowed-packet=64M\n",
      fmt::arg("data", c.data_dir()), fmt::arg("socket", c.server_socket()), fmt::arg("pid", c.pid_file()),
      fmt::arg("tmp", c.tmp_dir()), fmt::arg("log", c.log_file()), fmt::arg("host", c.host), fmt::arg("port", c.port),
      fmt::arg("id", c.server_id));
  if (c.role == Role::replica) text += "read-only=ON\nsuper-read-only=ON\n";
  return text;
}

}  // namespace

std::string clone_library(const MemberConfig& c) {
  std::error_code error;
  const auto program = std::filesystem::canonical(c.server_program, error);
  for (const std::string& folder : {program.parent_path().parent_path().string() + "/root/usr/lib/mysql/plugin",
                                    program.parent_path().parent_path().string() + "/lib/mysql/plugin"})
    if (std::filesystem::exists(folder + "/mysql_clone.so", error)) return folder + "/mysql_clone.so";
  return {};
}

Result<sys::Command> launch_mysql(const MemberConfig& c, const LaunchOptions& options) {
  const std::string file = TRY(write_etc(c, "server.cnf", server_config(c)));
  std::vector<std::string> argv = {c.server_program, "--defaults-file=" + file};
  if (options.mode == StartMode::isolated) {
    argv.insert(argv.end(), {"--skip-networking", "--skip-replica-start", "--event-scheduler=OFF",
                             "--super-read-only=OFF", "--read-only=OFF"});
  } else {
    argv.push_back(c.role == Role::primary ? "--event-scheduler=ON" : "--event-scheduler=OFF");
  }
  // Loaded from the start, so that a copy to a new member changes nothing here.
  if (!clone_library(c).empty()) argv.push_back("--plugin-load-add=mysql_clone.so");
  argv.insert(argv.end(), options.extra_args.begin(), options.extra_args.end());
  return base_command(c, std::move(argv));
}

Status initialise_mysql(const MemberConfig& c, Deadline deadline, std::stop_token stop) {
  if (c.admin_password_file.empty())
    return fail(ErrorClass::refused, "agent.password", c.member + " has no administrator with a password to begin with",
                "adopt it again with --admin-user and --admin-password-file");
  // The accounts are part of the first state of the server: no start with an empty root password, nothing in a binary
  // log.
  const std::string init =
      TRY(write_etc(c, "init.sql", TRY(mysql_accounts(c)).append("DROP USER 'root'@'localhost';\n").reveal()));
  auto command =
      base_command(c, {c.server_program, "--no-defaults", "--initialize-insecure", "--datadir=" + c.data_dir(),
                       "--tmpdir=" + c.tmp_dir(), "--init-file=" + init, "--innodb-redo-log-capacity=64M",
                       "--innodb-buffer-pool-size=32M", "--skip-log-bin", "--innodb-flush-log-at-trx-commit=0",
                       "--log-error=" + c.dir + "/log/initialise.log"});
  for (auto& argument : TRY(layout_arguments(c, deadline, stop))) command.argv.push_back(std::move(argument));
  // A helper's data is thrown away: it need not survive anything.
  if (c.data_name == kHelperName)
    command.argv.insert(command.argv.end(), {"--innodb-doublewrite=OFF", "--innodb-flush-method=nosync"});
  auto ran = sys::run(std::move(command), deadline, stop);
  (void)write_etc(c, "init.sql", "");  // it held passwords
  auto result = TRY(std::move(ran));
  if (result.status.ok()) return {};
  std::string why = tail_as_server(c, c.dir + "/log/initialise.log", 800);
  if (why.empty()) why = result.err.substr(result.err.size() - std::min<size_t>(result.err.size(), 800));
  return fail(ErrorClass::failed, "agent.initialise",
              fmt::format("mysqld --initialize ended with {}: {}", result.status.to_string(), why));
}

}  // namespace holdfast::agent::detail

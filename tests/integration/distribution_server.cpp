#include "tests/integration/distribution_server.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>

#include "engine/programs.h"
#include "sql/mariadb.h"
#include "sql/postgres.h"
#include "sys/user.h"
#include "tests/support/program.h"

namespace holdfast::test {

using cluster::Engine;
using std::chrono::seconds;
namespace fs = std::filesystem;

namespace {

bool is_root() {
  return ::geteuid() == 0;
}

const char* package_user(Engine engine) {
  return engine == Engine::postgres ? "postgres" : "mysql";
}

}  // namespace

DistributionServer::DistributionServer(Engine engine, bool)
    : engine_(engine), dir_(sys::TempDir::create("package").value()), port_(free_port()) {
  account_ = engine == Engine::postgres && is_root() ? "postgres" : sys::own_user_name().value();
  if (is_root()) {
    server_user_ = sys::find_user(package_user(engine)).value();
    EXPECT_EQ(::chown(dir_.path().c_str(), server_user_->uid, server_user_->gid), 0);
  }
  ::chmod(dir_.path().c_str(), 0755);
  socket_ = dir_.path() + (engine == Engine::postgres ? fmt::format("/.s.PGSQL.{}", port_) : "/mysqld.sock");
}

DistributionServer::DistributionServer(Engine engine) : DistributionServer(engine, false) {
  install();
  start();
}

DistributionServer::~DistributionServer() {
  stop();
}

void DistributionServer::stop() {
  if (!process_) return;
  (void)process_.signal(engine_ == Engine::postgres ? SIGQUIT : SIGKILL);
  (void)process_.wait(Deadline::in(seconds(20)));
}

std::string DistributionServer::program(const std::string& name) const {
  return engine::find_program(engine_, name).value();
}

std::string DistributionServer::log() const {
  const auto text = sys::read_file(dir_.path() + "/log");
  return text ? std::string(as_text(text->span())) : text.error().to_string();
}

void DistributionServer::as_server(const std::vector<std::string>& argv) const {
  sys::Command command{.argv = argv};
  command.identity = server_user_;
  command.cwd = "/";
  const auto done = sys::run(command, Deadline::in(seconds(120)));
  ASSERT_TRUE(done) << done.error().to_string();
  ASSERT_TRUE(done->status.ok()) << argv[0] << ": " << done->out << done->err;
}

void DistributionServer::install() {
  const std::string data = dir_.path() + "/data";
  switch (engine_) {
    case Engine::postgres:
      // Debian's pg_createcluster.
      as_server({program("initdb"), "-D", data, "-U", account_, "--auth-local=peer", "--auth-host=scram-sha-256",
                 "--data-checksums", "-N"});
      break;
    case Engine::mariadb:
    case Engine::galera: {
      std::vector<std::string> argv = {program("mariadb-install-db"),
                                       "--no-defaults",
                                       "--datadir=" + data,
                                       "--auth-root-authentication-method=socket",
                                       "--skip-test-db",
                                       "--rpm"};
      if (is_root()) argv.push_back("--user=mysql");
      if (!is_root()) argv.push_back("--auth-root-socket-user=" + account_);
      const auto made = run_program(argv, {.limit = seconds(200)});
      ASSERT_EQ(made.exit_code, 0) << made.out << made.err;
      break;
    }
    case Engine::mysql:
      as_server({program("mysqld"), "--no-defaults", "--initialize-insecure", "--datadir=" + data,
                 "--log-error=" + dir_.path() + "/log"});
      break;
  }
}

void DistributionServer::start() {
  const std::string data = dir_.path() + "/data";
  sys::Command command;
  if (engine_ == Engine::postgres) {
    command.argv = {program("postgres"), "-D", data, "-p", std::to_string(port_), "-k", dir_.path(),
                    // As pg_createcluster writes it; what is below is for the test's patience.
                    "-c", "listen_addresses=localhost", "-c", "cluster_name=15/main", "-c", "fsync=on"};
  } else {
    command.argv = {program(engine_ == Engine::mysql ? "mysqld" : "mariadbd"),
                    "--no-defaults",
                    "--datadir=" + data,
                    "--socket=" + socket_,
                    fmt::format("--port={}", port_),
                    "--bind-address=127.0.0.1",
                    "--pid-file=" + dir_.path() + "/pid"};
    if (engine_ == Engine::mysql) {
      command.argv.insert(command.argv.end(), {"--plugin-load-add=auth_socket.so", "--mysqlx=OFF"});
    } else {
      // Debian's 50-server.cnf.
      command.argv.insert(command.argv.end(), {"--expire-logs-days=10", "--character-set-server=utf8mb4",
                                               "--collation-server=utf8mb4_general_ci"});
    }
    if (engine_ == Engine::galera)
      // Debian's 60-galera.cnf, and the first node of a cluster.
      command.argv.insert(
          command.argv.end(),
          {"--wsrep-on=ON", "--wsrep-provider=/usr/lib/galera/libgalera_smm.so",
           "--wsrep-cluster-name=MariaDB Galera Cluster", "--wsrep-cluster-address=gcomm://", "--binlog-format=ROW",
           "--default-storage-engine=InnoDB", "--innodb-autoinc-lock-mode=2", "--wsrep-node-address=127.0.0.1",
           fmt::format("--wsrep-provider-options=gmcast.listen_addr=tcp://127.0.0.1:{}", free_port())});
  }
  command.identity = server_user_;
  command.cwd = "/";
  const sys::Fd log_file = sys::open_file(dir_.path() + "/log", O_WRONLY | O_CREAT | O_APPEND, 0644).value();
  command.out = command.err = sys::Stdio::to(log_file.get());
  command.die_with_parent = SIGKILL;
  auto process = sys::spawn(command);
  ASSERT_TRUE(process) << process.error().to_string();
  process_ = std::move(*process);
  // MySQL's package gives root@localhost to auth_socket when it has made the data directory.
  sql::Target first = target();
  if (engine_ == Engine::mysql) first.user = "root", first.peer.reset();
  const auto up = sys::wait_until(
      [&] {
        if (process_.poll()) return true;
        if (engine_ == Engine::postgres)
          return sql::PostgresConnection::connect(first, Deadline::in(seconds(2))).has_value();
        auto connection = sql::MariadbConnection::connect(first, Deadline::in(seconds(2)));
        if (connection && engine_ == Engine::galera) {
          const auto ready = connection->query("SHOW STATUS WHERE Variable_name = 'wsrep_ready' AND Value = 'ON'",
                                               Deadline::in(seconds(2)));
          return ready && !ready->empty();
        }
        if (!connection || engine_ != Engine::mysql) return connection.has_value();
        const std::string made = account_ == "root"
                                     ? "ALTER USER root@localhost IDENTIFIED WITH auth_socket"
                                     : fmt::format("CREATE USER '{}'@localhost IDENTIFIED WITH auth_socket", account_);
        const auto done = connection->query(made, Deadline::in(seconds(10)));
        EXPECT_TRUE(done) << done.error().to_string();
        if (account_ != "root")
          (void)connection->query(fmt::format("GRANT ALL ON *.* TO '{}'@localhost WITH GRANT OPTION", account_),
                                  Deadline::in(seconds(10)));
        return true;
      },
      Deadline::in(seconds(90)));
  ASSERT_TRUE(up && *up && !process_.poll()) << this->log();
}

sql::Target DistributionServer::target() const {
  sql::Target target;
  target.socket = socket_;
  target.port = port_;
  target.user = account_;
  if (engine_ == Engine::postgres) target.peer = server_user_;
  return target;
}

void DistributionServer::run(const std::vector<std::string>& statements) {
  const auto all = [&](auto&& connection) {
    ASSERT_TRUE(connection) << connection.error().to_string();
    for (const auto& statement : statements) {
      const auto done = connection->query(statement, Deadline::in(seconds(60)));
      ASSERT_TRUE(done) << statement << ": " << done.error().to_string();
    }
  };
  if (engine_ == Engine::postgres)
    all(sql::PostgresConnection::connect(target(), Deadline::in(seconds(10))));
  else
    all(sql::MariadbConnection::connect(target(), Deadline::in(seconds(10))));
}

std::unique_ptr<DistributionServer> DistributionServer::standby_of(const DistributionServer& primary) {
  std::unique_ptr<DistributionServer> standby(new DistributionServer(Engine::postgres, false));
  standby->as_server({standby->program("pg_basebackup"), "-R", "-c", "fast", "-h",
                      fs::path(primary.socket_).parent_path().string(), "-p", std::to_string(primary.port_), "-U",
                      primary.account_, "-D", standby->dir_.path() + "/data"});
  standby->start();
  return standby;
}

}  // namespace holdfast::test

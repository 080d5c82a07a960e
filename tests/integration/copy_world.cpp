#include "tests/integration/copy_world.h"

#include <fmt/format.h>
#include <poll.h>
#include <signal.h>

#include <filesystem>

#include "agent/client.h"
#include "sql/mariadb.h"
#include "sql/postgres.h"
#include "sys/any_process.h"
#include "tests/support/program.h"

namespace holdfast::test {

using codec::Value;
using std::chrono::seconds;

void CopyWorld::up(const std::string& size, std::vector<std::string> how) {
  how.insert(how.begin(), {"lab", "up", cluster_});
  auto up = lab.holdfast(how);
  ASSERT_EQ(up.exit_code, 0) << up.out << up.err;
  auto loaded = lab.holdfast({"lab", "load", "-c", cluster_, "--size", size});
  ASSERT_EQ(loaded.exit_code, 0) << loaded.err;
}

agent::MemberConfig CopyWorld::config(int ordinal) const {
  auto config = agent::read_config(dir(ordinal));
  EXPECT_TRUE(config) << dir(ordinal);
  return config ? *config : agent::MemberConfig();
}

Result<Value> CopyWorld::call(int ordinal, const std::string& op, Value arguments) const {
  auto client = TRY(agent::Client::connect(config(ordinal).agent_socket(), Deadline::in(seconds(5))));
  return client.call_now(op, std::move(arguments), Deadline::in(seconds(120)));
}

Value CopyWorld::must(int ordinal, const std::string& op, Value arguments) const {
  auto reply = call(ordinal, op, std::move(arguments));
  EXPECT_TRUE(reply) << name(ordinal) << " " << op << ": " << reply.error().to_string();
  return reply ? *reply : Value::object();
}

Result<sql::Rows> CopyWorld::query(int ordinal, const std::string& statement) const {
  const auto c = config(ordinal);
  const Deadline deadline = Deadline::in(seconds(20));
  sql::Target target;
  target.socket = c.server_socket();
  target.port = c.port;
  target.user = c.admin_user;
  target.password = TRY(agent::read_password(c.admin_password_file));
  if (c.engine == cluster::Engine::postgres) {
    auto connection = TRY(sql::PostgresConnection::connect(target, deadline));
    return connection.query(statement, deadline);
  }
  auto connection = TRY(sql::MariadbConnection::connect(target, deadline));
  return connection.query(statement, deadline);
}

std::string CopyWorld::ask(int ordinal, const std::string& statement) const {
  auto rows = query(ordinal, statement);
  if (!rows) return rows.error().to_string();
  return rows->empty() ? "" : rows->rows[0][0].value_or("NULL");
}

void CopyWorld::start_writer(int not_following) {
  sys::Command command;
  command.argv = {holdfast_binary(), "lab", "load",    "-c",          cluster_,       "--write",
                  "--seconds",       "300", "--quiet", "--state-dir", lab.state_dir()};
  command.die_with_parent = SIGKILL;
  command.out = sys::Stdio::null();
  auto writer = sys::spawn(command);
  ASSERT_TRUE(writer);
  writer_ = std::move(*writer);
  if (config(0).engine != cluster::Engine::mariadb) return;
  // MariaDB logs DDL before it notes the position, so that a replica killed in between asks for the statement again and
  // refuses it (1950).
  for (int i = 0; exists(i, ""); ++i) {
    if (i == not_following) continue;
    auto there =
        sys::wait_until([&] { return !query(i, "SELECT 1 FROM shop.ledger LIMIT 1").value_or(sql::Rows()).empty(); },
                        Deadline::in(seconds(20)));
    EXPECT_TRUE(there && *there) << name(i);
    EXPECT_EQ(ask(i, "FLUSH LOCAL ENGINE LOGS"), "");
  }
}

void CopyWorld::stop_writer() {
  (void)writer_.stop(seconds(10));
}

void CopyWorld::follow(int ordinal, int upstream) const {
  const auto c = config(ordinal), u = config(upstream);
  const std::string password(agent::read_password(c.replication_password_file)->reveal());
  std::vector<std::string> statements;
  if (c.engine == cluster::Engine::mariadb) {
    statements = {fmt::format("CHANGE MASTER TO MASTER_HOST='{}', MASTER_PORT={}, MASTER_USER='{}', "
                              "MASTER_PASSWORD='{}', MASTER_USE_GTID=slave_pos, MASTER_CONNECT_RETRY=1",
                              u.host, u.port, c.replication_user, password),
                  "START SLAVE"};
  } else if (c.engine == cluster::Engine::mysql) {
    statements = {fmt::format("CHANGE REPLICATION SOURCE TO SOURCE_HOST='{}', SOURCE_PORT={}, SOURCE_USER='{}', "
                              "SOURCE_PASSWORD='{}', SOURCE_AUTO_POSITION=1, SOURCE_CONNECT_RETRY=1, "
                              "GET_SOURCE_PUBLIC_KEY=1",
                              u.host, u.port, c.replication_user, password),
                  "START REPLICA"};
  }
  for (const auto& statement : statements) EXPECT_EQ(ask(ordinal, statement), "");
}

std::string CopyWorld::position(int ordinal) const {
  switch (config(ordinal).engine) {
    case cluster::Engine::mariadb:
      return ask(ordinal, "SELECT @@GLOBAL.gtid_binlog_state");
    case cluster::Engine::mysql:
      return ask(ordinal, "SELECT @@GLOBAL.gtid_executed");
    case cluster::Engine::galera:
      return ask(ordinal,
                 "SELECT group_concat(VARIABLE_VALUE ORDER BY VARIABLE_NAME) FROM information_schema.GLOBAL_STATUS "
                 "WHERE VARIABLE_NAME IN ('WSREP_CLUSTER_STATE_UUID', 'WSREP_LAST_COMMITTED')");
    case cluster::Engine::postgres:
      return ask(ordinal,
                 "SELECT CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn() ELSE pg_current_wal_lsn() END");
  }
  return {};
}

void CopyWorld::expect_equal(int a, int b) {
  std::string of_a, of_b;
  auto same = sys::wait_until(
      [&] {
        of_a = position(a);
        of_b = position(b);
        return !of_a.empty() && of_a == of_b;
      },
      Deadline::in(seconds(60)));
  EXPECT_TRUE(*same) << name(a) << " " << of_a << ", " << name(b) << " " << of_b;
  const auto content_a = lab.holdfast({"lab", "manifest", "-c", cluster_, "-i", std::to_string(a)});
  const auto content_b = lab.holdfast({"lab", "manifest", "-c", cluster_, "-i", std::to_string(b)});
  EXPECT_EQ(content_a.exit_code, 0) << content_a.err;
  EXPECT_GT(content_a.out.size(), 200u);
  EXPECT_EQ(content_a.out, content_b.out) << content_b.err;
}

bool CopyWorld::exists(int ordinal, const std::string& file) const {
  std::error_code error;
  return std::filesystem::exists(dir(ordinal) + "/" + file, error);
}

size_t CopyWorld::processes_of(int ordinal, const std::string& file) const {
  size_t count = 0;
  for (pid_t pid : lab.processes()) {
    auto text = sys::read_file("/proc/" + std::to_string(pid) + "/cmdline");
    if (text && as_text(text->span()).find(dir(ordinal) + "/" + file) != std::string_view::npos) ++count;
  }
  return count;
}

void CopyWorld::kill_agent(int ordinal) {
  auto status = must(ordinal, "status");
  const auto pid = static_cast<pid_t>(status["agent"]["pid"].integer());
  ASSERT_GT(pid, 1);
  auto agent = sys::open_pidfd(pid);
  ASSERT_TRUE(agent);
  ASSERT_EQ(::kill(pid, SIGKILL), 0);
  EXPECT_TRUE(*sys::wait_fd(agent->get(), POLLIN, Deadline::in(seconds(10))));
}

}  // namespace holdfast::test

#include "compare/session.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <vector>

#include "engine/row_checksum.h"

namespace holdfast::compare {

using cluster::Engine;

std::string normal_position(std::string text) {
  std::erase_if(text, [](char c) { return c == '\n' || c == ' '; });
  std::vector<std::string> parts;
  for (size_t from = 0; from <= text.size();) {
    const size_t end = std::min(text.find(',', from), text.size());
    if (end > from) parts.push_back(text.substr(from, end - from));
    from = end + 1;
  }
  std::ranges::sort(parts);
  return fmt::format("{}", fmt::join(parts, ","));
}

Result<std::unique_ptr<Session>> Session::connect(Engine engine, sql::Target target, Deadline deadline,
                                                  std::stop_token stop) {
  auto session = std::unique_ptr<Session>(new Session(engine, std::move(target)));
  if (engine == Engine::postgres) {
    auto connection = TRY(sql::PostgresConnection::connect(session->target_, deadline, stop));
    TRY(connection.query(engine::session_settings(engine), deadline, stop));
    session->databases_.emplace(session->target_.database, std::move(connection));
  } else {
    session->mysql_ = TRY(sql::MariadbConnection::connect(session->target_, deadline, stop));
    TRY(session->mysql_->query(engine::session_settings(engine), deadline, stop));
    TRY(session->mysql_->query("SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ", deadline, stop));
  }
  return session;
}

Result<std::optional<std::string>> Session::take(Role role, Deadline deadline, std::stop_token stop) {
  if (engine_ == Engine::postgres) return take_postgres(role, deadline, stop);
  if (in_snapshot_) TRY(mysql_->query("ROLLBACK", deadline, stop));
  in_snapshot_ = true;
  if (engine_ == Engine::mariadb) return take_mariadb(deadline, stop);
  const std::string position =
      engine_ == Engine::mysql ? "SELECT IF(@@GLOBAL.gtid_mode = 'ON', @@GLOBAL.gtid_executed, NULL) AS p"
                               : "SELECT CONCAT((SELECT VARIABLE_VALUE FROM information_schema.GLOBAL_STATUS WHERE "
                                 "VARIABLE_NAME = 'wsrep_cluster_state_uuid'), ':', (SELECT VARIABLE_VALUE FROM "
                                 "information_schema.GLOBAL_STATUS WHERE VARIABLE_NAME = 'wsrep_last_committed')) AS p";
  return take_between("START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY", position, deadline, stop);
}

Result<std::optional<std::string>> Session::take_between(const std::string& begin, const std::string& position,
                                                         Deadline deadline, std::stop_token stop) {
  const auto before = TRY(mysql_->query(position, deadline, stop)).value("p");
  TRY(mysql_->query(begin, deadline, stop));
  const auto after = TRY(mysql_->query(position, deadline, stop)).value("p");
  if (!after || before != after) return std::nullopt;
  return normal_position(*after);  // "" where nothing was ever committed
}

// MariaDB notes the binary log's position of a consistent snapshot. A replica that writes no such log keeps its
// position in a table, which the snapshot holds as of its own moment.
Result<std::optional<std::string>> Session::take_mariadb(Deadline deadline, std::stop_token stop) {
  TRY(mysql_->query("START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY", deadline, stop));
  auto settings = TRY(mysql_->query("SELECT @@GLOBAL.log_bin AS b, @@GLOBAL.log_slave_updates AS u", deadline, stop));
  const bool follows = !TRY(mysql_->query("SHOW ALL SLAVES STATUS", deadline, stop)).empty();
  if (settings.text("b") == "1" && (!follows || settings.text("u") == "1")) {
    auto status = TRY(mysql_->query("SHOW SESSION STATUS LIKE 'binlog_snapshot_%'", deadline, stop));
    std::string file, offset;
    for (const auto& row : status.rows)
      (row[0].value_or("") == "Binlog_snapshot_file" ? file : offset) = row[1].value_or("");
    if (file.empty()) return std::nullopt;
    auto gtids = TRY(mysql_->query(fmt::format("SELECT BINLOG_GTID_POS({}, {}) AS p", sql::quote_mysql(file), offset),
                                   deadline, stop));
    const auto found = gtids.value("p");
    if (!found) return std::nullopt;
    return normal_position(*found);
  }
  auto rows =
      TRY(mysql_->query("SELECT CONCAT(g.domain_id, '-', g.server_id, '-', g.seq_no) AS p FROM mysql.gtid_slave_pos g "
                        "JOIN (SELECT domain_id, "
                        "MAX(sub_id) AS s FROM mysql.gtid_slave_pos GROUP BY domain_id) m ON m.domain_id = g.domain_id "
                        "AND m.s = g.sub_id",
                        deadline, stop));
  std::string text;
  for (size_t i = 0; i < rows.rows.size(); ++i) text += (i ? "," : "") + rows.text("p", i);
  if (text.empty()) return std::nullopt;  // it keeps no position
  return normal_position(std::move(text));
}

Result<sql::Rows> Session::query(const std::string& database_name, const std::string& statement, Deadline deadline,
                                 std::stop_token stop) {
  if (mysql_) return mysql_->query(statement, deadline, stop);
  const auto found = database_name.empty() ? databases_.begin() : databases_.find(database_name);
  if (found == databases_.end())
    return fail(ErrorClass::unavailable, "compare.new_database",
                "the database " + database_name + " came while it was compared", "run it again");
  auto* connection = &found->second;
  // A statement that fails (no privilege, a table that is not there) must not end the snapshot.
  TRY(connection->query("SAVEPOINT holdfast", deadline, stop));
  auto rows = connection->query(statement, deadline, stop);
  if (!rows) {
    (void)connection->query("ROLLBACK TO SAVEPOINT holdfast", deadline, stop);
    return rows;
  }
  TRY(connection->query("RELEASE SAVEPOINT holdfast", deadline, stop));
  return rows;
}

}  // namespace holdfast::compare

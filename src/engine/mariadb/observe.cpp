#include "engine/mariadb/observe.h"

#include <cstdlib>

#include "engine/observe.h"
#include "sql/mariadb.h"

namespace holdfast::engine::mariadb {

using cluster::Following;
using cluster::MemberRole;

void observe(cluster::MemberFacts& facts, const sql::Target& target, Deadline deadline, std::stop_token stop) {
  auto connection = sql::MariadbConnection::connect(target, deadline, stop);
  if (!connection) return note_failure(facts, connection.error());
  facts.reach = cluster::Reach::reachable;
  facts.version = connection->server_version();
  auto ask = [&](const char* statement) -> std::optional<sql::Rows> {
    auto rows = connection->query(statement, deadline, stop);
    if (rows) return std::move(*rows);
    note_failure(facts, rows.error());
    return std::nullopt;
  };
  if (auto rows = ask("SELECT @@read_only AS read_only, @@server_uid AS uid, @@gtid_current_pos AS current_pos, "
                      "@@gtid_binlog_pos AS binlog_pos")) {
    facts.read_only = rows->text("read_only") != "0";
    facts.lineage = rows->text("uid");
    facts.position = rows->text("current_pos");
  }
  auto replication = ask("SHOW ALL SLAVES STATUS");
  if (replication && replication->empty()) {
    facts.role = MemberRole::primary;
    if (auto rows = ask("SHOW GLOBAL STATUS WHERE Variable_name IN ('Rpl_semi_sync_master_status','Slaves_connected')"))
      for (const auto& row : rows->rows) {
        if (row[0] == "Rpl_semi_sync_master_status") facts.semi_sync = row[1] == "ON";
        if (row[0] == "Slaves_connected") facts.followers = std::atoi(row[1].value_or("0").c_str());
      }
  } else if (replication) {
    facts.role = MemberRole::replica;
    Following follow;
    follow.upstream = replication->text("Master_Host") + ":" + replication->text("Master_Port");
    follow.receiving = replication->text("Slave_IO_Running") == "Yes";
    follow.applying = replication->text("Slave_SQL_Running") == "Yes";
    if (auto lag = replication->value("Seconds_Behind_Master")) follow.lag_seconds = std::strtod(lag->c_str(), nullptr);
    follow.last_error = replication->text("Last_SQL_Error");
    if (follow.last_error.empty()) follow.last_error = replication->text("Last_IO_Error");
    facts.following = follow;
  }
  if (auto rows = ask("SELECT SUM(FILE_SIZE) AS bytes FROM information_schema.INNODB_SYS_TABLESPACES");
      rows && rows->value("bytes"))
    facts.data_bytes = std::strtoull(rows->text("bytes").c_str(), nullptr, 10);
}

}  // namespace holdfast::engine::mariadb

#include "engine/mysql/observe.h"

#include <algorithm>
#include <cstdlib>

#include "engine/observe.h"
#include "sql/mariadb.h"

namespace holdfast::engine::mysql {

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
  if (auto rows = ask("SELECT @@super_read_only AS read_only, @@server_uuid AS uuid, @@gtid_executed AS executed")) {
    facts.read_only = rows->text("read_only") != "0";
    facts.lineage = rows->text("uuid");
    facts.position = rows->text("executed");
    std::erase(facts.position, '\n');
  }
  auto replication = ask("SHOW REPLICA STATUS");
  if (replication && replication->empty()) {
    facts.role = MemberRole::primary;
    if (auto rows = ask("SHOW REPLICAS")) facts.followers = static_cast<int>(rows->rows.size());
  } else if (replication) {
    facts.role = MemberRole::replica;
    Following follow;
    follow.upstream = replication->text("Source_Host") + ":" + replication->text("Source_Port");
    follow.receiving = replication->text("Replica_IO_Running") == "Yes";
    follow.applying = replication->text("Replica_SQL_Running") == "Yes";
    if (auto lag = replication->value("Seconds_Behind_Source")) follow.lag_seconds = std::strtod(lag->c_str(), nullptr);
    follow.last_error = replication->text("Last_SQL_Error");
    if (follow.last_error.empty()) follow.last_error = replication->text("Last_IO_Error");
    facts.following = follow;
  }
  if (auto rows = ask("SELECT SUM(FILE_SIZE) AS bytes FROM information_schema.INNODB_TABLESPACES");
      rows && rows->value("bytes"))
    facts.data_bytes = std::strtoull(rows->text("bytes").c_str(), nullptr, 10);
}

}  // namespace holdfast::engine::mysql

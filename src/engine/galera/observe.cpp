#include "engine/galera/observe.h"

#include <cstdlib>

#include "engine/observe.h"
#include "sql/mariadb.h"

namespace holdfast::engine::galera {

void observe(cluster::MemberFacts& facts, const sql::Target& target, Deadline deadline, std::stop_token stop) {
  auto connection = sql::MariadbConnection::connect(target, deadline, stop);
  if (!connection) return note_failure(facts, connection.error());
  facts.reach = cluster::Reach::reachable;
  facts.role = cluster::MemberRole::node;
  facts.version = connection->server_version();
  // A node outside the primary component refuses SELECT (1047) but still shows its status.
  auto rows = connection->query("SHOW GLOBAL STATUS LIKE 'wsrep\\_%'", deadline, stop);
  if (!rows) return note_failure(facts, rows.error());
  std::string uuid, committed, queue;
  for (const auto& row : rows->rows) {
    const std::string name = row[0].value_or(""), value = row[1].value_or("");
    if (name == "wsrep_cluster_status") facts.galera_status = value;
    if (name == "wsrep_local_state_comment") facts.galera_state = value;
    if (name == "wsrep_cluster_size") facts.galera_size = std::atoi(value.c_str());
    if (name == "wsrep_local_state_uuid") uuid = value;
    if (name == "wsrep_last_committed") committed = value;
    if (name == "wsrep_local_recv_queue") queue = value;
  }
  facts.lineage = uuid;
  if (!uuid.empty()) facts.position = uuid + ":" + committed;
  if (!queue.empty() && queue != "0") facts.galera_state += " (" + queue + " write sets waiting)";
  auto size = connection->query(
      "SELECT SUM(FILE_SIZE) AS bytes, @@read_only AS read_only FROM information_schema.INNODB_SYS_TABLESPACES",
      deadline, stop);
  if (!size) return note_failure(facts, size.error());
  if (size->value("bytes")) facts.data_bytes = std::strtoull(size->text("bytes").c_str(), nullptr, 10);
  facts.read_only = size->text("read_only") != "0";
}

}  // namespace holdfast::engine::galera

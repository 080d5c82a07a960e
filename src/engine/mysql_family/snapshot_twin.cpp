#include "engine/mysql_family/snapshot_twin.h"

#include "engine/mysql_family/statements.h"

namespace holdfast::engine {

Result<SnapshotTwin> SnapshotTwin::open(const sql::Target& target, size_t snapshots, std::stop_token stop) {
  const auto deadline = Deadline::in(std::chrono::seconds(30));
  std::vector<sql::MariadbConnection> readers;
  for (size_t i = 0; i < snapshots; ++i) {
    auto& reader = readers.emplace_back(TRY(sql::MariadbConnection::connect(target, deadline, stop)));
    TRY(reader.query(without_limits(reader.is_mariadb()) +
                         ", wait_timeout = 31536000, net_write_timeout = 31536000, time_zone = '+00:00', "
                         "group_concat_max_len = 1073741824",
                     deadline, stop));
    TRY(reader.query("SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ", deadline, stop));
  }
  auto lock = TRY(sql::MariadbConnection::connect(target, deadline, stop));
  TRY(lock.query("SET SESSION lock_wait_timeout = 10", deadline, stop));
  TRY(lock.query("FLUSH TABLES WITH READ LOCK", deadline, stop));
  // Whatever becomes of us and of the program: the server ends the lock by itself.
  TRY(lock.query("SET SESSION wait_timeout = 20", deadline, stop));
  for (auto& reader : readers) TRY(reader.query("START TRANSACTION WITH CONSISTENT SNAPSHOT", deadline, stop));
  return SnapshotTwin(std::move(lock), std::move(readers));
}

sql::MariadbConnection SnapshotTwin::take() {
  auto reader = std::move(readers_.back());
  readers_.pop_back();
  return reader;
}

Status SnapshotTwin::release() {
  if (lock_.query("UNLOCK TABLES", Deadline::in(std::chrono::seconds(30)))) return {};
  return fail(ErrorClass::unavailable, "engine.snapshot_lost",
              "the dump program needed more than 20 s to take its snapshot, and the global read lock was given up",
              "a long statement may hold it up: SHOW PROCESSLIST on the source; then run the backup again");
}

}  // namespace holdfast::engine

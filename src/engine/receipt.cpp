#include "engine/receipt.h"

#include "position/gtid_set.h"
#include "position/gtid_vector.h"
#include "position/wal.h"
#include "sql/mariadb.h"
#include "sql/postgres.h"

namespace holdfast::engine {

using cluster::Engine;

namespace {

Result<Receipt> no_receipt() {
  return fail(ErrorClass::unavailable, "engine.receipt", "it does not follow one source");
}

Result<Receipt> of_mysql_family(Engine engine, const sql::Target& target, Deadline deadline, std::stop_token stop) {
  const bool mysql = engine == Engine::mysql;
  auto connection = TRY(sql::MariadbConnection::connect(target, deadline, stop));
  const auto rows =
      TRY(connection.query(mysql ? "SHOW REPLICA STATUS" : "SHOW ALL SLAVES STATUS", deadline, std::move(stop)));
  if (rows.rows.size() != 1) return no_receipt();
  Receipt receipt;
  receipt.mark = mysql ? rows.text("Source_Log_File") + ":" + rows.text("Read_Source_Log_Pos")
                       : rows.text("Master_Log_File") + ":" + rows.text("Read_Master_Log_Pos");
  receipt.position = mysql ? rows.text("Retrieved_Gtid_Set") : rows.text("Gtid_IO_Pos");
  if (mysql) {
    const std::string executed = rows.text("Executed_Gtid_Set");
    receipt.position += (receipt.position.empty() || executed.empty() ? "" : ",") + executed;
    std::erase(receipt.position, '\n');
  }
  return receipt;
}

Result<Receipt> of_postgres(const sql::Target& target, Deadline deadline, std::stop_token stop) {
  auto connection = TRY(sql::PostgresConnection::connect(target, deadline, stop));
  const auto rows = TRY(connection.query("SELECT greatest(pg_last_wal_receive_lsn(), pg_last_wal_replay_lsn()) AS lsn",
                                         deadline, std::move(stop)));
  if (!rows.value("lsn")) return no_receipt();
  return Receipt{rows.text("lsn"), rows.text("lsn")};
}

Result<bool> lacks(Engine engine, const std::string& received, const std::string& offered) {
  switch (engine) {
    case Engine::mysql: {
      const auto has = TRY(position::GtidSet::parse(received));
      return !TRY(position::GtidSet::parse(offered)).subtract(has).empty();
    }
    case Engine::mariadb: {
      // The receiver goes by numbers in each domain, whoever wrote them.
      const auto has = TRY(position::GtidVector::parse(received));
      for (const auto& gtid : TRY(position::GtidVector::parse(offered)).entries())
        if (has.of_domain(gtid.domain).seq < gtid.seq) return true;
      return false;
    }
    case Engine::postgres:
      return TRY(position::Lsn::parse(received)) < TRY(position::Lsn::parse(offered));
    case Engine::galera:
      break;
  }
  return false;
}

}  // namespace

Result<Receipt> read_receipt(Engine engine, const sql::Target& target, Deadline deadline, std::stop_token stop) {
  return engine == Engine::postgres ? of_postgres(target, deadline, std::move(stop))
                                    : of_mysql_family(engine, target, deadline, std::move(stop));
}

bool lacks_of(Engine engine, const std::string& received, const std::string& offered) {
  return lacks(engine, received, offered).value_or(false);
}

}  // namespace holdfast::engine

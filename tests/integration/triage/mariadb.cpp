#include "tests/integration/triage/mariadb.h"

#include <fmt/format.h>

namespace holdfast::test::mariadb {

using std::chrono::seconds;

std::string value(Patient& p, int i, const std::string& variable) {
  return p.sql(i, {"SELECT @@GLOBAL." + variable});
}

std::string apply_error(Patient& p, int i) {
  return p.field(i, "SHOW ALL SLAVES STATUS", "Last_SQL_Errno");
}

void has_applied(Patient& p, int i, const std::string& position) {
  await(
      fmt::format("{} has applied {}", p.name(i), position),
      [&] { return p.sql(i, {"SELECT MASTER_GTID_WAIT('" + position + "', 20)"}) == "0"; }, seconds(120));
}

void caught_up(Patient& p, int i) {
  has_applied(p, i, value(p, 0, "gtid_binlog_pos"));
}

void end_writing(Patient& p) {
  const std::string sessions = "FROM information_schema.PROCESSLIST WHERE ID <> CONNECTION_ID() AND ";
  p.stop_writer();
  const std::string still_there = p.sql(0, {"SELECT COALESCE(GROUP_CONCAT(ID), '0') " + sessions +
                                            "USER <> 'system user' AND COMMAND NOT LIKE 'Binlog Dump%' AND COMMAND <> "
                                            "'Daemon'"});
  await(
      "the writer's session ended",
      [&] { return p.sql(0, {"SELECT COUNT(*) " + sessions + "ID IN (" + still_there + ")"}) == "0"; }, seconds(60));
  for (int i : {1, 2}) caught_up(p, i);
}

void lose_receipts(Patient& p, const std::function<void()>& lose_replicas) {
  p.sql(0, {"SET GLOBAL rpl_semi_sync_master_timeout = 500"});
  lose_replicas();
  await(
      "the primary gives up waiting",
      [&] {
        return p.sql(0, {"SELECT VARIABLE_VALUE FROM information_schema.GLOBAL_STATUS WHERE VARIABLE_NAME = "
                         "'RPL_SEMI_SYNC_MASTER_STATUS'"}) == "OFF";
      },
      seconds(60));
  p.sql(0, {"SET GLOBAL rpl_semi_sync_master_timeout = 10000"});
}

const std::vector<std::string> kTable = {"CREATE TABLE shop.t (a INT PRIMARY KEY, b INT)",
                                         "INSERT INTO shop.t VALUES (1, 1)"};
const std::vector<std::string> kDropTable = {"DROP TABLE shop.t"};

}  // namespace holdfast::test::mariadb

#include "tests/integration/triage/mysql.h"

namespace holdfast::test::mysql {

void caught_up(Patient& p) {
  const std::string at = p.sql(0, {"SELECT @@GLOBAL.gtid_executed"});
  p.sql(1, {"SELECT WAIT_FOR_EXECUTED_GTID_SET('" + at + "', 20)"});
}

std::function<void(Patient&)> sql_on(int i, std::vector<std::string> statements) {
  return [i, statements](Patient& p) { p.sql(i, statements); };
}

void take_server_uuid(Patient& p) {
  p.stop(1);
  rewrite(p.data(1) + "/auto.cnf", text_of(p.data(0) + "/auto.cnf"));
  p.start(1);
}

}  // namespace holdfast::test::mysql

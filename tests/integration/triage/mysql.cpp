#include "tests/integration/triage/mysql.h"

#include <gtest/gtest.h>

#include <sstream>

namespace holdfast::test::mysql {

using std::chrono::seconds;

void caught_up(Patient& p) {
  const std::string at = p.sql(0, {"SELECT @@GLOBAL.gtid_executed"});
  EXPECT_EQ(p.sql(1, {"SELECT WAIT_FOR_EXECUTED_GTID_SET('" + at + "', 29)"}), "0")
      << "the replica lacks some of " << at;
}

void idle(Patient& p) {
  p.stop_writer();
  // Not information_schema.PROCESSLIST: it fails while a statement with a character beyond utf8mb3 runs.
  await(
      "the primary ends the writer's session",
      [&] {
        std::istringstream sessions(p.table(0, "SHOW PROCESSLIST"));
        int of_the_account = 0;  // one of them asks
        for (std::string line; std::getline(sessions, line);)
          of_the_account += line.find("\tholdfast\tlocalhost\t") != line.npos;
        return of_the_account == 1;
      },
      seconds(30));
  caught_up(p);
}

void heal_network(Patient& p) {
  p.lab_heal(1);
  p.sql(1, {"STOP REPLICA IO_THREAD", "START REPLICA IO_THREAD"});
  caught_up(p);
}

void take_server_uuid(Patient& p) {
  p.stop(1);
  rewrite(p.data(1) + "/auto.cnf", text_of(p.data(0) + "/auto.cnf"));
  p.start(1);
}

}  // namespace holdfast::test::mysql

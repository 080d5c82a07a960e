#include "tests/integration/triage/postgres.h"

namespace holdfast::test::postgres {

using std::chrono::seconds;

void caught_up(Patient& p) {
  // Not the place of the next record: on a new page that is past a header which nothing replays before the record
  // comes.
  const std::string at = p.sql(0, {"SELECT pg_current_wal_flush_lsn()"});
  await(
      "the standby has it", [&] { return p.sql(1, {"SELECT pg_last_wal_replay_lsn() >= '" + at + "'"}) == "t"; },
      seconds(30));
}

void heal_network(Patient& p) {
  p.lab_heal(1);
  p.sql(0, {"SELECT pg_terminate_backend(pid) FROM pg_stat_replication"});
  p.stop(1);
  p.start(1);
  caught_up(p);
}

void wait_until_slot_is_free(Patient& p) {
  await("the slot is free", [&] { return p.sql(0, {"SELECT active FROM pg_replication_slots"}) == "f"; }, seconds(30));
}

void churn(Patient& p, int segments) {
  for (int i = 0; i < segments; ++i)
    p.sql(0, {"CREATE TABLE IF NOT EXISTS churn (a TEXT)", "INSERT INTO churn VALUES ('x')", "SELECT pg_switch_wal()"});
  p.sql(0, {"CHECKPOINT"});
}

}  // namespace holdfast::test::postgres

// What faults of the MariaDB cluster (semi-sync, GTID) have in common.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "tests/integration/triage/faults.h"

namespace holdfast::test::mariadb {

std::string value(Patient& p, int i, const std::string& variable);
/// The number of the error its applier stopped with, "0" when with none.
std::string apply_error(Patient& p, int i);
/// Waits until it has applied all up to this position.
void has_applied(Patient& p, int i, const std::string& position);
/// Waits until replica `i` has all that the primary has right now; also what a writer that was killed still commits.
void caught_up(Patient& p, int i);
/// An injection (or what undoes it) that is nothing but these statements.
std::function<void(Patient&)> sql_on(int i, std::vector<std::string> statements);

extern const std::vector<std::string> kTable, kDropTable;

}  // namespace holdfast::test::mariadb

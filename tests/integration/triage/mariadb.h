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
/// Waits until replica `i` has all that the primary has right now.
void caught_up(Patient& p, int i);
/// Ends the writer and waits until the replicas have all it wrote: also what the primary still commits of a client that
/// is gone already.
void end_writing(Patient& p);
/// Does what leaves nobody to acknowledge commits, and waits until the primary, which the writer keeps busy, has given
/// up waiting for it. Once replicas are back it waits as long as ever.
void lose_receipts(Patient& p, const std::function<void()>& lose_replicas);
extern const std::vector<std::string> kTable, kDropTable;

}  // namespace holdfast::test::mariadb

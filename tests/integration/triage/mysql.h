// What the faults of a MySQL cluster (member 0 the primary, member 1 its replica) are made with.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "tests/integration/triage/faults.h"

namespace holdfast::test::mysql {

/// Waits until the replica has executed all that the primary has executed now.
void caught_up(Patient& p);

/// Stops the writer, waits until the primary has also ended its session, which commits what it had been given, and
/// until the replica has that: nobody writes any more.
void idle(Patient& p);

/// Takes a cut of the replica's network back, and has it connect anew: the connection that was cut stays silent for as
/// long again, and what is done next would meet a replica that gets nothing.
void heal_network(Patient& p);

/// The replica calls itself by the primary's server UUID, as one does that was copied with its auto.cnf.
void take_server_uuid(Patient& p);

}  // namespace holdfast::test::mysql

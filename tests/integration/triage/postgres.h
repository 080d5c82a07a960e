// What the faults of a PostgreSQL cluster (member 0 the primary, member 1 its standby) are made with.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "tests/integration/triage/faults.h"

namespace holdfast::test::postgres {

/// The standby's slot on the primary.
constexpr const char* kSlot = "shop_postgres_1";

/// Waits until the standby has replayed all that is committed on the primary now.
void caught_up(Patient& p);

/// Takes a cut of the standby's network back, and has it connect anew: the connection that was cut stays silent for as
/// long again, and what is done next would meet a standby that gets nothing.
void heal_network(Patient& p);

/// Waits until no walsender of the primary uses the standby's slot.
void wait_until_slot_is_free(Patient& p);

/// Writes so many WAL segments, and then a checkpoint, which may recycle those before.
void churn(Patient& p, int segments);

}  // namespace holdfast::test::postgres

// The binary log state of a MariaDB copy.
#pragma once

#include "position/gtid_vector.h"

namespace holdfast::agent {

/// The state the donor had when it stood at `at`, from its states before and after that moment. Numbers of one domain
/// only grow (gtid_strict_mode), so what is not above `at` was there; of a server that wrote again after `at`, what it
/// had before. Never more than the donor had, and at least what it had at the first look.
position::GtidState binlog_state_at(const position::GtidState& before, const position::GtidState& after,
                                    const position::GtidVector& at);

}  // namespace holdfast::agent

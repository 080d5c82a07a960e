// Transactions that a member's log passes over. Pure.
#pragma once

#include <string>

#include "cluster/types.h"

namespace holdfast::cluster {

/// Of `transactions` (as Errant names them) those that the server with this UUID did not write itself: its own empty
/// ones passed nothing over. MariaDB: all of them. "" where they make no sense.
std::string written_by_others(Engine engine, const std::string& server_uuid, const std::string& transactions);

}  // namespace holdfast::cluster

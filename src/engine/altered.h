// Whether a table was altered after transactions that changed its rows: row events name no columns, so that nobody
// could say afterwards which is which. MySQL.
#pragma once

#include <string>
#include <vector>

#include "engine/errant.h"

namespace holdfast::engine {

/// What speaks against taking the tables of `list` (in the order of the log) for what they are now: "shop.orders was
/// altered after it (ALTER TABLE)"; "" = nothing. Reads the headers of all events of the binary log from the first of
/// them on, by `search.deadline`. What was received and never applied is left out.
Result<std::string> altered_afterwards(const ErrantSearch& search, const std::vector<ErrantTransaction>& list);

}  // namespace holdfast::engine

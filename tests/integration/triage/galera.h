// What faults of the Galera cluster have in common.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "tests/integration/triage/faults.h"

namespace holdfast::test::galera {

/// The value of a status variable, or why there is none.
std::string status(Patient& p, int i, const std::string& variable);
void await_status(Patient& p, int i, const std::string& variable, const std::string& value);

/// The others give a dead node up sooner than after 15 s; a server that was started anew has forgotten it.
void be_quick(Patient& p);
/// Nobody hears it and it hears nobody, while its clients and we reach it; no root needed. Not to be `on` any more is
/// not enough to be in the component again: that is for the cluster to decide.
void isolate(Patient& p, int i, bool on = true);

/// The path of its grastate.dat; what it says is changed while its server stands still.
std::string grastate(Patient& p, int i);
/// Puts `line` in the place of the first that has `key` in it.
void replace_line(const std::string& path, const std::string& key, const std::string& line);
/// Its grastate.dat names another history, or none.
void make_foreign(Patient& p, int i);
void forget_history(Patient& p, int i);

}  // namespace holdfast::test::galera

// Looking at members: one connection each, bounded, reading only. What could not be read stays empty.
#pragma once

#include <stop_token>

#include "base/deadline.h"
#include "cluster/facts.h"
#include "sql/rows.h"

namespace holdfast::engine {

/// Observes one member of any engine. Never fails: trouble is in the facts. Blocks until `deadline` at most.
cluster::MemberFacts observe(cluster::Engine engine, const cluster::Member& member, const sql::Target& target,
                             Deadline deadline, std::stop_token stop = {});

/// Puts a connection's failure into the facts (reach and error).
void note_failure(cluster::MemberFacts& facts, const Error& error);

}  // namespace holdfast::engine

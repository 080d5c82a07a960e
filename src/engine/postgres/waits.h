// What a PostgreSQL server waits for, and what it has lost of its WAL.
#pragma once

#include <functional>
#include <optional>
#include <string>

#include "cluster/facts.h"
#include "sql/rows.h"

namespace holdfast::engine::postgres {

/// Asks one statement; nullopt when it was refused or failed, and what it was about is noted as unknown under `name`.
using AskIfAllowed = std::function<std::optional<sql::Rows>(const std::string& name, const std::string& statement)>;

/// A standby: into facts.applier_waits what its replay waits for: a relation that a query has locked (the server names
/// the session), or a query that may still see what replay removes (all that can be it). The state ends in "(no limit)"
/// where replay waits for as long as the query takes, else in what max_standby_streaming_delay allows.
void look_at_replay_waits(cluster::MemberFacts& facts, const AskIfAllowed& if_allowed);

/// One that writes: into facts.lost_logs the WAL segments that its slots, or its own recovery from a crash, need and
/// that are not in pg_wal, at most ten of them. A slot that has been given up (wal_status lost) needs none.
void look_for_lost_wal(cluster::MemberFacts& facts, const AskIfAllowed& if_allowed);

}  // namespace holdfast::engine::postgres

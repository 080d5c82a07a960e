// What MariaDB servers say, understood. Pure.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "cluster/facts.h"

namespace holdfast::cluster {

/// "10.11.6-MariaDB" -> 10, 11; PostgreSQL: "15.4" -> 15, 0 (minor versions of one major go together).
std::optional<std::pair<int, int>> release_of(Engine engine, std::string_view version);

/// MariaDB, MySQL: an error by which a server turns an account away: not known, locked, wrong or expired password.
bool turns_account_away(int number);

/// MariaDB: an error of the applier about a transaction the server has logged before, and not about one of its own that
/// took the number: 1950, and the GTID it refused and the one in its way are of one server and domain.
bool refuses_what_it_logged(int number, std::string_view error);
/// A replica that refuses what it logged.
bool refuses_what_it_logged(Engine engine, const MemberFacts& member);
/// ... and that had applied it: MariaDB logs DDL before it notes its position, and was killed in between. Rows are
/// noted with their own commit: an older directory put back beside newer logs is something else.
bool noted_late(Engine engine, const MemberFacts& member);
/// MariaDB: what its binary log has of DDL is done, also after a crash (10.6).
bool has_atomic_ddl(std::string_view version);
/// MariaDB: what a replica's own log (gtid_binlog_state) has behind the position it noted (gtid_slave_pos), in each
/// domain: "0-1-36..0-1-37"; "" = nothing, or one of them makes no sense.
std::string logged_behind(std::string_view binlog_state, std::string_view slave_pos);
/// MariaDB: transactions that a replica logged itself under a number of its source, and which it now refuses to take
/// from there; nullopt when it does not, or what it refuses is only noted late.
std::optional<Errant> logged_beside_source(Engine engine, const MemberFacts& member);

}  // namespace holdfast::cluster

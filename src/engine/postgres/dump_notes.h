// What a dump of PostgreSQL does not carry, or not exactly, by the catalogue of the source.
#pragma once

#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "engine/dump.h"
#include "sql/postgres.h"

namespace holdfast::engine {

/// Of the whole server: databases that cannot be read, tablespaces with a place, prepared transactions. `standby`:
/// those are asked of `primary`.
Status note_server(sql::PostgresConnection& session, bool standby, const std::optional<sql::Target>& primary,
                   DumpInfo& info, std::stop_token stop);
/// Of one database, in its snapshot.
Status note_database(sql::PostgresConnection& session, const std::string& database, bool standby, DumpInfo& info,
                     std::stop_token stop);
/// Sequences that a standby cannot read, as patterns of pg_dump --exclude-table-data in the session's encoding.
Result<std::vector<std::string>> unlogged_sequences(sql::PostgresConnection& session, std::stop_token stop);
/// ALTER SYSTEM statements for what postgresql.auto.conf sets; without what belongs to the member, not to the data.
Result<std::string> server_settings(sql::PostgresConnection& session, std::stop_token stop);

}  // namespace holdfast::engine

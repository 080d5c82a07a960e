// The JSON beside a dump, mysqldump.sql.json: what the dump holds, and what is known about it.
//
// {schemaVersion, engine, cluster, namespace, member, role, method, startedAt, finishedAt, serverVersion, toolVersion,
// lineage, position, positionExact, positionFrom, positionTo, logFile, logOffset, bytes, objects{...}, rows,
// tables[{database, schema, table, rows}], uncounted[{database, schema, table, why}], notes[{id, object, text}],
// remarks[], checksums{tables[{database, schema, table, rows, sum, history}], without[{database, schema, table,
// why}]}}; checksums only when they were asked for. Only PostgreSQL's tables have a schema. Older ones have
// tables{"database.table": rows} and neither uncounted nor notes.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "backup/backup_cluster.h"
#include "codec/value.h"

namespace holdfast::backup {

codec::Value sidecar(const BackupRequest& request, const BackupReport& report, const std::string& started,
                     const std::string& finished);

codec::Value notes_value(const std::vector<engine::DumpNote>& notes);
/// "sequence.ahead;unlogged.empty": each kind once, for a snapshot's tag notes=.
std::string note_kinds(const std::vector<engine::DumpNote>& notes);

/// What a sidecar says; a null or an older one says nothing.
std::vector<engine::DumpNote> notes_of(const codec::Value& sidecar);
std::map<engine::TableName, std::string> uncounted_of(const codec::Value& sidecar);
/// Nothing when the backup was made without.
std::optional<engine::ChecksumResults> checksums_of(const codec::Value& sidecar);

}  // namespace holdfast::backup

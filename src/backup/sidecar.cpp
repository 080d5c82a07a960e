#include "backup/sidecar.h"

#include <set>

namespace holdfast::backup {

using codec::Value;

namespace {

Value table_value(const engine::TableName& name) {
  auto value = Value::object({{"database", name.database}});
  if (!name.schema.empty()) value.set("schema", name.schema);
  value.set("table", name.table);
  return value;
}

}  // namespace

Value sidecar(const BackupRequest& request, const BackupReport& report, const std::string& started,
              const std::string& finished) {
  const auto& info = report.info;
  const auto& counts = info.counts;
  auto objects = Value::object({{"databases", counts.databases},
                                {"tables", counts.tables},
                                {"views", counts.views},
                                {"sequences", counts.sequences},
                                {"routines", counts.routines},
                                {"triggers", counts.triggers},
                                {"events", counts.events},
                                {"roles", counts.roles}});
  Value::List tables;
  constexpr size_t kMostTables = 20000;  // a sidecar stays small
  for (const auto& [name, rows] : counts.table_rows) {
    if (tables.size() == kMostTables) break;
    Value table = table_value(name);
    table.set("rows", rows);
    tables.push_back(std::move(table));
  }
  Value::List uncounted;
  for (const auto& [name, why] : info.uncounted) {
    Value table = table_value(name);
    table.set("why", why);
    uncounted.push_back(std::move(table));
  }
  return Value::object({{"schemaVersion", "v1alpha1"},
                        {"engine", cluster::engine_name(request.cluster.engine)},
                        {"cluster", request.cluster.name.str()},
                        {"namespace", request.cluster.ns},
                        {"member", report.member},
                        {"role", request.cluster.engine == cluster::Engine::galera ? "member"
                                 : report.from_replica                             ? "replica"
                                                                                   : "primary"},
                        {"method", "dump"},
                        {"startedAt", started},
                        {"finishedAt", finished},
                        {"serverVersion", info.server_version},
                        {"toolVersion", info.tool_version},
                        {"lineage", info.lineage},
                        {"position", info.position},
                        {"positionExact", info.position_exact},
                        {"positionFrom", info.position_from},
                        {"positionTo", info.position_to},
                        {"logFile", info.log_file},
                        {"logOffset", info.log_offset},
                        {"bytes", counts.bytes},
                        {"objects", objects},
                        {"rows", counts.rows},
                        {"tables", Value(std::move(tables))},
                        {"uncounted", Value(std::move(uncounted))},
                        {"notes", notes_value(info.notes)},
                        {"remarks", Value::list_of(info.remarks)}});
}

Value notes_value(const std::vector<engine::DumpNote>& notes) {
  Value::List list;
  for (const auto& note : notes)
    list.push_back(Value::object({{"id", note.id}, {"object", note.object}, {"text", note.text}}));
  return Value(std::move(list));
}

std::string note_kinds(const std::vector<engine::DumpNote>& notes) {
  std::set<std::string> ids;
  for (const auto& note : notes) ids.insert(note.id);
  std::string text;
  for (const auto& id : ids) text += (text.empty() ? "" : ";") + id;
  return text;
}

std::vector<engine::DumpNote> notes_of(const Value& sidecar) {
  std::vector<engine::DumpNote> notes;
  for (const auto& note : sidecar["notes"].items())
    notes.push_back({note["id"].text(), note["object"].text(), note["text"].text()});
  return notes;
}

std::map<engine::TableName, std::string> uncounted_of(const Value& sidecar) {
  std::map<engine::TableName, std::string> tables;
  for (const auto& table : sidecar["uncounted"].items())
    tables[{table["database"].text(), table["schema"].text(), table["table"].text()}] = table["why"].text();
  return tables;
}

}  // namespace holdfast::backup

#include "backup/sidecar.h"

#include <set>

#include "codec/go_json.h"
#include "codec/hex.h"

namespace holdfast::backup {

using codec::Value;

namespace {

// Names are in the encoding of their database. Where JSON cannot hold the bytes, they are there in hexadecimal, too.
void set_name(Value& value, const std::string& part, const std::string& name) {
  value.set(part, name);
  if (!codec::is_utf8(name)) value.set(part + "Hex", codec::to_hex(as_bytes(name)));
}

std::string name_of(const Value& value, const std::string& part) {
  const std::string hex = value[part + "Hex"].text();
  std::vector<uint8_t> bytes(hex.size() / 2);
  if (hex.empty() || !codec::from_hex(hex, bytes)) return value[part].text();
  return std::string(as_text(bytes));
}

Value table_value(const engine::TableName& name) {
  auto value = Value::object({{"database", name.database}});
  if (!name.schema.empty()) set_name(value, "schema", name.schema);
  set_name(value, "table", name.table);
  return value;
}

engine::TableName table_of(const Value& value) {
  return {value["database"].text(), name_of(value, "schema"), name_of(value, "table")};
}

Value reasons_value(const std::map<engine::TableName, std::string>& tables) {
  Value::List list;
  for (const auto& [name, why] : tables) {
    Value table = table_value(name);
    table.set("why", why);
    list.push_back(std::move(table));
  }
  return Value(std::move(list));
}

std::map<engine::TableName, std::string> reasons_of(const Value& list) {
  std::map<engine::TableName, std::string> tables;
  for (const auto& table : list.items()) tables[table_of(table)] = table["why"].text();
  return tables;
}

Value checksums_value(const engine::ChecksumResults& checksums) {
  Value::List tables;
  for (const auto& [name, checksum] : checksums.sums) {
    Value table = table_value(name);
    table.set("rows", checksum.rows);
    table.set("sum", checksum.sum);
    if (checksum.history) table.set("history", true);
    tables.push_back(std::move(table));
  }
  return Value::object({{"tables", Value(std::move(tables))}, {"without", reasons_value(checksums.without)}});
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
  Value document = Value::object({{"schemaVersion", "v1alpha1"},
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
                                  {"uncounted", reasons_value(info.uncounted)},
                                  {"notes", notes_value(info.notes)},
                                  {"remarks", Value::list_of(info.remarks)}});
  if (info.checksums) document.set("checksums", checksums_value(*info.checksums));
  return document;
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
  return reasons_of(sidecar["uncounted"]);
}

std::optional<engine::ChecksumResults> checksums_of(const Value& sidecar) {
  const Value& kept = sidecar["checksums"];
  if (kept.is_null()) return std::nullopt;
  engine::ChecksumResults checksums;
  for (const auto& table : kept["tables"].items())
    checksums.sums[table_of(table)] = {table["rows"].unsigned_integer(), table["sum"].text(),
                                       table["history"].boolean()};
  checksums.without = reasons_of(kept["without"]);
  return checksums;
}

}  // namespace holdfast::backup

#include "cluster/errant.h"

#include <fmt/format.h>

#include <charconv>

namespace holdfast::cluster {

using codec::Value;

namespace {

std::unexpected<Error> bad(std::string_view text) {
  return fail(ErrorClass::usage, "errant.text", fmt::format("'{}' contains no transactions", text));
}

std::vector<std::string_view> split(std::string_view text, std::string_view separators) {
  std::vector<std::string_view> parts;
  for (size_t at = 0; at < text.size();) {
    const size_t end = std::min(text.find_first_of(separators, at), text.size());
    if (end > at) parts.push_back(text.substr(at, end - at));
    at = end + 1;
  }
  return parts;
}

Result<position::MissingRange> parse_range(std::string_view text) {
  const size_t dots = text.find("..");
  const auto first = TRY(position::MariaGtid::parse(text.substr(0, dots)));
  auto last = first;
  if (dots != std::string_view::npos) last = TRY(position::MariaGtid::parse(text.substr(dots + 2)));
  if (first.domain != last.domain || first.server != last.server || first.seq == 0 || last.seq < first.seq)
    return bad(text);
  return position::MissingRange{first.domain, first.server, first.seq - 1, last.seq};
}

/// "timeline 1 from 0/5000000 to 0/5000ABC"
Result<WalSpan> parse_span(std::string_view text) {
  const auto words = split(text, " ");
  if (words.size() != 6 || words[0] != "timeline" || words[2] != "from" || words[4] != "to") return bad(text);
  WalSpan span;
  const auto number = std::from_chars(words[1].data(), words[1].data() + words[1].size(), span.timeline);
  if (number.ec != std::errc() || number.ptr != words[1].data() + words[1].size()) return bad(text);
  span.from = TRY(position::Lsn::parse(words[3]));
  span.to = TRY(position::Lsn::parse(words[5]));
  return span;
}

}  // namespace

std::string_view errant_class_name(ErrantClass kind) {
  switch (kind) {
    case ErrantClass::user_data:
      return "user_data";
    case ErrantClass::unknown:
      return "unknown";
    case ErrantClass::ddl:
      return "ddl";
    case ErrantClass::account:
      return "account";
    case ErrantClass::heartbeat:
      return "heartbeat";
    case ErrantClass::empty:
      return "empty";
  }
  return "?";
}

std::set<std::string> Errant::tables() const {
  std::set<std::string> all;
  for (const auto& [kind, group] : classes) all.insert(group.tables.begin(), group.tables.end());
  return all;
}

Result<ErrantNames> parse_errant(Engine engine, std::string_view text) {
  ErrantNames names;
  switch (engine) {
    case Engine::mysql:
      names.set = TRY(position::GtidSet::parse(text));
      break;
    case Engine::mariadb:
      for (auto part : split(text, ", \n")) names.ranges.push_back(TRY(parse_range(part)));
      break;
    case Engine::postgres:
      for (auto part : split(text, ",")) names.wal.push_back(TRY(parse_span(part)));
      break;
    case Engine::galera:
      break;
  }
  if (names.set.empty() && names.ranges.empty() && names.wal.empty()) return bad(text);
  return names;
}

std::set<std::string> heartbeat_tables(const DatabaseCluster& cluster) {
  std::set<std::string> tables = {"*.heartbeat", "kubeblocks.kb_health_check", "percona.heartbeat"};
  const auto annotation = cluster.annotations.find(std::string(kHeartbeatAnnotation));
  if (annotation != cluster.annotations.end())
    for (auto name : split(annotation->second, ", \t\n")) tables.emplace(name);
  return tables;
}

Value errant_value(const Errant& errant) {
  auto classes = Value::object(), details = Value::object();
  for (auto kind : kErrantClasses) {
    const auto found = errant.classes.find(kind);
    classes.set(errant_class_name(kind), found == errant.classes.end() ? uint64_t{0} : found->second.count);
    if (found == errant.classes.end()) continue;
    details.set(errant_class_name(kind), Value::object({{"tables", Value::list_of(found->second.tables)},
                                                        {"verbs", Value::list_of(found->second.verbs)}}));
  }
  auto value = Value::object({{"transactions", errant.transactions},
                              {"count", errant.count},
                              {"exact", errant.exact},
                              {"lookedAt", errant.looked_at},
                              {"unseen", errant.unseen.empty() ? Value() : Value(errant.unseen)},
                              {"against", errant.against},
                              {"classes", classes},
                              {"tables", Value::list_of(errant.tables())},
                              {"details", details}});
  if (errant.wal_bytes > 0) {
    auto records = Value::object();
    for (const auto& [name, count] : errant.wal_records) records.set(name, count);
    value.set("wal", Value::object({{"bytes", errant.wal_bytes}, {"records", records}}));
  }
  return value;
}

Errant errant_from(const Value& value) {
  Errant errant;
  errant.transactions = value["transactions"].text();
  errant.count = value["count"].unsigned_integer();
  errant.exact = value["exact"].boolean();
  errant.looked_at = value["lookedAt"].boolean();
  errant.unseen = value["unseen"].text();
  errant.against = value["against"].text();
  for (auto kind : kErrantClasses) {
    const uint64_t count = value["classes"][errant_class_name(kind)].unsigned_integer();
    if (count == 0) continue;
    ErrantGroup& group = errant.classes[kind];
    group.count = count;
    const Value& details = value["details"][errant_class_name(kind)];
    for (const auto& table : details["tables"].items()) group.tables.insert(table.text());
    for (const auto& verb : details["verbs"].items()) group.verbs.insert(verb.text());
  }
  errant.wal_bytes = value["wal"]["bytes"].unsigned_integer();
  for (const auto& [name, count] : value["wal"]["records"].members())
    errant.wal_records[name] = count.unsigned_integer();
  return errant;
}

}  // namespace holdfast::cluster

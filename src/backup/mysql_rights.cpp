#include "backup/mysql_rights.h"

#include <algorithm>

#include "engine/dump_scan_dialect.h"

namespace holdfast::backup {

bool fits_pattern(std::string_view name, std::string_view pattern) {
  while (!pattern.empty()) {
    if (pattern[0] == '%') {
      for (size_t skip = 0; skip <= name.size(); ++skip)
        if (fits_pattern(name.substr(skip), pattern.substr(1))) return true;
      return false;
    }
    const bool literal = pattern[0] == '\\' && pattern.size() > 1;
    if (literal) pattern.remove_prefix(1);
    if (name.empty() || (name[0] != pattern[0] && (literal || pattern[0] != '_'))) return false;
    name.remove_prefix(1);
    pattern.remove_prefix(1);
  }
  return name.empty();
}

bool may(const std::set<std::string>& rights, std::string_view privilege, std::string_view database) {
  for (const std::string_view right : rights) {
    const size_t on = right.find(" ON ");
    if (on == std::string_view::npos) continue;
    const std::string_view what = right.substr(0, on), object = right.substr(on + 4);
    if (what != privilege && what != "ALL PRIVILEGES") continue;
    if (object == "*.*") return true;
    if (!object.ends_with(".*")) continue;
    const auto pattern = engine::quoted_name(object, '`');
    if (!pattern.empty() && fits_pattern(database, pattern)) return true;
  }
  return false;
}

std::vector<std::string> privileges_to_load(const DumpedDatabase& database) {
  std::vector<std::string> privileges = {"SELECT", "INSERT", "CREATE",     "DROP",
                                         "ALTER",  "INDEX",  "REFERENCES", "LOCK TABLES"};
  const auto has = [&](std::initializer_list<const char*> kinds) {
    return std::ranges::any_of(kinds, [&](const char* kind) { return database.kinds.contains(kind); });
  };
  if (has({"VIEW"})) privileges.insert(privileges.end(), {"CREATE VIEW", "SHOW VIEW"});
  if (has({"PROCEDURE", "FUNCTION", "PACKAGE"}))
    privileges.insert(privileges.end(), {"CREATE ROUTINE", "ALTER ROUTINE"});
  if (has({"TRIGGER"})) privileges.emplace_back("TRIGGER");
  if (has({"EVENT"})) privileges.emplace_back("EVENT");
  return privileges;
}

}  // namespace holdfast::backup

#include "backup/postgres_selection.h"

#include <algorithm>
#include <array>
#include <utility>

#include "engine/postgres/script.h"
#include "sql/rows.h"

namespace holdfast::backup {
namespace {

/// Behind `word` where that is outside of quotes; npos. The statements that are asked have no other quotes than those
/// of names and literals.
size_t behind(std::string_view text, std::string_view word, size_t from = 0) {
  char quote = 0;
  for (size_t i = from; i < text.size(); ++i) {
    if (quote != 0) {
      if (text[i] == quote) quote = 0;  // a doubled one opens again at once
    } else if (text.substr(i).starts_with(word)) {
      return i + word.size();
    } else if (text[i] == '"' || text[i] == '\'') {
      quote = text[i];
    }
  }
  return std::string_view::npos;
}

std::optional<std::string> name_behind(std::string_view text, std::string_view word) {
  const size_t at = behind(text, word);
  if (at == std::string_view::npos) return std::nullopt;
  size_t after = 0;
  auto name = engine::script_name(text.substr(at), &after);
  if (after == 0) return std::nullopt;
  return name;
}

bool is_servers(std::string_view role) {
  return role == "public" || role == "PUBLIC" || role.starts_with("pg_") || role == "current_user" ||
         role == "session_user";
}

}  // namespace

std::optional<std::string> database_of_statement(std::string_view statement) {
  using Form = std::pair<std::string_view, std::string_view>;
  constexpr std::array<Form, 6> kForms = {Form{"ALTER DATABASE ", "ALTER DATABASE "},
                                          Form{"COMMENT ON DATABASE ", "COMMENT ON DATABASE "},
                                          Form{"GRANT ", " ON DATABASE "},
                                          Form{"REVOKE ", " ON DATABASE "},
                                          Form{"ALTER ROLE ", " IN DATABASE "},
                                          Form{"SECURITY LABEL ", " ON DATABASE "}};
  for (const auto& [start, word] : kForms)
    if (statement.starts_with(start)) return name_behind(statement, word);
  return std::nullopt;
}

std::string with_database_name(std::string_view create, const std::string& name) {
  constexpr std::string_view kCreate = "CREATE DATABASE ";
  if (!create.starts_with(kCreate)) return std::string(create);
  size_t after = 0;
  (void)engine::script_name(create.substr(kCreate.size()), &after);
  return std::string(kCreate) + sql::quote_postgres_name(name) + std::string(create.substr(kCreate.size() + after));
}

NamedRoles roles_of_statement(std::string_view statement) {
  NamedRoles roles;
  // pg_dump writes a statement of its own for each role.
  const auto take = [&](std::string_view word, std::vector<std::string>& into) {
    if (auto name = name_behind(statement, word); name && !is_servers(*name)) into.push_back(std::move(*name));
  };
  const auto owner = [&](std::string_view word) { take(word, roles.owners); };
  const auto others = [&](std::string_view word) { take(word, roles.others); };
  if (statement.starts_with("ALTER DEFAULT PRIVILEGES ")) {
    owner("FOR ROLE ");
    others(" TO ");
    others(" FROM ");
  } else if (statement.starts_with("ALTER ROLE ")) {
    others("ALTER ROLE ");
  } else if (statement.starts_with("ALTER ")) {
    owner(" OWNER TO ");
  } else if (statement.starts_with("GRANT ")) {
    others(" TO ");
  } else if (statement.starts_with("REVOKE ")) {
    others(" FROM ");
  } else if (statement.starts_with("CREATE USER MAPPING FOR ")) {
    others("CREATE USER MAPPING FOR ");
  }
  return roles;
}

bool is_postgres_system_database(std::string_view name) {
  return name == "postgres" || name == "template0" || name == "template1";
}

}  // namespace holdfast::backup

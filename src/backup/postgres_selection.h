// Statements of a PostgreSQL dump that are about a database itself, and the roles that statements name. Pure.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace holdfast::backup {

/// "orders" of ALTER DATABASE orders ..., COMMENT ON, GRANT and REVOKE ... ON DATABASE, ALTER ROLE ... IN DATABASE and
/// SECURITY LABEL; nothing for any other statement.
std::optional<std::string> database_of_statement(std::string_view statement);

/// "CREATE DATABASE orders ...;" with another name.
std::string with_database_name(std::string_view create, const std::string& name);

/// Roles that a statement names: of ALTER ... OWNER TO and ALTER DEFAULT PRIVILEGES FOR ROLE the one whose objects
/// these are, of GRANT, REVOKE, CREATE USER MAPPING and ALTER ROLE the others. PUBLIC and the roles of the server are
/// none.
struct NamedRoles {
  std::vector<std::string> owners, others;
};
NamedRoles roles_of_statement(std::string_view statement);

/// The databases that every server has of its own.
bool is_postgres_system_database(std::string_view name);

}  // namespace holdfast::backup

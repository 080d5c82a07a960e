// The accounts of a MySQL server as statements: users, roles, their grants and passwords. They stand at the end of a
// dump, where all they name is there, and replace the account tables in the middle of it, which would take the rights
// of whoever loads it.
#pragma once

#include <set>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "engine/dump.h"
#include "sql/mariadb.h"

namespace holdfast::engine {

/// Tables of the schema mysql that the dump program leaves out because of them.
const std::vector<std::string>& account_tables();

/// Accounts that views run as are made before the views, locked and with rights on everything: a view on another view
/// is refused where that one's definer is unknown or may not read. account_statements() takes them away first.
Result<std::string> definers_of_views(sql::MariadbConnection& connection, std::stop_token stop);

/// The statements; what they cannot carry is added to `notes`. Accounts of the server itself (mysql.sys and its like)
/// are left out: every server has them. An account that is there already gets the password and the grants of the
/// backup beside its own grants.
Result<std::string> account_statements(sql::MariadbConnection& connection, std::vector<DumpNote>& notes,
                                       std::stop_token stop);

/// "CREATE USER `u`@`h` ... DEFAULT ROLE `r`@`%` REQUIRE ..." in its parts. Pure.
struct CreateUser {
  std::string account;  ///< `u`@`h`
  std::string rest;     ///< behind CREATE USER, without the default roles, which are not there yet
};
CreateUser split_create_user(std::string_view statement);

/// What a GRANT or REVOKE names, where that is one table or routine: nothing else can be missing later. Pure.
struct GrantObject {
  std::string type;  ///< "TABLE", "PROCEDURE", "FUNCTION"; "" = neither
  std::string database, name;
};
GrantObject grant_object(std::string_view statement);

/// Whether it grants rights by their names in mysql.global_grants ("BACKUP_ADMIN"): the others have no underscore.
/// Pure.
bool is_dynamic_grant(std::string_view statement);

/// The account's statement with what a certificate must say in quotes: SHOW CREATE USER writes it as it is. Pure.
std::string quote_certificate(std::string statement, const std::string& subject, const std::string& issuer);
/// A GRANT on a table without columns other than those in `there`; "" where nothing else was granted. Pure.
std::string without_columns(std::string_view statement, const std::set<std::string>& there,
                            std::set<std::string>& gone);

}  // namespace holdfast::engine

// Makes the accounts of engine/role_accounts.h on a server, and reads what an account of that name holds already.
#pragma once

#include <optional>
#include <set>
#include <stop_token>
#include <string>

#include "engine/role_accounts.h"
#include "sql/rows.h"

namespace holdfast::engine {

/// What the account holds, named as RoleAccount::rights; nullopt where it does not exist. PostgreSQL: of the database
/// of the login, and what holds for the whole server.
Result<std::optional<std::set<std::string>>> read_rights(cluster::Engine engine, const sql::Target& administrator,
                                                         const RoleAccount& account, std::stop_token stop = {});

/// Runs the account's statements; with no `password` those behind the first one, for an account that exists. Statements
/// that were run stay when a later one fails.
Status make_account(cluster::Engine engine, const sql::Target& administrator, const RoleAccount& account,
                    const std::optional<Secret>& password, std::stop_token stop = {});

/// 32 letters, digits, - and _: 192 bits, and no character that means anything to a client or a configuration file.
Secret new_password();

}  // namespace holdfast::engine

// What the parts of a PostgreSQL dump's own statements have in common.
#pragma once

#include <stop_token>
#include <string>

#include "base/deadline.h"
#include "sql/postgres.h"

namespace holdfast::engine::detail {

/// For one question to the catalogue.
Deadline soon();

/// "ALTER ROLE r SET name TO value;" from "ROLE r" and "name=value" as the catalogue has it.
std::string setting_statement(const std::string& of, const std::string& setting);

/// The privileges on `object`, whatever it had before: those of the row with acl and owner that `of` selects. Names are
/// quoted. Errors: those of the query.
Result<std::string> privileges(sql::PostgresConnection& session, const std::string& object, const std::string& owner,
                               const std::string& of, const std::stop_token& stop);

}  // namespace holdfast::engine::detail

// Generated columns, indexes and checks whose expressions mean something else in another mode of SQL: a difference of
// unsigned numbers is refused or negative (NO_UNSIGNED_SUBTRACTION), and MySQL reads the literals of an expression as
// the session that opens the table does (NO_BACKSLASH_ESCAPES). No catalogue says in which mode rows were written.
#pragma once

#include <map>
#include <string>

#include "engine/mysql_family/sources.h"

namespace holdfast::engine {

struct NeededModes {
  std::string modes;            ///< ",NO_UNSIGNED_SUBTRACTION", beside those of every load
  bool plain_literals = false;  ///< rows are loaded, but the table is not made, under NO_BACKSLASH_ESCAPES
  bool versioned = false;
};

/// Of tables whose rows cannot be loaded, or become others, without more modes. Reads the rows of tables with such an
/// expression. What no mode gives back is noted.
Result<std::map<TableName, NeededModes>> expression_modes(const Sources& sources, std::vector<DumpNote>& notes);

DumpNote generated_differs(const TableName& name);

/// An expression as a statement has it, from the text of MySQL's catalogue, where it is escaped once more. Pure.
std::string catalogue_expression(std::string_view text);

}  // namespace holdfast::engine

// Statements of pg_dump that the server itself, or psql, does not read back.
#pragma once

#include <string>
#include <string_view>

namespace holdfast::engine {

/// Whether loadable() may have something to do, by the first bytes of a statement.
bool may_need_loadable(std::string_view head);

/// The statement in a form that means the same and is read back. `begin` as a name in a routine is quoted: psql takes
/// it for the start of a body. The marks of a CYCLE clause are written as type 'value': the grammar takes no
/// 'value'::type there, which is how the server prints them. Nothing is left of a statement that disables the trigger
/// of a partition's foreign key: its name has a number that only the source knows.
std::string loadable(std::string_view statement);

}  // namespace holdfast::engine

// Pieces of the SQL that we write into a dump ourselves, which load with the server's plain client, and settings of the
// sessions that read for it. Pure.
#pragma once

#include <string>
#include <string_view>

namespace holdfast::engine {

/// What every text of ours begins with: the session settings it is written for. It may be said more than once.
std::string own_settings();
/// Of a whole load: a table that a less strict server took, with a row format it did not heed or too many columns for a
/// page, is taken again.
inline constexpr std::string_view kAsTheyWereMade = "SET SESSION innodb_strict_mode = OFF;\n";
/// sql_select_limit of a session that gets every row.
inline constexpr std::string_view kNoSelectLimit = "18446744073709551615";
/// For a session that reads whole tables: the server's limits of time and of rows are not for it.
std::string without_limits(bool mariadb);
/// Comment lines with any text in them, ended by a newline.
std::string comment_lines(std::string_view text);
/// MariaDB: runs the statement, and goes on when the server refuses it.
std::string tolerated(std::string_view statement);
/// Runs the text that the SQL expression gives.
std::string executed(std::string_view expression);

}  // namespace holdfast::engine

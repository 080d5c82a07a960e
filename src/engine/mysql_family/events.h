// Events of the scheduler as statements of our own: with the status they have on the primary, which a replica's own
// catalogue does not say (it shows every replicated event as disabled there, whether it was enabled or not), and with
// bodies the dump programs cannot write (mysqldump never ends over a body that holds two semicolons).
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "engine/mysql_family/sources.h"

namespace holdfast::engine {

struct ServerEvent {
  std::string schema, name;
  std::string definition;  ///< SHOW CREATE EVENT
  std::string sql_mode, time_zone;
  std::string charset, collation, schema_collation;  ///< of the session that created it, and of its schema then
  std::string schema_collation_now;
  std::string created;  ///< seconds since 1970
};

/// The definition with another status: "ENABLE", "DISABLE" or "DISABLE ON SLAVE". Unchanged where it has none. Pure.
std::string with_event_status(std::string_view definition, std::string_view status);
/// The definition as NO_BACKSLASH_ESCAPES reads it: the server writes the comment with backslashes all the same. Pure.
std::string with_plain_comment(std::string_view definition);
/// The shortest delimiter of semicolons that does not occur in `text`, at least two. Pure.
std::string free_delimiter(std::string_view text);
/// Drops and creates each of them, at the time it was first created: one whose time has passed is created too. Pure.
std::string event_statements(const std::vector<ServerEvent>& events);

/// All events of the source. One whose status the primary does not tell is disabled, and noted.
Result<std::vector<ServerEvent>> read_events(const Sources& sources, std::vector<DumpNote>& notes);

}  // namespace holdfast::engine

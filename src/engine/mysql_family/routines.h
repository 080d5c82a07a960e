// Routines of MariaDB and MySQL: what the dump programs do not write as the server reads it.
#pragma once

#include <string>

#include "engine/mysql_family/sources.h"

namespace holdfast::engine {

/// Comments that SHOW CREATE does not write as their load reads them: with backslashes even under
/// NO_BACKSLASH_ESCAPES, and in UTF-8 whatever the routine's own character set.
Result<std::string> routine_comments(const Sources& sources);
/// Routines, triggers and events in character sets whose second bytes the plain client takes for backslashes.
Status note_character_sets(const Sources& sources, std::vector<DumpNote>& notes);
/// A replica that filters what it replicates is no copy of the primary.
Status note_filters(const Sources& sources, std::vector<DumpNote>& notes);

}  // namespace holdfast::engine

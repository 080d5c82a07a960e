#include "engine/mysql_family/directories.h"

#include <fmt/format.h>

namespace holdfast::engine {

Status note_directories(const Sources& sources, std::vector<DumpNote>& notes) {
  // Older servers of MariaDB do not say where a file is; what they cannot be asked is not noted.
  auto rows = sources.ask_source(
      sources.source.is_mariadb()
          ? "SELECT NAME AS n, FILENAME AS f FROM information_schema.INNODB_SYS_TABLESPACES WHERE FILENAME LIKE '/%'"
          : "SELECT t.NAME AS n, f.FILE_NAME AS f FROM information_schema.INNODB_TABLESPACES t JOIN "
            "information_schema.FILES f ON f.FILE_ID = t.SPACE WHERE t.SPACE_TYPE = 'Single' AND f.FILE_NAME LIKE "
            "'/%'");
  if (!rows) return {};
  for (size_t i = 0; i < rows->rows.size(); ++i) {
    notes.push_back({"directory.moved", rows->text("n", i),
                     fmt::format("{} has its file at {}; a restore makes it in the data directory", rows->text("n", i),
                                 rows->text("f", i))});
  }
  return {};
}

}  // namespace holdfast::engine

// What the rest of a dump asks for: full-text parsers, loadable functions, spatial reference systems, tablespaces and
// libraries.
#include <fmt/format.h>

#include "engine/mysql/objects.h"

namespace holdfast::engine {
namespace {

using sql::quote_mysql;
using sql::quote_mysql_name;

Result<std::string> spatial_reference_systems(const Sources& sources) {
  // Those the server brings are of EPSG, under its numbers. What is there already is left as it is.
  auto rows = sources.ask_source(
      R"sql(
      SELECT SRS_ID AS i, SRS_NAME AS n, ORGANIZATION AS o, ORGANIZATION_COORDSYS_ID AS c, DEFINITION AS d, DESCRIPTION
        AS t
      FROM information_schema.ST_SPATIAL_REFERENCE_SYSTEMS
      WHERE SRS_ID > 0 AND (ORGANIZATION IS NULL OR ORGANIZATION <> 'EPSG' OR ORGANIZATION_COORDSYS_ID <> SRS_ID OR
          DESCRIPTION IS NOT NULL OR (SRS_ID > 32767 AND SRS_ID NOT BETWEEN 60000000 AND 69999999))
      ORDER BY 1)sql");
  if (!rows) return fail(std::move(rows).error());
  std::string text;
  for (size_t i = 0; i < rows->rows.size(); ++i) {
    text += fmt::format("CREATE SPATIAL REFERENCE SYSTEM IF NOT EXISTS {} NAME {} DEFINITION {}", rows->text("i", i),
                        quote_mysql(rows->text("n", i)), quote_mysql(rows->text("d", i)));
    if (rows->value("o", i)) {
      text += fmt::format(" ORGANIZATION {} IDENTIFIED BY {}", quote_mysql(rows->text("o", i)), rows->text("c", i));
    }
    if (rows->value("t", i)) text += " DESCRIPTION " + quote_mysql(rows->text("t", i));
    text += ";\n";
  }
  return text;
}

// A data file keeps its name and moves into the data directory of the server it is restored to. Those of undo logs are
// not replicated.
Result<std::string> tablespaces(const Sources& sources, bool undo, std::vector<DumpNote>& notes) {
  const char* const statement =
      "SELECT t.NAME AS n, t.SPACE_TYPE AS k, t.AUTOEXTEND_SIZE AS a, t.ENCRYPTION AS e, t.FS_BLOCK_SIZE AS fs, "
      "t.ZIP_PAGE_SIZE AS z, f.FILE_NAME AS f FROM information_schema.INNODB_TABLESPACES t JOIN "
      "information_schema.FILES f ON f.FILE_ID = t.SPACE WHERE t.SPACE_TYPE <> 'Single' AND t.NAME <> "
      "'mysql' AND t.NAME NOT LIKE 'innodb\\_%' ORDER BY t.NAME";
  auto rows = TRY(undo ? sources.ask_truth(statement) : sources.ask_source(statement));
  std::string text;
  for (size_t i = 0; i < rows.rows.size(); ++i) {
    const std::string name = rows.text("n", i), path = rows.text("f", i);
    if (rows.text("k", i) != (undo ? "Undo" : "General")) continue;
    const std::string file = path.substr(path.rfind('/') + 1);
    text += fmt::format("CREATE {}TABLESPACE {} ADD DATAFILE {}", undo ? "UNDO " : "", quote_mysql_name(name),
                        quote_mysql(file));
    if (!undo && rows.text("z", i) != "0" && !rows.text("z", i).empty())
      text += " FILE_BLOCK_SIZE=" + rows.text("z", i);
    if (!undo && rows.text("a", i) != "0" && !rows.text("a", i).empty())
      text += " AUTOEXTEND_SIZE=" + rows.text("a", i);
    if (!undo && rows.text("e", i) == "Y") text += " ENCRYPTION='Y'";
    text += " ENGINE=InnoDB;\n";
    if (path.starts_with('/')) {
      notes.push_back({"tablespace.moved", name,
                       fmt::format("tablespace {} has its file at {}; a restore makes it as {} in the data directory",
                                   name, path, file)});
    }
  }
  return text;
}

// Routines name them, and the dump program leaves them out. Servers before 9.2 have none.
Result<std::string> libraries(const Sources& sources) {
  const auto known =
      TRY(sources.ask_source("SELECT 1 FROM information_schema.TABLES WHERE TABLE_SCHEMA = 'information_schema' AND "
                             "TABLE_NAME = 'LIBRARIES'"));
  if (known.empty()) return std::string();
  const auto rows =
      TRY(sources.ask_source(fmt::format("SELECT LIBRARY_SCHEMA AS s, LIBRARY_NAME AS n, LIBRARY_DEFINITION AS d, "
                                         "LANGUAGE AS l, LIBRARY_COMMENT AS c FROM "
                                         "information_schema.LIBRARIES WHERE LIBRARY_SCHEMA NOT IN {} ORDER BY 1, 2",
                                         kSystemSchemas)));
  std::string text;
  for (size_t i = 0; i < rows.rows.size(); ++i) {
    const std::string schema = quote_mysql_name(rows.text("s", i)), name = quote_mysql_name(rows.text("n", i));
    std::string database =
        TRY(sources.ask_source("SHOW CREATE DATABASE IF NOT EXISTS " + schema)).text("Create Database");
    if (database.starts_with("CREATE DATABASE ")) database.replace(7, 8, "SCHEMA");
    text +=
        fmt::format("{};\nDROP LIBRARY IF EXISTS {}.{};\nCREATE LIBRARY {}.{}{} LANGUAGE {} AS {};\n", database, schema,
                    name, schema, name, rows.text("c", i).empty() ? "" : " COMMENT " + quote_mysql(rows.text("c", i)),
                    rows.text("l", i), quote_mysql(rows.text("d", i)));
  }
  return text;
}

std::string returned_type(const std::string& code) {
  return code == "1" ? "REAL" : code == "2" ? "INTEGER" : code == "4" ? "DECIMAL" : "STRING";
}

// An index names its parser, a view the functions it calls, and neither can be made without. Where a library is missing
// the restore goes on: what needs it says so. A component that only checks what is done here is no help.
Result<std::string> loaded(const Sources& sources) {
  std::string list;
  const auto parsers = TRY(sources.ask_source(
      "SELECT PLUGIN_NAME AS n, PLUGIN_LIBRARY AS l FROM information_schema.PLUGINS WHERE PLUGIN_TYPE = 'FTPARSER' AND "
      "PLUGIN_STATUS = 'ACTIVE' AND PLUGIN_LIBRARY IS NOT NULL ORDER BY 1"));
  for (size_t i = 0; i < parsers.rows.size(); ++i)
    list += fmt::format("INSTALL PLUGIN {} SONAME {}; ", quote_mysql_name(parsers.text("n", i)),
                        quote_mysql(parsers.text("l", i)));
  const auto functions =
      TRY(sources.ask_source("SELECT name AS n, ret AS r, dl AS l, type AS t FROM mysql.func ORDER BY 1"));
  for (size_t i = 0; i < functions.rows.size(); ++i)
    list +=
        fmt::format("CREATE {}FUNCTION {} RETURNS {} SONAME {}; ",
                    functions.text("t", i) == "aggregate" ? "AGGREGATE " : "", quote_mysql_name(functions.text("n", i)),
                    returned_type(functions.text("r", i)), quote_mysql(functions.text("l", i)));
  const auto components = TRY(sources.ask_source(
      "SELECT component_urn AS u FROM mysql.component WHERE component_urn NOT LIKE '%validate_password%' AND "
      "component_urn NOT LIKE '%connection_control%' ORDER BY component_id"));
  for (size_t i = 0; i < components.rows.size(); ++i)
    list += fmt::format("INSTALL COMPONENT {}; ", quote_mysql(components.text("u", i)));
  if (list.empty()) return list;
  return "DROP PROCEDURE IF EXISTS mysql.holdfast_load;\nDELIMITER ;;\nCREATE PROCEDURE mysql.holdfast_load() BEGIN "
         "DECLARE CONTINUE HANDLER FOR "
         "SQLEXCEPTION BEGIN END; " +
         list + "END ;;\nDELIMITER ;\nCALL mysql.holdfast_load();\nDROP PROCEDURE mysql.holdfast_load;\n";
}

}  // namespace

Result<std::string> mysql_objects_before(const Sources& sources, std::vector<DumpNote>& notes) {
  std::string text = TRY(loaded(sources));
  text += TRY(spatial_reference_systems(sources));
  text += TRY(tablespaces(sources, false, notes));
  text += TRY(tablespaces(sources, true, notes));
  text += TRY(libraries(sources));
  return text.empty() ? text : "--\n-- What the rest asks for\n--\n\n" + text + "\n";
}

}  // namespace holdfast::engine

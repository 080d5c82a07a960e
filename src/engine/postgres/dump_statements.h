// Statements of our own in a PostgreSQL dump: what pg_dump and pg_dumpall leave out, and what lets their output load
// into a server whose databases or roles have settings that would end it. Plain SQL, so that psql loads it too.
#pragma once

#include <map>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "engine/dump.h"
#include "engine/postgres/script.h"
#include "sql/postgres.h"

namespace holdfast::engine {

/// A session without the time limits that the server, its role or its database may set, in which only the server's own
/// objects are found without their schema.
Result<sql::PostgresConnection> open_dump_session(const sql::Target& target, std::stop_token stop);

/// Makes the session read and write the database's own encoding, in which a dump has its names and rows. That encoding.
Result<std::string> speak_own_encoding(sql::PostgresConnection& session, std::stop_token stop);

/// Given to pg_dump as PGOPTIONS: the same values are in kAfterConnect, so text forms are read as they were written.
inline constexpr const char* kDumpOptions =
    "-c role=none -c lc_monetary=C -c standard_conforming_strings=on -c transform_null_equals=off -c array_nulls=on "
    "-c default_transaction_isolation=repeatable\\ read";

/// In front of a SELECT of its own: `m`, the members of extensions with the transactions that made them members;
/// `known`, of which extensions that says what a script made (where each member has a transaction of its own,
/// pg_upgrade wrote them all, and nothing is known); `spans`, the numbers of what each script made: what the same
/// transaction made beside it has smaller or greater ones.
inline constexpr const char* kExtensionMembers =
    R"sql(
    WITH m AS (SELECT refobjid AS e, classid, objid, xmin AS x
      FROM pg_depend
      WHERE refclassid = 'pg_extension'::regclass AND deptype = 'e'),
    known AS (SELECT DISTINCT ON (e) e, count(*) > 1 OR (SELECT count(*) FROM m s WHERE s.e = m.e) = 1 AS is
      FROM m
      GROUP BY e, x
      ORDER BY e, x::text::bigint),
    spans AS (SELECT e, x, CASE WHEN min(objid) = (SELECT min(objid) FROM m s WHERE s.e = m.e) THEN e
        ELSE min(objid) END AS low, max(objid) AS high
      FROM m
      GROUP BY e, x))sql";

/// " SET name TO value;" as ALTER ROLE, ALTER DATABASE and ALTER SYSTEM take it: `value` in the form it is stored in.
std::string set_clause(const std::string& name, const std::string& value);

/// Belongs right behind every \connect.
std::string after_connect();

/// \connect to a database of any name, for psql.
std::string connect_command(const std::string& database);

/// Comment, limits, owner, privileges and settings of a database that exists already: postgres, template1. `session`:
/// of any database.
Result<std::string> database_properties(sql::PostgresConnection& session, const std::string& database,
                                        std::stop_token stop);
/// What pg_dumpall leaves out of what belongs to the whole server: settings of all roles (ALTER ROLE ALL), and owners,
/// options, privileges and comments of the tablespaces every server has.
Result<std::string> server_properties(sql::PostgresConnection& session, std::stop_token stop);
/// CREATE DATABASE for one that pg_dump cannot name (a newline in it).
Result<std::string> create_database(sql::PostgresConnection& session, const std::string& database,
                                    std::stop_token stop);

/// What one database needs around its rows, by its catalogue.
struct DataFrame {
  std::string before;                                    ///< in front of the first rows
  std::string after;                                     ///< behind all else
  bool event_triggers = false;                           ///< disabled as they are made; `after` enables them
  std::string objects;                                   ///< right behind \connect: what pg_dump leaves out
  std::map<std::string, std::string> behind_extensions;  ///< right behind CREATE EXTENSION, by its name
  bool before_attach = false;                            ///< `before` is needed where the first partition is attached
};
/// Functions that users made in pg_catalog, which pg_dump takes for the server's own. The schemas public and
/// information_schema, and plpgsql, where they were dropped; privileges and owners in the information schema and of the
/// language SQL, the server's text search and operator families, where they were changed. Functions of extensions that
/// were altered, privileges that their members had from the start. Comments that pg_dump passes over. Event triggers
/// would act on the statements behind them. CHECK constraints that call functions of users are taken off before the
/// rows come and validated at the end, when everything such a function may read is there; those functions then find the
/// names their own sessions find.
Result<DataFrame> data_frame(sql::PostgresConnection& session, std::stop_token stop);

/// The output of pg_dumpall --globals-only, with tablespaces inside the data directory written as CREATE TABLESPACE
/// takes them; pg_dumpall of 15 names their place.
std::string with_in_place_tablespaces(std::string_view globals);

/// Puts the statements into the output of pg_dump as it passes by, and gives some of its own a form that is read back.
class DumpInserter {
 public:
  DumpInserter(std::string after_connect, DataFrame frame)
      : after_connect_(std::move(after_connect)), frame_(std::move(frame)) {}
  /// What is to be written for `bytes`.
  std::string feed(std::string_view bytes);

 private:
  void take(const ScriptPiece& piece, std::string& out);
  const std::string after_connect_;
  const DataFrame frame_;
  ScriptLexer lexer_;
  std::string unit_;  ///< head of a statement, or a command or comment that is not whole yet
  bool headed_ = false;
  bool in_data_ = false;
  bool extension_ = false;      ///< the statement that passes makes one; it is kept in unit_
  bool event_trigger_ = false;  ///< the statement that passes makes or changes one; it is kept in unit_
  bool whole_ = false;          ///< the statement that passes is written when it has ended
};

}  // namespace holdfast::engine

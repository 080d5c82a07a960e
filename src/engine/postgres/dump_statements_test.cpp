#include "engine/postgres/dump_statements.h"

#include <gtest/gtest.h>

namespace holdfast::engine {
namespace {

constexpr std::string_view kDump =
    "--\n-- PostgreSQL database dump\n--\n\n\\restrict k\nSET x = 'y';\nCREATE DATABASE shop;\n\\connect shop\n"
    "ALTER DATABASE shop SET a TO 'b';\n\\connect shop\n\\restrict k\n"
    "CREATE FUNCTION f() AS $$\nCOPY x FROM stdin;\n\\connect y\n$$;\n"
    "COPY public.t (a) FROM stdin;\n-- PostgreSQL database dump complete\n\\connect z\n\\.\n\nCOPY public.u (a) FROM "
    "stdin;\n\\.\n\n--\n-- PostgreSQL database dump complete\n--\n\n\\unrestrict k\n";

std::string with(std::string_view text, std::initializer_list<std::pair<std::string_view, std::string_view>> changes) {
  std::string out(text);
  size_t from = 0;
  for (const auto& [what, by] : changes) {
    const size_t at = out.find(what, from);
    EXPECT_NE(at, std::string::npos) << what;
    out.replace(at, what.size(), by);
    from = at + by.size();
  }
  return out;
}

TEST(DumpInserter, puts_each_statement_at_its_place_in_pieces_of_every_size) {
  const std::string connects =
      with(kDump, {{"\\connect shop\n", "\\connect shop\nSET c;\n"}, {"\\connect shop\n", "\\connect shop\nSET c;\n"}});
  const std::string framed = with(connects, {{"COPY public.t", "BEFORE;\nCOPY public.t"},
                                             {"\\.\n\n--\n-- PostgreSQL", "\\.\n\n--\nAFTER;\n\n-- PostgreSQL"}});
  for (size_t piece = 1; piece <= kDump.size(); ++piece) {
    DumpInserter plain("SET c;\n", {}), both("SET c;\n", {"BEFORE;\n", "AFTER;\n"});
    std::string one, two;
    for (size_t at = 0; at < kDump.size(); at += piece) {
      one += plain.feed(kDump.substr(at, piece));
      two += both.feed(kDump.substr(at, piece));
    }
    EXPECT_EQ(one, connects) << piece;
    EXPECT_EQ(two, framed) << piece;
  }
}

TEST(DumpInserter, frames_a_database_without_rows) {
  DumpInserter inserter("SET c;\n", {"BEFORE;\n", "AFTER;\n"});
  EXPECT_EQ(inserter.feed("CREATE SCHEMA s;\n--\n-- PostgreSQL database dump complete\n--\n\n"),
            "CREATE SCHEMA s;\n--\nBEFORE;\n\nAFTER;\n\n-- PostgreSQL database dump complete\n--\n\n");
}

TEST(DumpInserter, writes_what_psql_and_the_server_read_back) {
  const std::string dump =
      "CREATE FUNCTION public.begin() RETURNS text\n    LANGUAGE sql\n    BEGIN ATOMIC\n SELECT 'begin' AS begin, "
      "t.\"begin\" FROM t;\nEND;\nCREATE FUNCTION f() AS $$ begin $$ LANGUAGE plpgsql;\nCREATE VIEW v AS\n WITH "
      "RECURSIVE t AS (SELECT 1 AS a) SEARCH BREADTH FIRST BY a SET o CYCLE a SET \"C\" TO 'it''s :: '::character "
      "varying(3) DEFAULT NULL::text USING p\n SELECT 'x'::text;\nCREATE MATERIALIZED VIEW v AS WITH RECURSIVE t "
      "CYCLE a SET c USING p, u CYCLE a SET c TO '1 day'::interval hour DEFAULT 1 USING p SELECT 1;\nALTER TABLE t "
      "DISABLE TRIGGER \"RI_ConstraintTrigger_c_1\";\nALTER TABLE t DISABLE TRIGGER t;\n";
  const std::string expected = with(dump, {{"public.begin", "public.\"begin\""},
                                           {"AS begin,", "AS \"begin\","},
                                           {"'it''s :: '::character varying(3)", "character varying(3) 'it''s :: '"},
                                           {"NULL::text", "NULL"},
                                           {"'1 day'::interval hour", "interval '1 day' hour"},
                                           {"ALTER TABLE t DISABLE TRIGGER \"RI_ConstraintTrigger_c_1\";", ""}});
  for (size_t piece = 1; piece <= dump.size(); ++piece) {
    DumpInserter inserter("SET c;\n", {});
    std::string found;
    for (size_t at = 0; at < dump.size(); at += piece) found += inserter.feed(std::string_view(dump).substr(at, piece));
    ASSERT_EQ(found, expected) << piece;
  }
}

TEST(InPlaceTablespaces, have_no_place) {
  EXPECT_EQ(with_in_place_tablespaces("CREATE ROLE x;\nCREATE TABLESPACE a OWNER x LOCATION 'pg_tblspc/16389';\n"
                                      "CREATE TABLESPACE b OWNER x LOCATION '/srv/pg_tblspc/1';\n"),
            "SET allow_in_place_tablespaces = on;\nCREATE ROLE x;\nCREATE TABLESPACE a OWNER x LOCATION '';\n"
            "CREATE TABLESPACE b OWNER x LOCATION '/srv/pg_tblspc/1';\n");
  EXPECT_EQ(with_in_place_tablespaces("CREATE ROLE \" LOCATION '';\";"), "CREATE ROLE \" LOCATION '';\";");
}

TEST(ConnectCommand, is_read_back_whatever_the_name) {
  for (const std::string name : {"a\nb", "a'b", "a\\b", "a\"b", "a\r\nb c.d\\'", "="})
    EXPECT_EQ(connect_database(connect_command(name)), name) << connect_command(name);
}

}  // namespace
}  // namespace holdfast::engine

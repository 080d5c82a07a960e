#include "engine/postgres/script.h"

#include <gtest/gtest.h>

#include <vector>

namespace holdfast::engine {
namespace {

using enum ScriptUnit;

struct Unit {
  ScriptUnit unit;
  std::string text;
  bool operator==(const Unit&) const = default;
};

std::vector<Unit> units(std::string_view script, size_t piece, ScriptLexer& lexer) {
  std::vector<Unit> found;
  bool open = false;
  for (size_t at = 0; at < script.size(); at += piece) {
    const std::string block(script.substr(at, piece));  // so that a read past a block's end is one that is seen
    lexer.feed(block, [&](const ScriptPiece& p) {
      const bool joins = p.unit == ScriptUnit::copy || p.unit == ScriptUnit::blank;
      if (!found.empty() && (open || joins) && found.back().unit == p.unit) {
        found.back().text += p.text;
      } else {
        found.push_back({p.unit, std::string(p.text)});
      }
      open = !p.last;
    });
  }
  std::erase_if(found, [](const Unit& unit) { return unit.unit == ScriptUnit::blank; });
  return found;
}

void expect_units(std::string_view script, const std::vector<Unit>& expected) {
  for (size_t piece = 1; piece <= script.size(); ++piece) {
    ScriptLexer lexer;
    const auto found = units(script, piece, lexer);
    ASSERT_EQ(found.size(), expected.size()) << script << " in pieces of " << piece;
    for (size_t i = 0; i < found.size(); ++i) {
      EXPECT_EQ(found[i].unit, expected[i].unit) << i << " of " << script;
      EXPECT_EQ(found[i].text, expected[i].text);
    }
    EXPECT_TRUE(lexer.between_units()) << script;
  }
}

TEST(ScriptLexer, statements_end_only_where_they_end) {
  for (const char* text :
       {"SELECT 1;",
        "SELECT 'a;b''c;';",
        "SELECT E'a\\';b';",
        "SELECT e'\\\\';",
        "SELECT 'a\\';",
        "SELECT E'a'\n'\\';';",
        "SELECT n'a\\';",
        "SELECT \"a;\"\"b;'\";",
        "SELECT $$;'$x$;$$;",
        "SELECT $a$;$$;$b$;$a$;",
        "SELECT $a$;$$a$;",
        "SELECT a$$ , b$$;",
        "SELECT $1;",
        "SELECT x -- ; '\n;",
        "SELECT /* ; /* ' */ ; */ 1;",
        "CREATE RULE r AS ON INSERT TO t DO ( INSERT INTO a VALUES (1); DELETE FROM b; );",
        "CREATE FUNCTION f() RETURNS int LANGUAGE sql BEGIN ATOMIC SELECT 1; SELECT CASE WHEN true THEN 2 END; END;",
        "CREATE OR REPLACE PROCEDURE f() BEGIN ATOMIC SELECT 1; END;",
        "CREATE FUNCTION f() RETURNS int LANGUAGE sql BEGIN ATOMIC SELECT 1 AS begin; SELECT b.begin FROM b begin; "
        "END;",
        "CREATE FUNCTION public.begin() RETURNS begin.atomic AS $$;$$;",
        "CREATE TABLE \"begin\" (x int);",
        "CREATE FUNCTION f() RETURNS void AS $$\nCOPY x FROM stdin;\n\\connect y\n\\.\n$$;",
        "CREATE VIEW v AS SELECT '\nCOPY x FROM stdin;\n';",
        "COMMENT ON TABLE t IS '\n\\connect x\n-- Name: y; Type: TABLE';",
        "SELECT U&'\\0041;';"}) {
    expect_units(std::string(text) + "\nSELECT 2;", {{statement, text}, {statement, "SELECT 2;"}});
  }
}

TEST(ScriptLexer, rows_of_copy_are_rows_whatever_they_say) {
  const std::string rows = "1\t'\n\\\\.\n\\.x\n;\n$$\n\\N\n\n";
  expect_units("COPY public.\"FROM stdin;\" (a, \"b;\") FROM stdin;\n" + rows + "\\.\n\nSELECT 1;",
               {{statement, "COPY public.\"FROM stdin;\" (a, \"b;\") FROM stdin;"},
                {copy, rows},
                {copy_end, "\\.\n"},
                {statement, "SELECT 1;"}});
  expect_units("COPY t (a) FROM stdin;\n\\.\n", {{statement, "COPY t (a) FROM stdin;"}, {copy_end, "\\.\n"}});
  // Not in this table's own name, and not in another statement.
  expect_units("COPY \"from\" TO stdout;\nSELECT 'COPY x', 1 FROM stdin;\n",
               {{statement, "COPY \"from\" TO stdout;"}, {statement, "SELECT 'COPY x', 1 FROM stdin;"}});
}

TEST(ScriptLexer, commands_and_comments) {
  expect_units("-- a ' comment\n\\connect shop\n/* b; */ SELECT 1;\n\\restrict x\n", {{comment, "-- a ' comment"},
                                                                                      {meta, "\\connect shop\n"},
                                                                                      {comment, "/* b; */"},
                                                                                      {statement, "SELECT 1;"},
                                                                                      {meta, "\\restrict x\n"}});
}

TEST(ScriptLexer, literals_of_a_server_without_standard_strings) {
  expect_units("SET standard_conforming_strings = off;\nSELECT 'a\\';b';\n\\connect x\nSELECT 'a\\';",
               {{statement, "SET standard_conforming_strings = off;"},
                {statement, "SELECT 'a\\';b';"},
                {meta, "\\connect x\n"},
                {statement, "SELECT 'a\\';"}});
}

TEST(ScriptLexer, an_unfinished_unit_is_not_between_units) {
  for (const char* script : {"SELECT 'x", "SELECT $$\n;", "SELECT 1", "/* x", "\\connect y", "COPY t FROM stdin;",
                             "COPY t FROM stdin;\n1\n", "COPY t FROM stdin;\n\\."}) {
    ScriptLexer lexer;
    lexer.feed(script, [](const ScriptPiece&) {});
    EXPECT_FALSE(lexer.between_units()) << script;
  }
}

TEST(ScriptLexer, a_backslash_inside_a_statement_is_seen) {
  ScriptLexer lexer, quoted;
  lexer.feed("SELECT 1 \\! id\n;", [](const ScriptPiece&) {});
  EXPECT_TRUE(lexer.stray_backslash());
  quoted.feed("SELECT '\\! id', $$\\$$, \"\\\";", [](const ScriptPiece&) {});
  EXPECT_FALSE(quoted.stray_backslash());
}

TEST(ConnectDatabase, as_pg_dump_writes_it) {
  EXPECT_EQ(connect_database("\\connect shop\n"), "shop");
  EXPECT_EQ(connect_database("\\connect a.b\n"), "a.b");
  EXPECT_EQ(connect_database("\\connect \"Shop\"\n"), "Shop");
  EXPECT_EQ(connect_database("\\connect -reuse-previous=on \"dbname='a\"\"b\\\\c\\'d.e f'\"\n"), "a\"b\\c'd.e f");
  EXPECT_EQ(connect_database("\\connect -reuse-previous=on 'dbname=\\'a\\nb\\''\n"), "a\nb");
  EXPECT_EQ(connect_database("\\connect -reuse-previous=on \"dbname=a-b\"\n"), "a-b");
}

TEST(ConnectDatabase, nothing_that_leads_to_another_server) {
  for (const char* meta : {"\\connect - - evil 5432\n", "\\connect x y\n", "\\connect host=evil\n", "\\c x\n",
                           "\\! id\n", "\\connect -reuse-previous=on \"dbname='x' host=evil\"\n",
                           "\\connect \"x\" \\! id\n", "\\connect `id`\n", "\\connect postgresql://evil/x\n",
                           "\\connect \n", "\\connect -reuse-previous=on \"host=evil\"\n", "\\connect :x\n"}) {
    EXPECT_EQ(connect_database(meta), std::nullopt) << meta;
  }
}

}  // namespace
}  // namespace holdfast::engine

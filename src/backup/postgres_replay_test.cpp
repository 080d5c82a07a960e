#include "backup/postgres_replay.h"

#include <gtest/gtest.h>

namespace holdfast::backup {
namespace {

TEST(RoleStatements, only_what_stands_in_the_way_is_left_out) {
  const std::set<std::string> existing = {"admin", "\"Odd one\"", "\"a\nb\"", "pg_monitor"};
  for (const char* statement : {"CREATE ROLE admin;", "CREATE ROLE \"Odd one\";", "CREATE ROLE \"a\nb\";"}) {
    EXPECT_TRUE(is_unwanted_role_statement(statement, existing)) << statement;
  }
  for (const char* statement : {"CREATE ROLE app;", "CREATE ROLE \"admin\";", "ALTER ROLE \"Odd one\" WITH LOGIN;",
                                "ALTER ROLE admin SET a TO 'b';", "GRANT admin TO app;"}) {
    EXPECT_FALSE(is_unwanted_role_statement(statement, existing)) << statement;
  }
}

TEST(RoleStatements, what_could_keep_us_out_is_no_part_of_our_own) {
  const auto whole = own_role_statement(
      "ALTER ROLE admin WITH NOSUPERUSER INHERIT CREATEROLE NOLOGIN NOBYPASSRLS CONNECTION LIMIT 9 PASSWORD 'x "
      "SUPERUSER "
      "VALID UNTIL y' VALID UNTIL '2040-01-01 00:00:00+00';",
      "admin");
  ASSERT_TRUE(whole);
  EXPECT_EQ(whole->text, "ALTER ROLE admin WITH INHERIT CREATEROLE NOBYPASSRLS CONNECTION LIMIT 9");
  EXPECT_EQ(whole->valid_until, "'2040-01-01 00:00:00+00'");
  EXPECT_EQ(own_role_statement("ALTER ROLE admin WITH SUPERUSER LOGIN PASSWORD 'x';", "admin")->text, "");
  EXPECT_FALSE(own_role_statement("ALTER ROLE admin SET a TO 'b';", "admin"));
  EXPECT_FALSE(own_role_statement("ALTER ROLE app WITH LOGIN;", "admin"));
}

TEST(ObjectLabel, as_pg_dump_comments_it) {
  EXPECT_EQ(object_label("-- Name: orders_idx; Type: INDEX; Schema: public; Owner: shop"), "INDEX public.orders_idx");
  EXPECT_EQ(object_label("-- Data for Name: t; Type: TABLE DATA; Schema: s; Owner: o"), "TABLE DATA s.t");
  EXPECT_EQ(object_label("-- Name: EXTENSION postgis; Type: COMMENT; Schema: -; Owner: "), "COMMENT EXTENSION postgis");
  EXPECT_EQ(object_label("-- Name: a; Type: X; Schema: y; Type: VIEW; Schema: s; Owner: o; Tablespace: t"),
            "VIEW s.a; Type: X; Schema: y");
  EXPECT_EQ(object_label("-- PostgreSQL database dump"), "");
}

TEST(TablespaceStatement, its_place_can_be_another) {
  const auto found =
      tablespace_statement("CREATE TABLESPACE \"a \"\"b\" OWNER \"x LOCATION y\" LOCATION '/srv/it''s';");
  ASSERT_TRUE(found);
  EXPECT_EQ(found->name, "a \"b");
  EXPECT_EQ(found->place, "/srv/it's");
  EXPECT_EQ(found->before, "CREATE TABLESPACE \"a \"\"b\" OWNER \"x LOCATION y\" LOCATION ");
  EXPECT_EQ(found->after, ";");
  EXPECT_EQ(tablespace_statement("CREATE TABLESPACE s OWNER o LOCATION '';")->place, "");
  EXPECT_EQ(tablespace_statement("CREATE TABLESPACE s OWNER o LOCATION E'/a\\\\b\\'c';")->place, "/a\\b'c");
  EXPECT_FALSE(tablespace_statement("ALTER TABLESPACE s SET (seq_page_cost=1);"));
}

}  // namespace
}  // namespace holdfast::backup

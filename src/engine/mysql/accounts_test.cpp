#include "engine/mysql/accounts.h"

#include <gtest/gtest.h>

namespace holdfast::engine {
namespace {

TEST(MysqlAccounts, the_default_role_is_taken_out_of_the_account) {
  const auto made = split_create_user(
      "CREATE USER `x DEFAULT ROLE y`@`%` IDENTIFIED WITH 'caching_sha2_password' AS 0x2441 DEFAULT ROLE "
      "`r one`@`%`,`s``2`@`%` REQUIRE NONE PASSWORD EXPIRE DEFAULT ATTRIBUTE '{\"a\": \" DEFAULT ROLE b\\'c\"}'");
  EXPECT_EQ(made.account, "`x DEFAULT ROLE y`@`%`");
  EXPECT_EQ(made.rest,
            "`x DEFAULT ROLE y`@`%` IDENTIFIED WITH 'caching_sha2_password' AS 0x2441 REQUIRE NONE PASSWORD EXPIRE "
            "DEFAULT ATTRIBUTE '{\"a\": \" DEFAULT ROLE b\\'c\"}'");
  const auto plain = split_create_user("CREATE USER `u`@`h` REQUIRE NONE");
  EXPECT_EQ(plain.rest, "`u`@`h` REQUIRE NONE");
  EXPECT_EQ(split_create_user("DROP USER `u`").rest, "");
}

TEST(MysqlAccounts, a_grant_names_its_table_or_routine) {
  auto named = [](std::string_view statement) {
    const auto object = grant_object(statement);
    return object.type + "|" + object.database + "|" + object.name;
  };
  EXPECT_EQ(named("GRANT SELECT (`a ON b`), INSERT ON `d.b`.`t``1` TO `u`@`h`"), "TABLE|d.b|t`1");
  EXPECT_EQ(named("GRANT EXECUTE ON PROCEDURE `d`.`p` TO `u`@`h` WITH GRANT OPTION"), "PROCEDURE|d|p");
  EXPECT_EQ(named("GRANT EXECUTE ON FUNCTION `d`.`f` TO `u`@`h`"), "FUNCTION|d|f");
  EXPECT_EQ(named("GRANT SELECT ON `d`.* TO `u`@`h`"), "||");
  EXPECT_EQ(named("REVOKE SELECT ON `d`.* FROM `u`@`h`"), "||");
  EXPECT_EQ(named("GRANT SELECT ON *.* TO `u`@`h`"), "||");
  EXPECT_EQ(named("GRANT PROXY ON ``@`` TO `u`@`h`"), "||");
  EXPECT_EQ(named("GRANT `a ON b`@`%` TO `u`@`h` WITH ADMIN OPTION"), "||");
}

TEST(MysqlAccounts, what_a_certificate_must_say_is_quoted) {
  EXPECT_EQ(quote_certificate("`u`@`h` REQUIRE SUBJECT '/O=it's\\' ISSUER '/CN='' CIPHER 'x'", "/O=it's\\", "/CN='"),
            "`u`@`h` REQUIRE SUBJECT '/O=it''s\\\\' ISSUER '/CN=''' CIPHER 'x'");
  EXPECT_EQ(quote_certificate("`u`@`h` REQUIRE NONE", "", ""), "`u`@`h` REQUIRE NONE");
}

TEST(MysqlAccounts, rights_of_components_are_told_from_others) {
  EXPECT_TRUE(is_dynamic_grant("GRANT BACKUP_ADMIN,SKIP_QUERY_REWRITE ON *.* TO `u`@`h` WITH GRANT OPTION"));
  EXPECT_FALSE(is_dynamic_grant("GRANT SELECT, CREATE TEMPORARY TABLES ON *.* TO `u_a`@`h`"));
  EXPECT_FALSE(is_dynamic_grant("GRANT SELECT (`a_b`) ON `d_a`.`t` TO `u`@`h`"));
  EXPECT_FALSE(is_dynamic_grant("GRANT `r_1`@`%` TO `u`@`h`"));
}

TEST(MysqlAccounts, columns_that_are_gone_are_granted_no_more) {
  const auto kept = [](std::string_view statement, std::string_view missing) {
    std::set<std::string> gone;
    std::string names;
    const auto rest = without_columns(statement, {"a", "b)", "c, d"}, gone);
    for (const auto& name : gone) names += name + ";";
    EXPECT_EQ(names, missing) << statement;
    return rest;
  };
  EXPECT_EQ(kept("GRANT SELECT (`a`, `x`), INSERT, UPDATE (`y`, `b)`, `c, d`) ON `d`.`t` TO `u`@`h`", "x;y;"),
            "GRANT SELECT (`a`), INSERT, UPDATE (`b)`, `c, d`) ON `d`.`t` TO `u`@`h`");
  EXPECT_EQ(kept("GRANT SELECT (`x`) ON `d`.`t` TO `u`@`h` WITH GRANT OPTION", "x;"), "");
  EXPECT_EQ(kept("GRANT SELECT, CREATE VIEW ON `d`.`t` TO `u`@`h`", ""),
            "GRANT SELECT, CREATE VIEW ON `d`.`t` TO `u`@`h`");
}

}  // namespace
}  // namespace holdfast::engine

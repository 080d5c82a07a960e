#include "engine/role_accounts.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <tuple>

#include "sql/rows.h"

namespace holdfast::engine {
namespace {

using cluster::Engine;

TEST(RoleAccounts, GrantsAreReadAsRights) {
  EXPECT_EQ(rights_of_grants({"GRANT SELECT, SHOW VIEW ON *.* TO `a`@`%` IDENTIFIED BY PASSWORD '*X'",
                              "GRANT USAGE ON *.* TO `a`@`%`",
                              "GRANT SELECT (`x`, `y`), INSERT ON `d`.`t` TO `a`@`%` "
                              "WITH GRANT OPTION",
                              "GRANT `r`@`%` TO `a`@`%`", "SET DEFAULT ROLE `r` FOR `a`@`%`"}),
            (std::set<std::string>{"SELECT ON *.*", "SHOW VIEW ON *.*", "SELECT (`x`, `y`) ON `d`.`t`",
                                   "INSERT ON `d`.`t`", "GRANT OPTION ON `d`.`t`", "ROLE `r`@`%`"}));
}

TEST(RoleAccounts, AVersionWithoutKnownRightsIsRefused) {
  for (const auto& [engine, old, known] :
       {std::tuple{Engine::mariadb, "10.4.34-MariaDB", "11.4.2-MariaDB"}, std::tuple{Engine::mysql, "5.7.44", "8.4.6"},
        std::tuple{Engine::postgres, "13.20", "17.5"}, std::tuple{Engine::galera, "x", "10.11.19-MariaDB"}}) {
    const auto refused = role_account(engine, old, AccountRole::observe, "a", "%");
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().id, "accounts.version");
    EXPECT_TRUE(role_account(engine, known, AccountRole::observe, "a", "%"));
  }
}

TEST(RoleAccounts, ThePasswordIsQuotedIntoItsPlace) {
  const auto account = role_account(Engine::mariadb, "", AccountRole::replicate, "a'b", "%").value();
  ASSERT_TRUE(account.statements[0].takes_password);
  EXPECT_EQ(with_password(Engine::mariadb, account.statements[0], Secret("p'w")).reveal(),
            "CREATE USER " + sql::quote_mysql("a'b") + "@'%' IDENTIFIED BY " + sql::quote_mysql("p'w"));
}

/// One table: what triage names as missing is what `cluster accounts` grants.
TEST(RoleAccounts, WhatTriageAsksForIsOfTheRoleToObserve) {
  for (const auto engine : {Engine::mariadb, Engine::galera, Engine::mysql, Engine::postgres}) {
    const auto account = role_account(engine, "", AccountRole::observe, "a", "%").value();
    const auto rights = rights_to_observe(engine, engine == Engine::postgres ? "\"a\"" : "'a'@'%'");
    EXPECT_GE(rights.size(), 3u);
    for (const auto& right : rights) {
      EXPECT_TRUE(account.rights.contains(right.right)) << right.right;
      EXPECT_TRUE(std::ranges::any_of(account.statements, [&](const auto& one) { return one.sql == right.grant; }))
          << right.grant;
      EXPECT_FALSE(right.questions.empty()) << right.right;
    }
  }
}

TEST(RoleAccounts, EveryStatementSaysWhatItIsFor) {
  for (const auto engine : {Engine::mariadb, Engine::galera, Engine::mysql, Engine::postgres})
    for (const auto role : account_roles()) {
      const auto account = role_account(engine, "", role, default_account_name(role), "%").value();
      EXPECT_EQ(parse_account_role(account_role_name(role)), role);
      for (const auto& one : account.statements) EXPECT_FALSE(one.what_for.empty()) << one.sql;
      for (const auto& right : account.rights)
        for (const char* word : {"INSERT", "UPDATE", "DELETE", "DROP", "ALL ", "SUPER", "CREATE", "ALTER", "FILE "})
          EXPECT_FALSE(right.starts_with(word)) << right;
    }
}

}  // namespace
}  // namespace holdfast::engine

#include "backup/mysql_rights.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "engine/role_accounts.h"

namespace holdfast::backup {
namespace {

TEST(MysqlRights, PatternsAreReadAsTheServerReadsThem) {
  EXPECT_TRUE(fits_pattern("shop", "shop"));
  EXPECT_TRUE(fits_pattern("shop_1", "shop\\_%"));
  EXPECT_FALSE(fits_pattern("shopx1", "shop\\_%"));
  EXPECT_TRUE(fits_pattern("shopx1", "shop_%"));
  EXPECT_TRUE(fits_pattern("", "%"));
  EXPECT_FALSE(fits_pattern("sho", "shop"));
  EXPECT_FALSE(fits_pattern("shops", "shop"));
}

TEST(MysqlRights, AreOfTheServerTheDatabaseOrAPattern) {
  const auto rights = engine::rights_of_grants(
      {"GRANT SELECT, INSERT ON `shop`.* TO `a`@`%`", "GRANT ALL PRIVILEGES ON `my\\_%`.* TO `a`@`%` WITH GRANT OPTION",
       "GRANT CREATE ON *.* TO `a`@`%`", "GRANT DROP ON `shop`.`t` TO `a`@`%`"});
  EXPECT_TRUE(may(rights, "SELECT", "shop"));
  EXPECT_FALSE(may(rights, "SELECT", "shop2"));
  EXPECT_TRUE(may(rights, "TRIGGER", "my_shop"));
  EXPECT_FALSE(may(rights, "TRIGGER", "myshop"));
  EXPECT_TRUE(may(rights, "CREATE", "anything"));
  EXPECT_FALSE(may(rights, "DROP", "shop")) << "of one table";
}

TEST(MysqlRights, WhatIsNeededFollowsFromWhatIsLoaded) {
  DumpedDatabase database;
  const auto needs = [&](const std::string& privilege) {
    const auto all = privileges_to_load(database);
    return std::ranges::find(all, privilege) != all.end();
  };
  EXPECT_TRUE(needs("LOCK TABLES"));
  EXPECT_FALSE(needs("TRIGGER"));
  database.kinds = {"TABLE", "TRIGGER", "EVENT", "VIEW", "FUNCTION"};
  for (const char* privilege : {"TRIGGER", "EVENT", "CREATE VIEW", "CREATE ROUTINE"}) EXPECT_TRUE(needs(privilege));
}

}  // namespace
}  // namespace holdfast::backup

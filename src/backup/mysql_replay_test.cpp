#include "backup/mysql_replay.h"

#include <gtest/gtest.h>

namespace holdfast::backup {
namespace {

TEST(MysqlLabel, NamesTheObjectOfAStatement) {
  const auto label = [](std::string_view statement) { return mysql_label(statement, "shop"); };
  EXPECT_EQ(label("CREATE TABLE `orders` (\n `i` int)"), "shop: TABLE orders");
  EXPECT_EQ(label("DROP TABLE IF EXISTS `or``d ers`"), "shop: TABLE or`d ers");
  EXPECT_EQ(label("LOCK TABLES `orders` WRITE"), "shop: TABLE orders");
  EXPECT_EQ(label("/*!40000 ALTER TABLE `orders` DISABLE KEYS */"), "shop: TABLE orders");
  EXPECT_EQ(label("INSERT  IGNORE INTO `orders` (`a`) VALUES (1)"), "shop: TABLE DATA orders");
  EXPECT_EQ(label("CREATE DATABASE /*!32312 IF NOT EXISTS*/ `x` /*!40100 */"), "DATABASE x");
  EXPECT_EQ(
      label("/*!50003 CREATE*/ /*!50017 DEFINER=`TABLE`@`h`*/ /*!50003 TRIGGER tr_One BEFORE INSERT ON t FOR EACH "
            "ROW SET @a = 1 */"),
      "shop: TRIGGER tr_One");
  EXPECT_EQ(label("CREATE DEFINER=`r`@`h` PROCEDURE `p`()\nBEGIN END"), "shop: PROCEDURE p");
  EXPECT_EQ(label("CREATE DEFINER=`r`@`h` PACKAGE BODY `p` AS END"), "shop: PACKAGE p");
  EXPECT_EQ(
      label("/*!50001 CREATE ALGORITHM=UNDEFINED */\n/*!50013 DEFINER=`a`@`h` */\n/*!50001 VIEW `v` AS select 1 */"),
      "shop: VIEW v");
  EXPECT_EQ(label("/*!50106 CREATE*/ DEFINER=`a`@`h` EVENT `ev` ON SCHEDULE EVERY 1 DAY DO SET @a = 1"),
            "shop: EVENT ev");
  EXPECT_EQ(label("CREATE OR REPLACE SEQUENCE `d`.`s`"), "d: SEQUENCE s");
  EXPECT_EQ(label("DO SETVAL(`s`, 5, 0)"), "shop: SEQUENCE s");
  EXPECT_EQ(label("CREATE USER IF NOT EXISTS `app`@`%` IDENTIFIED BY PASSWORD 'secret'"), "ACCOUNT app@%");
  EXPECT_EQ(label("GRANT SELECT ON `d`.`t` TO `app`@`%`"), "ACCOUNT app@%");
  EXPECT_EQ(label("CREATE SERVER `far` FOREIGN DATA WRAPPER mysql"), "SERVER far");
  EXPECT_EQ(label("SET @a =\n1"), "statement SET @a = 1");
  EXPECT_EQ(label("UPDATE mysql.user SET x = 'y'"), "statement UPDATE mysql.user SET x = 'y'");
}

}  // namespace
}  // namespace holdfast::backup

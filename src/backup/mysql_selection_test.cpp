#include "backup/mysql_selection.h"

#include <gtest/gtest.h>

namespace holdfast::backup {
namespace {

class MysqlSelectionTest : public ::testing::Test {
 protected:
  MysqlSelection selection_{{"shop", "od`d"}};
};

TEST_F(MysqlSelectionTest, TakesWhatIsInTheDatabaseInUse) {
  EXPECT_FALSE(selection_.takes("INSERT INTO `t` VALUES (1)")) << "none is in use";
  EXPECT_TRUE(selection_.takes("USE `shop`"));
  for (const char* statement : {"DROP TABLE IF EXISTS `t`", "CREATE TABLE `t` (i INT)", "LOCK TABLES `t` WRITE",
                                "/*!40000 ALTER TABLE `t` DISABLE KEYS */", "INSERT INTO `t` VALUES (1)",
                                "/*!50001 CREATE VIEW `v` AS SELECT 1*/",
                                ("/*!50003 CREATE*/ /*!50017 DEFINER=`a`@`b`*/ /*!50003 TRIGGER g BEFORE INSERT ON `t` "
                                 "FOR EACH ROW SET @x = 1 */"),
                                "CREATE DEFINER=`mysql`@`%` PROCEDURE `p`() SELECT 1", "DO SETVAL(`s`, 1, 0)"})
    EXPECT_TRUE(selection_.takes(statement)) << statement;
  EXPECT_FALSE(selection_.takes("USE `mysql`"));
  EXPECT_FALSE(selection_.takes("INSERT INTO `t` VALUES (1)"));
  EXPECT_TRUE(selection_.takes("USE `od``d`"));
  EXPECT_TRUE(selection_.takes("INSERT INTO `t` VALUES (1)"));
}

TEST_F(MysqlSelectionTest, ANamedDatabaseCountsMoreThanTheOneInUse) {
  EXPECT_TRUE(selection_.takes("USE `shop`"));
  EXPECT_FALSE(selection_.takes("REPLACE INTO mysql.plugin (name) VALUES ('x')"));
  EXPECT_FALSE(selection_.takes("ALTER TABLE `other`.`t` DISABLE KEYS"));
  EXPECT_FALSE(selection_.takes("CREATE OR REPLACE SEQUENCE `other`.`s`"));
  EXPECT_FALSE(selection_.takes("USE `other`"));
  EXPECT_TRUE(selection_.takes("ALTER TABLE `shop`.`t` DISABLE KEYS"));
  EXPECT_TRUE(selection_.takes("ANALYZE NO_WRITE_TO_BINLOG TABLE `shop`.`t` UPDATE HISTOGRAM ON `c` USING DATA '{}'"));
}

TEST_F(MysqlSelectionTest, NothingOfTheServerIsTaken) {
  EXPECT_TRUE(selection_.takes("USE `shop`"));
  for (const char* statement :
       {"CREATE USER 'a'@'b'", "GRANT ALL PRIVILEGES ON `shop`.* TO `a`@`b`", "CREATE ROLE IF NOT EXISTS `r`",
        "FLUSH PRIVILEGES", "INSTALL PLUGIN `p` SONAME 'p.so'", "CREATE TABLESPACE `t` ADD DATAFILE 't.ibd'",
        "SET @@SESSION.SQL_LOG_BIN= 0", "SET SESSION sql_log_bin = 0", "SET @@GLOBAL.GTID_PURGED='x:1'",
        "SET PERSIST_ONLY max_connections = 5", "SET GLOBAL partial_revokes = ON", "CALL mysql.holdfast_load()",
        "DROP PROCEDURE IF EXISTS mysql.holdfast_load", "DELETE FROM mysql.servers",
        "UPDATE mysql.user SET password_lifetime = 1", "CREATE DATABASE `other`", "DROP DATABASE `other`",
        "CREATE RESOURCE GROUP `g` TYPE=USER", "CHANGE MASTER TO MASTER_LOG_FILE='x'"})
    EXPECT_FALSE(selection_.takes(statement)) << statement;
}

TEST_F(MysqlSelectionTest, SettingsOfTheSessionAreTaken) {
  for (const char* statement :
       {"SET NAMES utf8mb4", "/*!40101 SET @OLD_CHARACTER_SET_CLIENT=@@CHARACTER_SET_CLIENT */",
        "SET SESSION innodb_strict_mode = OFF", "/*M!100201 SET SESSION check_constraint_checks = 0 */",
        "SET @holdfast_client=@@character_set_client, @holdfast_mode=@@sql_mode",
        "/*M!999999\\- enable the sandbox mode */ \n-- MariaDB dump 10.19\n--\n/*!40101 SET @OLD=@@X */"})
    EXPECT_TRUE(selection_.takes(statement)) << statement;
}

TEST_F(MysqlSelectionTest, WhatIsPreparedIsTakenByWhatItDoes) {
  const auto whole = [&](const std::string& text) {
    const bool set = selection_.takes("SET @holdfast = " + text);
    EXPECT_EQ(selection_.takes("PREPARE holdfast FROM @holdfast"), set) << text;
    EXPECT_EQ(selection_.takes("EXECUTE holdfast"), set) << text;
    EXPECT_EQ(selection_.takes("DEALLOCATE PREPARE holdfast"), set) << text;
    return set;
  };
  EXPECT_TRUE(selection_.takes("USE `shop`"));
  EXPECT_TRUE(whole("CONCAT('DO SETVAL(`shop`.`s`, ', (SELECT next_not_cached_value FROM `shop`.`s`), ', 0, 1)')"));
  EXPECT_FALSE(whole("CONCAT('DO SETVAL(`other`.`s`, ', (SELECT next_not_cached_value FROM `other`.`s`), ', 0, 1)')"));
  EXPECT_FALSE(whole("IF((SELECT COUNT(*) FROM mysql.user), 'ALTER USER `a`@`b`', 'CREATE USER `a`@`b`')"));
  EXPECT_FALSE(selection_.takes("SET @holdfast_definer_0 = (SELECT COUNT(*) FROM mysql.user)"));
}

TEST_F(MysqlSelectionTest, ATolerantBlockIsTakenByWhatIsInIt) {
  const auto block = [](const std::string& text) {
    return "BEGIN NOT ATOMIC DECLARE CONTINUE HANDLER FOR SQLEXCEPTION BEGIN END; EXECUTE IMMEDIATE '" + text +
           "'; END ";
  };
  EXPECT_TRUE(selection_.takes(block("CREATE ALGORITHM=UNDEFINED VIEW `shop`.`v` AS SELECT \\'x\\'")));
  EXPECT_FALSE(selection_.takes(block("CREATE ALGORITHM=UNDEFINED VIEW `other`.`v` AS SELECT 1")));
  EXPECT_FALSE(selection_.takes(block("INSTALL PLUGIN IF NOT EXISTS `p` SONAME \\'p.so\\'")));
}

}  // namespace
}  // namespace holdfast::backup

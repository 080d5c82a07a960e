#include "engine/dump_scan.h"

#include <gtest/gtest.h>

namespace holdfast::engine {
namespace {

constexpr std::string_view kMysql =
    "/*M!999999\\- enable the sandbox mode */ \n-- MariaDB dump\n--\n\n/*!40101 SET NAMES utf8mb4 */;\n\n"
    "-- CHANGE MASTER TO MASTER_LOG_FILE='binlog.000001', MASTER_LOG_POS=1402;\n"
    "CREATE DATABASE /*!32312 IF NOT EXISTS*/ `a` /*!40100 */;\n\nUSE `a`;\n"
    "CREATE SEQUENCE `sq` start with 1;\n"
    "CREATE TABLE `t` (\n  `i` int\n);\n"
    "INSERT INTO `t` VALUES\n(1,'x\\n(2',0xFF00),\n(2,'a\\'b;''(',NULL);\n"
    "INSERT INTO `t` VALUES (3,'--\\\\',1),(4,'INSERT INTO `t` VALUES (1)',f(2));\n"
    "CREATE TABLE `o``dd` (\n  `i` int\n);\n"
    "INSERT INTO `o``dd` (`i`) VALUES (1);\n"
    "CREATE TABLE `empty` (\n  `i` int\n);\n"
    "DELIMITER ;;\n/*!50003 CREATE*/ /*!50017 DEFINER=`r`@`h`*/ /*!50003 trigger tr before insert on t for each row "
    "begin\n"
    "INSERT INTO `t` VALUES (9);\nCREATE TABLE `no` (i int);\nend */;;\nDELIMITER ;\n"
    "DELIMITER ;;\nCREATE DEFINER=`r`@`h` PROCEDURE `p`()\nbegin end ;;\nDELIMITER ;\n"
    "DELIMITER ;;\n/*!50106 CREATE*/ /*!50117 DEFINER=`r`@`h`*/ /*!50106 EVENT `ev` ON SCHEDULE EVERY 1 DAY DO select "
    "1 */ ;;\n"
    "DELIMITER ;\n"
    "/*!50001 CREATE VIEW `v` AS SELECT 1 AS `a`*/;\n"
    "/*!50001 CREATE ALGORITHM=UNDEFINED */\n/*!50013 DEFINER=`TABLE `@`h` */\n/*!50001 VIEW `v` AS select ';' */;\n\n"
    "-- SET GLOBAL gtid_slave_pos='0-7-6';\n"
    "\n-- Dump completed\n";

void expect_mysql(const DumpScanner& scanner) {
  const auto& counts = scanner.counts();
  EXPECT_EQ(counts.databases, 1u);
  EXPECT_EQ(counts.tables, 3u);
  EXPECT_EQ(counts.sequences, 1u);
  EXPECT_EQ(counts.views, 1u);
  EXPECT_EQ(counts.triggers, 1u);
  EXPECT_EQ(counts.routines, 1u);
  EXPECT_EQ(counts.events, 1u);
  EXPECT_EQ(counts.rows, 5u);
  EXPECT_EQ(counts.table_rows,
            (std::map<TableName, uint64_t>{{{"a", "", "t"}, 4}, {{"a", "", "o`dd"}, 1}, {{"a", "", "empty"}, 0}}));
  EXPECT_EQ(counts.bytes, kMysql.size());
  EXPECT_TRUE(scanner.complete());
  EXPECT_EQ(scanner.position_lines(),
            "-- CHANGE MASTER TO MASTER_LOG_FILE='binlog.000001', MASTER_LOG_POS=1402;\n-- SET GLOBAL "
            "gtid_slave_pos='0-7-6';\n");
}

TEST(DumpScanner, mysql_in_pieces_of_every_size) {
  for (size_t piece = 1; piece < 200; ++piece) {
    DumpScanner scanner(DumpFlavour::mysql);
    for (size_t at = 0; at < kMysql.size(); at += piece) scanner.feed(as_bytes(kMysql.substr(at, piece)));
    SCOPED_TRACE(piece);
    expect_mysql(scanner);
  }
}

// Names, literals, comments and bodies that look like the dump's own statements, in the shapes the dump programs give
// them. Two tables with one row each, a routine, a trigger; no position.
constexpr std::string_view kHostile =
    "--\n-- Current Database: `x\n-- SET GLOBAL gtid_slave_pos='9-9-9';\n-- y`\n--\n\n"
    "CREATE DATABASE /*!32312 IF NOT EXISTS*/ `x\n-- Dump completed\ny`;\n\nUSE `x\n-- Dump completed\ny`;\n"
    "--\n-- Table structure for table `t\n-- CHANGE MASTER TO MASTER_LOG_FILE='e', MASTER_LOG_POS=1;\n-- VALUES`\n--\n"
    "CREATE TABLE `t\nCREATE TABLE ``u`` VALUES` (`i VALUES (1),(2)` int COMMENT 'it''s \\'; INSERT INTO `u` VALUES "
    "(1);');\n"
    "INSERT INTO `t\nCREATE TABLE ``u`` VALUES` (`i VALUES (1),(2)`, `b`) VALUES (';\\');\nCREATE TABLE `u` (i "
    "int);\n',1);\n"
    "/*!50003 SET sql_mode              = 'NO_BACKSLASH_ESCAPES' */ ;\nDELIMITER ;;\n"
    "CREATE DEFINER=`TRIGGER `@`%` PROCEDURE `p`()\nbegin\n-- it's ;; here\n# and '\n/* Mike's ;; */\nselect 'a\\';\n"
    "DELIMITER ;\nUSE `mysql`;\nINSERT INTO `u` VALUES (1);\nselect 5--3, `;;`, \"';;\";\n-- Dump completed\nend "
    ";;\nDELIMITER ;\n"
    "/*!50003 SET sql_mode              = @saved_sql_mode */ ;\nDELIMITER ;;\n"
    "/*!50003 CREATE*/ /*!50017 DEFINER=`r`@`h`*/ /*!50003 trigger tr before insert on t for each row begin /* ' */ "
    "set "
    "@a = '\nDELIMITER ;\n'; end */;;\nDELIMITER ;\n"
    "CREATE TABLE `M` (i int /*Mine; it's*/);\nINSERT INTO `M` VALUES ('\\\\');\n"
    "\n-- Dump completed\n";

TEST(DumpScanner, a_backslash_is_what_the_sql_mode_says) {
  constexpr std::string_view text =
      "SET character_set_client=utf8mb4, sql_mode='NO_BACKSLASH_ESCAPES', time_zone='SYSTEM', timestamp=1;\n"
      "DELIMITER ;;\n/*!50106 CREATE*/ EVENT `e` ON SCHEDULE EVERY 1 HOUR DO SELECT '\\' ;;\nDELIMITER ;\n"
      "SET character_set_client=@c, sql_mode=@m, time_zone=@z;\n"
      "SET sql_mode='ANSI_QUOTES';\nDELIMITER ;;\nCREATE PROCEDURE \"p\\\"() SELECT '\\';;' ;;\nDELIMITER ;\n"
      "SET sql_mode=@m;\nCREATE TABLE `t` (i int COMMENT \"\\\";\");\n\n-- Dump completed\n";
  DumpScanner scanner(DumpFlavour::mysql);
  scanner.feed(as_bytes(text));
  EXPECT_TRUE(scanner.complete());
  EXPECT_EQ(scanner.counts().events, 1u);
  EXPECT_EQ(scanner.counts().routines, 1u);
  EXPECT_EQ(scanner.counts().tables, 1u);
}

TEST(DumpScanner, a_second_byte_is_no_backslash) {
  constexpr std::string_view text =
      "/*!50003 SET character_set_client  = sjis */ ;\nDELIMITER ;;\nCREATE PROCEDURE `p`() SELECT '\x95\\' ;;\n"
      "DELIMITER ;\n/*!50003 SET character_set_client  = @saved_cs_client */ ;\n"
      "SET character_set_client=gbk, sql_mode='';\nDELIMITER ;;\n/*!50106 CREATE*/ EVENT `e` DO SELECT '\xa1\\', "
      "'\\'' ;;\nDELIMITER ;\nSET character_set_client=@holdfast_client;\nCREATE TABLE `t` (i int COMMENT "
      "'\xc3\x95\\\\\');\n\n-- Dump completed\n";
  DumpScanner scanner(DumpFlavour::mysql);
  scanner.feed(as_bytes(text));
  EXPECT_TRUE(scanner.complete());
  EXPECT_EQ(scanner.counts().routines + scanner.counts().events + scanner.counts().tables, 3u);
}

TEST(DumpScanner, what_looks_like_statements_is_none) {
  for (size_t piece = 1; piece < 100; ++piece) {
    SCOPED_TRACE(piece);
    DumpScanner scanner(DumpFlavour::mysql);
    for (size_t at = 0; at < kHostile.size(); at += piece) {
      EXPECT_FALSE(scanner.complete()) << at;
      scanner.feed(as_bytes(kHostile.substr(at, piece)));
    }
    const auto& counts = scanner.counts();
    const std::string database = "x\n-- Dump completed\ny";
    EXPECT_EQ(counts.table_rows, (std::map<TableName, uint64_t>{{{database, "", "t\nCREATE TABLE `u` VALUES"}, 1},
                                                                {{database, "", "M"}, 1}}));
    EXPECT_EQ(counts.databases, 1u);
    EXPECT_EQ(counts.tables, 2u);
    EXPECT_EQ(counts.routines, 1u);
    EXPECT_EQ(counts.triggers, 1u);
    EXPECT_EQ(counts.views, 0u);
    EXPECT_EQ(scanner.position_lines(), "");
    EXPECT_TRUE(scanner.complete());
  }
}

TEST(DumpScanner, a_list_of_columns_has_any_length) {
  std::string columns;
  for (int i = 0; i < 3000; ++i) columns += (i ? ", `column VALUES (" : "`column VALUES (") + std::to_string(i) + "`";
  const std::string text = "USE `d`;\nINSERT INTO `wide` (" + columns + ") VALUES (1),(2);\n-- Dump completed\n";
  for (const size_t piece : {size_t{1}, size_t{1000}, text.size()}) {
    DumpScanner scanner(DumpFlavour::mysql);
    for (size_t at = 0; at < text.size(); at += piece) scanner.feed(as_bytes(std::string_view(text).substr(at, piece)));
    EXPECT_EQ(scanner.counts().table_rows, (std::map<TableName, uint64_t>{{{"d", "", "wide"}, 2}}));
  }
}

TEST(DumpScanner, options_in_comments_are_found_and_texts_like_them_are_not) {
  const std::string text =
      "USE `d`;\nCREATE TABLE `column` (\n  `a` int /* `X`='3' */\n) ENGINE=InnoDB;\nCREATE TABLE `table` (\n  `a` "
      "int\n) "
      "ENGINE=InnoDB /* `NO_SUCH`='y' */;\nCREATE TABLE `own` (\n  `a` int\n) ENGINE=MyISAM /* TRANSACTIONAL=1 "
      "*/;\nCREATE TABLE `none` (\n  `a` int COMMENT '/* `X`=3 */',\n  `/* ` int\n) "
      "ENGINE=InnoDB /*!50100 PARTITION BY HASH (`a`) */ /* 3 */;\nINSERT INTO `none` VALUES ('/* `X`');\n";
  for (const size_t piece : {size_t{1}, text.size()}) {
    DumpScanner scanner(DumpFlavour::mysql);
    for (size_t at = 0; at < text.size(); at += piece) scanner.feed(as_bytes(std::string_view(text).substr(at, piece)));
    EXPECT_EQ(scanner.unknown_options(),
              (std::set<TableName>{{"d", "", "column"}, {"d", "", "own"}, {"d", "", "table"}}));
  }
}

TEST(DumpScanner, a_row_that_no_server_takes_is_found) {
  const std::string hex(1 << 20, 'A');
  for (const int megabytes : {1000, 1024}) {
    DumpScanner scanner(DumpFlavour::mysql);
    scanner.feed(as_bytes(std::string_view("USE `d`;\nINSERT INTO `big` VALUES (0x")));
    for (int i = 0; i < megabytes; ++i) scanner.feed(as_bytes(std::string_view(hex)));
    scanner.feed(as_bytes(std::string_view(");\nINSERT INTO `small` VALUES (1);\n")));
    EXPECT_EQ(scanner.too_large().size(), megabytes == 1024 ? 1u : 0u);
    for (const auto& table : scanner.too_large()) EXPECT_EQ(table, (TableName{"d", "", "big"}));
  }
}

TEST(DumpScanner, a_set_of_gtids_runs_over_lines) {
  const std::string set = "/* SET @@GLOBAL.GTID_PURGED='+u:1-5,\nv:1-3';*/";
  DumpScanner scanner(DumpFlavour::mysql);
  scanner.feed(
      as_bytes("SET @a = 1;\n\n--\n-- GTID state\n--\n\n" + set + "\n\n--\n-- Position\n--\n\n" +
               "-- CHANGE REPLICATION SOURCE TO SOURCE_LOG_FILE='b', SOURCE_LOG_POS=1;\nUSE `d`;\nINSERT INTO `t` "
               "VALUES (1);\n-- Dump completed\n"));
  EXPECT_EQ(scanner.position_lines(),
            set + "\n-- CHANGE REPLICATION SOURCE TO SOURCE_LOG_FILE='b', SOURCE_LOG_POS=1;\n");
  EXPECT_EQ(scanner.counts().rows, 1u);
}

TEST(DumpScanner, a_cut_dump_is_never_complete) {
  for (size_t cut = 0; cut < kMysql.size(); ++cut) {
    DumpScanner scanner(DumpFlavour::mysql);
    scanner.feed(as_bytes(kMysql.substr(0, cut)));
    EXPECT_FALSE(scanner.complete()) << cut;
  }
  DumpScanner scanner(DumpFlavour::mysql);
  scanner.feed(as_bytes(std::string_view("INSERT INTO `t` VALUES ('\n-- Dump completed\n")));
  EXPECT_FALSE(scanner.complete());
  DumpScanner more(DumpFlavour::mysql);
  more.feed(as_bytes(std::string(kMysql) + "SELECT 1;\n"));
  EXPECT_FALSE(more.complete());
}

constexpr std::string_view kPostgres =
    "CREATE ROLE admin;\nALTER ROLE admin WITH SUPERUSER;\n\\connect template1\n"
    "CREATE DATABASE shop WITH TEMPLATE = template0;\n\\unrestrict x\n\\connect shop\n\\restrict x\n"
    "--\n-- Name: Orders; Type: TABLE; Schema: public; Owner: admin\n--\nCREATE TABLE public.\"Orders\" (\n id "
    "int\n);\n"
    "--\n-- Name: v; Type: VIEW; Schema: public; Owner: admin\n--\nCREATE VIEW public.v AS SELECT 1;\n"
    "--\n-- Name: none; Type: TABLE; Schema: s; Owner: admin\n--\nCREATE TABLE s.none (id int);\n"
    "--\n-- Name: f(); Type: FUNCTION; Schema: public; Owner: admin\n--\nCREATE FUNCTION public.f() RETURNS text AS "
    "$_$\n"
    "COPY evil FROM stdin;\n\\connect evil\nCREATE TABLE evil (i int);\n$_$;\n"
    "COPY public.\"Orders\" (id, t) FROM stdin;\n1\ta\n2\t\\N\n3\tCOPY x FROM stdin;\n\\.\n"
    "COPY s.none (id) FROM stdin;\n\\.\n"
    "--\n-- PostgreSQL database dump complete\n--\n\n\\unrestrict x\n"
    "--\n-- PostgreSQL database cluster dump complete\n--\n\n";

TEST(DumpScanner, postgres_in_pieces_of_every_size) {
  for (size_t piece = 1; piece < 200; ++piece) {
    DumpScanner scanner(DumpFlavour::postgres);
    for (size_t at = 0; at < kPostgres.size(); at += piece) scanner.feed(as_bytes(kPostgres.substr(at, piece)));
    SCOPED_TRACE(piece);
    const auto& counts = scanner.counts();
    EXPECT_EQ(counts.rows, 3u);
    EXPECT_EQ(counts.table_rows,
              (std::map<TableName, uint64_t>{{{"shop", "public", "Orders"}, 3}, {{"shop", "s", "none"}, 0}}));
    EXPECT_EQ(counts.tables, 2u);
    EXPECT_EQ(counts.views, 1u);
    EXPECT_EQ(counts.routines, 1u);
    EXPECT_EQ(counts.roles, 1u);
    EXPECT_TRUE(scanner.complete());
  }
}

}  // namespace
}  // namespace holdfast::engine

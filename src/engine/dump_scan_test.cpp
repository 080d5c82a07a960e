#include "engine/dump_scan.h"

#include <gtest/gtest.h>

namespace holdfast::engine {
namespace {

constexpr std::string_view kMysql =
    "-- MariaDB dump\n"
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
    "/*!50001 CREATE ALGORITHM=UNDEFINED */\n"
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
  EXPECT_EQ(counts.table_rows, (std::map<TableName, uint64_t>{{{"a", "", "t"}, 4}, {{"a", "", "o`dd"}, 1}, {{"a", "", "empty"}, 0}}));
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
    "--\n-- Name: f(); Type: FUNCTION; Schema: public; Owner: admin\n--\nCREATE FUNCTION public.f() RETURNS text AS $_$\n"
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
    EXPECT_EQ(counts.table_rows, (std::map<TableName, uint64_t>{{{"shop", "public", "Orders"}, 3}, {{"shop", "s", "none"}, 0}}));
    EXPECT_EQ(counts.tables, 2u);
    EXPECT_EQ(counts.views, 1u);
    EXPECT_EQ(counts.routines, 1u);
    EXPECT_EQ(counts.roles, 1u);
    EXPECT_TRUE(scanner.complete());
  }
}

}  // namespace
}  // namespace holdfast::engine

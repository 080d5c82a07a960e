#include "engine/mysql_family/exact_tables.h"

#include <gtest/gtest.h>

namespace holdfast::engine {
namespace {

TEST(ExactColumn, every_type_has_a_form_that_comes_back_the_same) {
  struct Case {
    const char *type, *charset;
    bool mariadb;
    ValueForm form;
    const char *expression, *introducer;
  };
  for (const Case& c : {
           Case{"float", "", true, ValueForm::number, "CAST(`c``d` AS DOUBLE)", ""},
           Case{"double", "", true, ValueForm::number, "`c``d`", ""},
           Case{"bigint", "", false, ValueForm::number, "`c``d`", ""},
           Case{"enum", "sjis", false, ValueForm::number, "`c``d`+0", ""},
           Case{"bit", "", false, ValueForm::number, "`c``d`+0", ""},
           Case{"varchar", "sjis", true, ValueForm::bytes, "HEX(`c``d`)", "_sjis "},
           Case{"longtext", "utf8mb4", true, ValueForm::bytes, "HEX(`c``d`)", "_utf8mb4 "},
           Case{"varbinary", "", true, ValueForm::bytes, "HEX(`c``d`)", ""},
           Case{"point", "", false, ValueForm::bytes, "HEX(`c``d`)", ""},
           Case{"vector", "", false, ValueForm::bytes, "HEX(`c``d`)", ""},
           Case{"datetime", "", false, ValueForm::text, "`c``d`", ""},
           Case{"inet6", "", true, ValueForm::text, "`c``d`", ""},
       }) {
    const auto column = exact_column("c`d", c.type, c.charset, c.mariadb);
    EXPECT_EQ(column.form, c.form) << c.type;
    EXPECT_EQ(column.expression, c.expression) << c.type;
    EXPECT_EQ(column.introducer, c.introducer) << c.type;
  }
  EXPECT_EQ(exact_column("j", "json", "", false).form, ValueForm::json);
  EXPECT_EQ(exact_column("j", "longtext", "utf8mb4", true).form, ValueForm::bytes);
}

TEST(ExactTable, the_counter_of_an_archive_table_is_its_own_and_no_text_in_a_comment) {
  std::string create = "CREATE TABLE `t` (\n  `i` int COMMENT ') ENGINE=ARCHIVE AUTO_INCREMENT=3'\n) ENGINE=";
  const std::string rest = " DEFAULT CHARSET=utf8mb4";
  std::string archive = create + "ARCHIVE AUTO_INCREMENT=11" + rest, other = create + "InnoDB AUTO_INCREMENT=11" + rest;
  EXPECT_EQ(take_archive_counter(archive), "11");
  EXPECT_EQ(archive, create + "ARCHIVE" + rest);
  EXPECT_EQ(take_archive_counter(other), "");
  EXPECT_EQ(other, create + "InnoDB AUTO_INCREMENT=11" + rest);
}

TEST(ExactTable, rows_are_written_in_the_order_of_the_columns) {
  ExactTable table;
  table.name = {"a`b", "", "t"};
  table.history = true;
  table.columns = {exact_column("f", "float", "", false), exact_column("j", "json", "", false),
                   exact_column("d", "date", "", false), exact_column("s", "char", "sjis", false)};
  EXPECT_EQ(exact_insert(table), "INSERT INTO `t` (`f`, `j`, `d`, `s`) VALUES");
  EXPECT_TRUE(
      exact_select(table).ends_with(",`d`,HEX(`s`) FROM `a``b`.`t` FOR SYSTEM_TIME "
                                    "ALL WHERE `row_start` < `row_end`"))
      << exact_select(table);
  size_t inexact = 0;
  EXPECT_EQ(exact_values(table.columns, {"0.1", "312E35", std::nullopt, "2023-02-30", "5C"}, &inexact),
            "0.1,_utf8mb4 X'312E35','2023-02-30',_sjis X'5C'");
  EXPECT_EQ(exact_values(table.columns, {std::nullopt, "312E3530", "DECIMAL//", std::nullopt, ""}, &inexact),
            "NULL,JSON_REPLACE(_utf8mb4 X'312e3530', '$', 1.50),NULL,_sjis X''");
  EXPECT_EQ(inexact, 0u);
  EXPECT_EQ(exact_values(table.columns, {std::nullopt, "22", "BIT//", std::nullopt, std::nullopt}, &inexact),
            "NULL,_utf8mb4 X'22',NULL,NULL");
  EXPECT_EQ(inexact, 1u);
}

TEST(ExactStructures, stand_in_a_session_of_their_own) {
  EXPECT_EQ(exact_structures({}), "");
  ExactTable table;
  table.name = {"a", "", "t"};
  table.create = "CREATE TABLE `t` (f FLOAT)";
  table.schema = "CREATE SCHEMA `a`";
  const std::string text = exact_structures({table, table});
  EXPECT_EQ(text.find("CREATE SCHEMA `a`;\nUSE `a`;\nDROP TABLE IF EXISTS `t`;\nCREATE TABLE `t` (f FLOAT);\n"),
            text.rfind("CREATE SCHEMA `a`"));
  EXPECT_NE(text.find("ALLOW_INVALID_DATES"), std::string::npos);
  EXPECT_EQ(text.find("NO_UNSIGNED_SUBTRACTION"), std::string::npos);
  table.modes = ",NO_UNSIGNED_SUBTRACTION";
  const std::string other = exact_structures({table});
  EXPECT_LT(other.find("NO_UNSIGNED_SUBTRACTION';\nDROP"), other.find("CREATE TABLE"));
  EXPECT_GT(other.rfind("NO_DIR_IN_CREATE';\n"), other.find("CREATE TABLE"));
}

TEST(ExactTable, minus_zero_is_no_integer_and_a_row_may_have_no_column_of_its_own) {
  size_t inexact = 0;
  const std::vector<ExactColumn> numbers = {exact_column("d", "double", "", false),
                                            exact_column("e", "double", "", false),
                                            exact_column("f", "double", "", false)};
  EXPECT_EQ(exact_values(numbers, {"-0", "-0.00", "-0.5"}, &inexact), "-0e0,-0.00e0,-0.5");
  ExactTable generated;
  generated.name = {"a", "", "t"};
  EXPECT_EQ(exact_select(generated), "SELECT NULL FROM `a`.`t`");
  EXPECT_EQ(exact_insert(generated), "INSERT INTO `t` () VALUES");
  EXPECT_EQ(exact_values(generated.columns, {std::nullopt}, &inexact), "");
}

}  // namespace
}  // namespace holdfast::engine

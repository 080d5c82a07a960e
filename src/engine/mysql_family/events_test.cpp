#include "engine/mysql_family/events.h"

#include <gtest/gtest.h>

namespace holdfast::engine {
namespace {

TEST(EventStatus, is_replaced_where_the_server_wrote_it_and_nowhere_else) {
  const std::string head = "CREATE DEFINER=`a ON COMPLETION PRESERVE ENABLE`@`%` EVENT `e` ON SCHEDULE EVERY 1 HOUR";
  const std::string tail = " COMMENT 'x ON COMPLETION NOT PRESERVE DISABLE' DO SELECT ' ON COMPLETION PRESERVE ENABLE'";
  for (const std::string preserve : {" ON COMPLETION PRESERVE", " ON COMPLETION NOT PRESERVE"}) {
    for (const std::string old : {" ENABLE", " DISABLE", " DISABLE ON SLAVE", " DISABLE ON REPLICA"}) {
      for (const std::string status : {"ENABLE", "DISABLE", "DISABLE ON SLAVE"})
        EXPECT_EQ(with_event_status(head + preserve + old + tail, status), head + preserve + " " + status + tail);
    }
  }
  EXPECT_EQ(with_event_status("CREATE EVENT `e``'` ON SCHEDULE AT 'a\\' ON COMPLETION PRESERVE ENABLE", "DISABLE"),
            "CREATE EVENT `e``'` ON SCHEDULE AT 'a\\' ON COMPLETION PRESERVE ENABLE");
}

TEST(EventStatements, a_comment_is_written_without_backslashes) {
  const std::string head =
      "CREATE DEFINER=`u`@`h` EVENT `a ENABLE COMMENT '` ON SCHEDULE EVERY 1 DAY ON COMPLETION NOT PRESERVE ";
  EXPECT_EQ(with_plain_comment(head + "DISABLE COMMENT 'it''s \\\\ \\n\\'' DO SELECT '\\'"),
            head + "DISABLE COMMENT 'it''s \\ \n''' DO SELECT '\\'");
  const std::string none = head + "ENABLE DO ALTER EVENT x ENABLE COMMENT '\\\\'";
  EXPECT_EQ(with_plain_comment(none), none);
}

TEST(EventStatements, a_body_may_hold_any_number_of_semicolons) {
  EXPECT_EQ(free_delimiter("SELECT 1"), ";;");
  EXPECT_EQ(free_delimiter("SELECT ';;;;'"), ";;;;;");
  ServerEvent event{.schema = "s`x",
                    .name = "e",
                    .definition = "CREATE DEFINER=`r`@`h` EVENT `e` ON SCHEDULE EVERY 1 DAY DO SET @x = ';;'",
                    .sql_mode = "ANSI_QUOTES",
                    .time_zone = "SYSTEM",
                    .charset = "latin1",
                    .collation = "latin1_swedish_ci",
                    .schema_collation = "latin1_bin",
                    .schema_collation_now = "utf8mb4_bin",
                    .created = "12"};
  const std::string text = event_statements({event});
  EXPECT_NE(text.find("DELIMITER ;;;\n/*!50106 CREATE*/ DEFINER=`r`@`h` EVENT `e` ON SCHEDULE EVERY 1 DAY DO SET @x = "
                      "';;' ;;;\nDELIMITER ;\n"),
            std::string::npos)
      << text;
  EXPECT_NE(text.find("sql_mode='ANSI_QUOTES', time_zone='SYSTEM', timestamp=12;"), std::string::npos) << text;
  EXPECT_NE(text.find("USE `s``x`;\n"), std::string::npos) << text;
  EXPECT_LT(text.find("COLLATE latin1_bin"), text.find("COLLATE utf8mb4_bin"));
  EXPECT_EQ(event_statements({}), "");
}

}  // namespace
}  // namespace holdfast::engine

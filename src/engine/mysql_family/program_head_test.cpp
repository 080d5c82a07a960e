#include "engine/mysql_family/program_head.h"

#include <gtest/gtest.h>

namespace holdfast::engine {
namespace {

TEST(ProgramHead, the_session_of_the_load_takes_dates_as_they_are) {
  const std::string head = "/*!40101 SET @OLD_SQL_MODE=@@SQL_MODE, SQL_MODE='NO_AUTO_VALUE_ON_ZERO' */;\n";
  EXPECT_EQ(with_loading_modes("-- x\n" + head + head),
            "-- x\n/*!40101 SET @OLD_SQL_MODE=@@SQL_MODE, "
            "SQL_MODE='NO_AUTO_VALUE_ON_ZERO,NO_ENGINE_SUBSTITUTION,ALLOW_INVALID_DATES,NO_DIR_IN_CREATE' */;\n" +
                head);
  EXPECT_EQ(with_loading_modes("SELECT 1;\n"), "SELECT 1;\n");
  EXPECT_FALSE(is_program_head("-- MySQL dump\n-- Host: localhost    Database: \n"));
  EXPECT_TRUE(is_program_head("-- MySQL dump\n--\n-- Current Database: `a`\n--\n"));
}

}  // namespace
}  // namespace holdfast::engine

#include "backup/client_error.h"

#include <gtest/gtest.h>

namespace holdfast::backup {
namespace {

TEST(ClientWords, the_error_behind_megabytes_of_hex_is_shown) {
  ClientWords words;
  words.add("--------------\nINSERT INTO `big` VALUES\n(1,0x");
  for (int i = 0; i < 100; ++i) words.add(std::string(4096, 'A'));
  words.add(
      ")\n--------------\n\nERROR 1153 (08S01) at line 25: Got a packet bigger than 'max_allowed_packet' bytes\n");
  const std::string said = words.complaint();
  EXPECT_TRUE(said.starts_with("ERROR 1153 (08S01) at line 25: Got a packet bigger than 'max_allowed_packet' bytes; "))
      << said;
  EXPECT_NE(said.find("the statement begins: INSERT INTO `big` VALUES (1,0xAA"), std::string::npos) << said;
  EXPECT_LT(said.size(), 300u);
}

TEST(ClientWords, a_short_statement_is_shown_whole) {
  ClientWords words;
  words.add("--------------\nDROP TABLE x\n--------------\n\nERROR 1051 (42S02) at line 1: Unknown table 'a.x'\n");
  EXPECT_EQ(words.complaint(), "ERROR 1051 (42S02) at line 1: Unknown table 'a.x'; the statement begins: DROP TABLE x");
}

TEST(ClientWords, warnings_before_the_error_are_left_out) {
  ClientWords words;
  words.add(
      "WARNING: x\npsql:<stdin>:1: NOTICE:  y\npsql:<stdin>:9: ERROR:  relation \"a\" does not exist\nLINE 1: b\n");
  EXPECT_EQ(words.complaint(), "psql:<stdin>:9: ERROR:  relation \"a\" does not exist\nLINE 1: b");
}

TEST(ClientWords, without_an_error_the_end_is_shown) {
  ClientWords words;
  words.add(std::string(5000, 'a') + "the end\n");
  EXPECT_TRUE(words.complaint().ends_with("the end"));
  EXPECT_EQ(words.complaint().size(), 599u);
  EXPECT_EQ(ClientWords().complaint(), "");
}

}  // namespace
}  // namespace holdfast::backup

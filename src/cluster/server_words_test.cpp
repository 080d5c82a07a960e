#include "cluster/server_words.h"

#include <gtest/gtest.h>

namespace holdfast::cluster {
namespace {

std::string refusal(const char* refused, const char* existing) {
  return std::string("An attempt was made to binlog GTID ") + refused +
         " which would create an out-of-order sequence number with existing GTID " + existing +
         ", and gtid strict mode is enabled";
}

TEST(ServerWords, OneOfItsSourceThatItHasIsToldFromOneOfItsOwn) {
  EXPECT_TRUE(refuses_what_it_logged(1950, refusal("0-1-37", "0-1-37")));
  EXPECT_TRUE(refuses_what_it_logged(1950, refusal("0-1-36", "0-1-37")));
  EXPECT_FALSE(refuses_what_it_logged(1950, refusal("0-1-38", "0-1-37")));
  EXPECT_FALSE(refuses_what_it_logged(1950, refusal("0-1-37", "0-3-37")));
  EXPECT_FALSE(refuses_what_it_logged(1950, refusal("0-1-37", "1-1-37")));
  EXPECT_FALSE(refuses_what_it_logged(1951, refusal("0-1-37", "0-1-37")));
  EXPECT_FALSE(refuses_what_it_logged(1950, ""));
  EXPECT_FALSE(refuses_what_it_logged(1950, "An attempt was made to binlog GTID , with existing GTID 0-1-"));
}

TEST(ServerWords, WhatAServerLoggedBehindWhatItNoted) {
  EXPECT_EQ(logged_behind("0-1-37", "0-1-37"), "");
  EXPECT_EQ(logged_behind("0-1-37", "0-1-36"), "0-1-37");
  EXPECT_EQ(logged_behind("0-2-5,0-1-37,7-1-9", "0-1-35,7-1-9"), "0-1-36..0-1-37")
      << "an older primary's are before it";
  EXPECT_EQ(logged_behind("0-1-37", "nonsense"), "");
}

TEST(ServerWords, DdlIsAtomicFrom10_6On) {
  for (const char* version : {"10.6.0-MariaDB", "10.11.19-MariaDB-0+deb12u1-log", "11.4.2-MariaDB", "5.5.5-10.6.1"})
    EXPECT_TRUE(has_atomic_ddl(version)) << version;
  for (const char* version : {"10.5.29-MariaDB", "5.5.5-10.3.1", "", "10", "ten.six"})
    EXPECT_FALSE(has_atomic_ddl(version)) << version;
}

}  // namespace
}  // namespace holdfast::cluster

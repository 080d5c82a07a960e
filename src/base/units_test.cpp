#include "base/units.h"

#include <gtest/gtest.h>

namespace holdfast {

TEST(Units, sizes_round_up_to_the_next_unit_instead_of_1024) {
  EXPECT_EQ(human_size(0), "0 B");
  EXPECT_EQ(human_size(1023), "1023 B");
  EXPECT_EQ(human_size(1536), "1.5 KiB");
  EXPECT_EQ(human_size((1ull << 20) - 1), "1.0 MiB");
  EXPECT_EQ(human_size(2'000'000'000), "1.9 GiB");
}

TEST(Units, spans_carry_seconds_into_minutes) {
  using std::chrono::duration;
  EXPECT_EQ(human_span(duration<double>(0.42)), "0.4s");
  EXPECT_EQ(human_span(duration<double>(59.97)), "1m00s");
  EXPECT_EQ(human_span(duration<double>(3661)), "1h01m");
}

TEST(Units, a_rate_without_time_is_no_number) {
  EXPECT_EQ(human_rate(5, std::chrono::seconds(0)), "-");
}

TEST(Units, sizes_are_read_as_people_write_them) {
  EXPECT_EQ(parse_size("500"), 500u);
  EXPECT_EQ(parse_size("2k"), 2048u);
  EXPECT_EQ(parse_size("1.5G"), 1610612736u);
  EXPECT_EQ(parse_size("3MiB"), 3145728u);
  EXPECT_EQ(parse_size("7TB"), 7696581394432u);
  for (const char* wrong : {"", "M", "-1", "1x", "1ib", "1 M", "nan", "1e3", "99999999P"})
    EXPECT_FALSE(parse_size(wrong)) << wrong;
}

}  // namespace holdfast

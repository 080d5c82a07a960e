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

TEST(Units, a_rate_without_time_is_no_number) { EXPECT_EQ(human_rate(5, std::chrono::seconds(0)), "-"); }

}  // namespace holdfast

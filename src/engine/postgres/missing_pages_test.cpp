#include "engine/postgres/missing_pages.h"

#include <gtest/gtest.h>

namespace holdfast::engine::postgres {
namespace {

TEST(MissingPages, LsnOfAPage) {
  // As PostgreSQL 15 wrote it: LSN 0/1A2B3C4D, free space from 0x00a0 to 0x1f00.
  EXPECT_EQ(detail::lsn_of_page("000000004d3c2b1a12340000a000001f"), 0x1a2b3c4dULL);
  EXPECT_EQ(detail::lsn_of_page("020000004d3c2b1a12340000a000001f"), 0x21a2b3c4dULL);
  EXPECT_EQ(detail::lsn_of_page(std::string(32, '0')), 0u) << "never written";
  EXPECT_EQ(detail::lsn_of_page("0000000000000000123400001c00001f"), 0u) << "of a table that is not logged";
  EXPECT_EQ(detail::lsn_of_page(""), 0u) << "past the end of the file";
  EXPECT_EQ(detail::lsn_of_page(std::string(32, 'g')), 0u);
}

}  // namespace
}  // namespace holdfast::engine::postgres

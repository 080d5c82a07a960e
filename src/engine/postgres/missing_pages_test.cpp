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

TEST(MissingPages, FilesOfTablesAreToldByTheirNames) {
  for (const char* file : {"base/5/16384", "global/1262", "base/5/16384_fsm", "base/5/16384.1", "1_init", "1_vm.2"})
    EXPECT_TRUE(detail::is_table_file(file)) << file;
  for (const char* file : {"base/5/16384.bak", "base/5/16384 (copy)", "base/5/t3_16384", "base/5/16384_", "16384.",
                           "base/5/PG_VERSION", "base/5/", "", "1_fsm_2", "1.2_fsm"})
    EXPECT_FALSE(detail::is_table_file(file)) << file;
}

}  // namespace
}  // namespace holdfast::engine::postgres

// Checksums of pages that servers wrote.
#include <gtest/gtest.h>

#include "engine/pages/innodb.h"
#include "engine/pages/postgres.h"
#include "tests/support/page_writer.h"

namespace holdfast::engine {
namespace {

using test::flip;
using test::page_of;
using test::postgres_index_page;

std::string postgres_other_page() {  // pg_attrdef's index, block 3
  return page_of(8192, {{4, "c8d58b017d3400002400c81ff01f042000000000e89f1000d89f2000c89f2000c89f20"},
                        {8138, "040001001020ec29"},
                        {8154, "0200010010207e28"},
                        {8170, "010000000820"},
                        {8184, "0100000002"}});
}
std::string mariadb_page() {  // MariaDB 10.11, mysql.gtid_slave_pos, page 3
  return page_of(
      16384, {{7, "03ffffffffffffffff"},
              {22, "a94b45bf"},
              {37, "04000200788002"},
              {51, "05"},
              {73, "16000000040000000200f200000004000000020032010002000d696e66696d756d0001000b000073757072656d756d"},
              {16373, "7000630000a94b49958788"}});
}
std::string mysql_first_page() {  // MySQL 8.4, sys.sys_config
  return page_of(16384,
                 {{0, "47c6bdd200000000000162500000000100000000010b4e320008"},
                  {37, "0100000001"},
                  {49,
                   "0700000040000040210000000500000000ffffffff0000ffffffff00000000000100000000009e00000000009e000000"
                   "00ffffffff0000ffffffff"},
                  {117, "0500000000ffffffff0000ffffffff000000000001000000020026000000020026"},
                  {158, "ffffffff0000ffffffff000000000002aafeffffffffffffffffffffffffffff"},
                  {10508, "0100000003"},
                  {16376, "47c6bdd2010b4e32"}});
}
std::string mysql_old_page() {  // its page 1 with the checksum that innochecksum --write=innodb gives it
  return page_of(16384, {{0, "85358d7e00000001"}, {20, "010b42300005"}, {37, "01"}, {16376, "a918a44f010b4230"}});
}

TEST(PageChecksums, PostgresKnowsPagesOfAServer) {
  EXPECT_EQ(pages::postgres_checksum(as_bytes(postgres_index_page()), 3), 0xa3cb);
  EXPECT_EQ(pages::postgres_checksum(as_bytes(postgres_other_page()), 3), 0x347d);
  EXPECT_NE(pages::postgres_checksum(as_bytes(postgres_index_page()), 4), 0xa3cb) << "a page at another page's place";
  for (const size_t at : {0, 7, 10, 4000, 8191}) {
    std::string page = postgres_index_page();
    flip(page, at);
    EXPECT_NE(pages::postgres_checksum(as_bytes(page), 3), 0xa3cb) << at;
  }
}

TEST(PageChecksums, InnodbKnowsPagesOfServers) {
  EXPECT_TRUE(pages::full_crc32_fits(as_bytes(mariadb_page())));
  EXPECT_FALSE(pages::classic_fits(as_bytes(mariadb_page())));
  EXPECT_TRUE(pages::classic_fits(as_bytes(mysql_first_page())));
  EXPECT_FALSE(pages::full_crc32_fits(as_bytes(mysql_first_page())));
  EXPECT_TRUE(pages::classic_fits(as_bytes(mysql_old_page())));
  for (const size_t at : {4, 25, 38, 9000, 16375}) {
    std::string full = mariadb_page(), classic = mysql_first_page(), old = mysql_old_page();
    for (std::string* page : {&full, &classic, &old}) flip(*page, at);
    EXPECT_FALSE(pages::full_crc32_fits(as_bytes(full))) << at;
    EXPECT_FALSE(pages::classic_fits(as_bytes(classic))) << at;
    EXPECT_FALSE(pages::classic_fits(as_bytes(old))) << at;
  }
  const auto format = pages::innodb_format(as_bytes(mysql_first_page()));
  ASSERT_TRUE(format);
  EXPECT_FALSE(format->full_crc32);
  EXPECT_EQ(format->page_size, 16384u);
  EXPECT_EQ(format->pages, 7u);
}

}  // namespace
}  // namespace holdfast::engine

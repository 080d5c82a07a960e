#include "engine/postgres/wal_record.h"

#include <gtest/gtest.h>

#include <string>

namespace holdfast::engine::postgres {
namespace {

std::string number(uint64_t value, size_t width) {
  std::string bytes;
  for (size_t i = 0; i < width; ++i) bytes += static_cast<char>(value >> (8 * i));
  return bytes;
}

/// A record as PostgreSQL 15 writes it; `headers` and `data` of its blocks, then its main data.
std::string record(uint8_t manager, uint8_t info, uint32_t xid, const std::string& headers, const std::string& data,
                   const std::string& main) {
  std::string body = headers;
  if (!main.empty()) body += (main.size() < 256 ? "\xff" + number(main.size(), 1) : "\xfe" + number(main.size(), 4));
  body += data + main;
  return number(24 + body.size(), 4) + number(xid, 4) + number(0, 8) + number(info, 1) + number(manager, 1) +
         number(0, 6) + body;
}

WalItem item(const std::string& bytes, uint16_t magic = 0xd110) {
  return {0x5000000, 0x5000000 + bytes.size(), 1, magic, as_bytes(bytes)};
}

std::string block(uint32_t relation, uint16_t length, uint8_t flags = 0, uint32_t tablespace = 1663) {
  return number(0, 1) + number(flags, 1) + number(length, 2) + number(tablespace, 4) + number(5, 4) +
         number(relation, 4) + number(0, 4);
}

TEST(WalRecord, RelationsAndMainDataAreFoundBehindBlocks) {
  const std::string again = number(1, 1) + number(0x80, 1) + number(2, 2) + number(9, 4);  // the same relation
  const auto bytes = record(10, 0x00, 745, block(16385, 3) + again, "abcde", "xyz");
  const auto parsed = parse_wal_record(item(bytes));
  ASSERT_TRUE(parsed);
  EXPECT_EQ(parsed->xid, 745u);
  ASSERT_EQ(parsed->relations.size(), 1u);
  EXPECT_EQ(parsed->relations[0].to_string(), "1663/5/16385");
  EXPECT_FALSE(parsed->relations[0].is_catalog());
  EXPECT_EQ(as_text(parsed->main), "xyz");
  EXPECT_TRUE(parsed->changes_rows());
  EXPECT_EQ(wal_record_name(*parsed), "Heap INSERT");
  for (size_t cut = 0; cut < bytes.size(); ++cut) (void)parse_wal_record(item(bytes.substr(0, cut)));
  EXPECT_FALSE(parse_wal_record(item(bytes.substr(0, bytes.size() - 1))));
}

TEST(WalRecord, FullPageImagesOfEachVersion) {
  const auto page = [](uint8_t image, bool hole) {
    return number(0, 1) + number(0x10, 1) + number(0, 2) + number(4, 2) + number(100, 2) + number(image, 1) +
           (hole ? number(50, 2) : "") + number(1663, 4) + number(5, 4) + number(16385, 4) + number(0, 4);
  };
  EXPECT_TRUE(parse_wal_record(item(record(0, 0xb0, 0, page(0x01, false), "page", ""))));
  // A hole and compression: two bytes more; the bit of it moved with PostgreSQL 15.
  EXPECT_TRUE(parse_wal_record(item(record(0, 0xb0, 0, page(0x05, true), "page", "m"))));
  EXPECT_TRUE(parse_wal_record(item(record(0, 0xb0, 0, page(0x03, true), "page", "m"), 0xd10d)));
  EXPECT_TRUE(parse_wal_record(item(record(0, 0xb0, 0, page(0x03, false), "page", "m"))));
}

TEST(WalCommit, TimeSubtransactionsAndPreparedOnes) {
  const int64_t at = 1'000'000;  // one second after 2000-01-01
  bool damaged = true;
  auto bytes = record(1, 0x00, 700, "", "", number(at, 8));
  auto commit = parse_commit(*parse_wal_record(item(bytes)), 0xd110, damaged);
  ASSERT_TRUE(commit);
  EXPECT_EQ(commit->xid, 700u);
  EXPECT_EQ(commit->time_us, 946'684'801'000'000);
  bytes = record(
      1, 0x80, 700, "", "",
      number(at, 8) + number(3, 4) + number(5, 4) + number(1663, 4) + number(2, 4) + number(701, 4) + number(702, 4));
  commit = parse_commit(*parse_wal_record(item(bytes)), 0xd110, damaged);
  ASSERT_TRUE(commit);
  EXPECT_EQ(commit->subtransactions, (std::vector<uint32_t>{701, 702}));
  bytes = record(1, 0xb0, 0, "", "", number(at, 8) + number(16, 4) + number(699, 4));
  commit = parse_commit(*parse_wal_record(item(bytes)), 0xd110, damaged);
  ASSERT_TRUE(commit);
  EXPECT_EQ(commit->xid, 699u) << "COMMIT PREPARED is of the prepared transaction";
  // A count that cannot be is damage, not no commit.
  bytes = record(1, 0x80, 700, "", "", number(at, 8) + number(2, 4) + number(1'000'000'000, 4));
  EXPECT_FALSE(parse_commit(*parse_wal_record(item(bytes)), 0xd110, damaged));
  EXPECT_TRUE(damaged);
  bytes = record(1, 0x20, 700, "", "", number(at, 8));
  EXPECT_FALSE(parse_commit(*parse_wal_record(item(bytes)), 0xd110, damaged));
  EXPECT_FALSE(damaged);
  EXPECT_EQ(parse_abort(*parse_wal_record(item(bytes))), std::vector<uint32_t>{700});
}

}  // namespace
}  // namespace holdfast::engine::postgres

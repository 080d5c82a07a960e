#include "engine/postgres/stored.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <cstring>
#include <filesystem>
#include <fstream>

#include "codec/crc32.h"
#include "sys/file.h"

namespace holdfast::engine::postgres {
namespace {

/// A pg_control of either format with a right checksum.
std::string control_file(uint32_t format = 1300) {
  std::string file(8192, '\0');
  const auto put = [&](size_t at, uint64_t value, size_t width) { std::memcpy(file.data() + at, &value, width); };
  put(0, 7710734210448818612, 8);
  put(8, format, 4);
  put(12, 202209061, 4);
  put(16, 6, 4);
  put(32, 0x179c938, 8);
  put(40, 0x179c900, 8);
  put(48, 1, 4);
  put(52, 1, 4);
  put(64, uint64_t{3} << 32 | 1000, 8);
  put(76, 50, 4);
  put(84, 717, 4);
  put(92, 7, 4);
  put(136, 0x179c9e8, 8);
  put(144, 1, 4);
  put(204, 8, 4);
  const double number = 1234567.0;
  std::memcpy(file.data() + 208, &number, 8);
  put(216, 8192, 4);
  put(224, 8192, 4);
  put(228, 16 << 20, 4);
  put(252, 1, 4);
  const size_t crc_at = format == 1800 ? 292 : 288;
  put(crc_at, codec::crc32c(as_bytes(file).first(crc_at)), 4);
  return file;
}

TEST(PgControl, BothFormats) {
  for (const uint32_t format : {1300, 1700, 1800}) {
    const auto control = parse_control(as_bytes(control_file(format)));
    ASSERT_TRUE(control) << control.error().to_string();
    EXPECT_EQ(control->system_identifier, 7710734210448818612u);
    EXPECT_EQ(control->state, ControlState::in_production);
    EXPECT_EQ(lsn_text(control->checkpoint), "0/179C938");
    EXPECT_EQ(lsn_text(control->minimum_recovery_point), "0/179C9E8");
    EXPECT_EQ(control->xid_age(), 283u);
    EXPECT_EQ(control->multi_age(), 43u);
    EXPECT_EQ(control->wal_segment_size, 16u << 20);
  }
}

TEST(PgControl, EveryFlippedBitAndEveryShortFileIsFound) {
  const std::string good = control_file();
  for (size_t size = 0; size < 296; ++size) EXPECT_FALSE(parse_control(as_bytes(good.substr(0, size)))) << size;
  for (size_t bit = 0; bit < 292 * 8; ++bit) {
    std::string broken = good;
    broken[bit / 8] = static_cast<char>(broken[bit / 8] ^ (1 << bit % 8));
    EXPECT_FALSE(parse_control(as_bytes(broken))) << bit;
  }
  EXPECT_FALSE(parse_control(as_bytes(control_file(1201)))) << "format of PostgreSQL 12";
  EXPECT_FALSE(parse_control(as_bytes(std::string(8192, '\0'))));
}

TEST(History, LinesAndTheirOrder) {
  const auto history = parse_history(3, "1\t0/3000158\tno recovery target specified\n\n# note\n2\tA/4000000\tx\n");
  ASSERT_TRUE(history) << history.error().to_string();
  const std::vector<position::TimelineSwitch> entries = {{1, {0x3000158}, ""}, {2, {0xa04000000}, ""}};
  EXPECT_EQ(*history, position::TimelineHistory{entries});
  for (const char* bad : {"", "1 0/3000158\n1 0/4000000\n", "3 0/1\n", "x 0/1\n", "1 0\n", "1 0/1G\n", "1 /1\n"})
    EXPECT_FALSE(parse_history(3, bad)) << bad;
  EXPECT_EQ(history_file_timeline("0000000A.history"), 10u);
  EXPECT_FALSE(history_file_timeline("0000000a.history"));
  const auto segment = parse_segment_name("00000002000000010000002A", 16 << 20);
  ASSERT_TRUE(segment);
  EXPECT_EQ(segment->number, 256u + 0x2a);
  EXPECT_EQ(segment_file_name(*segment, 16 << 20), "00000002000000010000002A");
  EXPECT_FALSE(parse_segment_name("000000020000000100000100", 16 << 20)) << "only 256 segments of 16 MB fit 4 GB";
}

TEST(PostmasterPid, FullAndJustBegun) {
  const auto file =
      parse_postmaster_pid("12763\n/data\n1795295211\n26008\n/run\n127.0.0.1\n 10132581    590239\nready   \n");
  ASSERT_TRUE(file);
  EXPECT_EQ(file->pid, 12763);
  EXPECT_EQ(file->port, 26008);
  EXPECT_EQ(file->status, "ready");
  EXPECT_TRUE(parse_postmaster_pid("5\n/data\n1795295211\n"));
  EXPECT_FALSE(parse_postmaster_pid(""));
  EXPECT_FALSE(parse_postmaster_pid("nonsense\n/data\n1\n"));
}

TEST(PostgresStored, WhatADirectoryIs) {
  auto dir = sys::TempDir::create("postgres-stored");
  ASSERT_TRUE(dir);
  const std::string data = dir->path() + "/member/data";
  EXPECT_EQ(read_postgres_stored(data).content, StoredContent::missing);
  std::filesystem::create_directories(data);
  EXPECT_EQ(read_postgres_stored(data).content, StoredContent::empty);
  std::filesystem::create_directory(data + "/lost+found");
  EXPECT_EQ(read_postgres_stored(data).content, StoredContent::empty);
  std::ofstream(data + "/ibdata1") << "x";
  EXPECT_EQ(read_postgres_stored(data).content, StoredContent::foreign);
  EXPECT_FALSE(read_postgres_stored(data).wal.end);

  std::filesystem::remove(data + "/ibdata1");
  for (const char* name : {"global", "pg_wal", "base", "pg_replslot/one"})
    std::filesystem::create_directories(data + "/" + name);
  std::ofstream(data + "/PG_VERSION") << "15\n";
  std::ofstream(data + "/global/pg_control") << control_file();
  auto state = read_postgres_stored(data);
  EXPECT_EQ(state.content, StoredContent::data) << state.why;
  EXPECT_EQ(*state.version, "15");
  EXPECT_EQ(*state.slots, std::vector<std::string>{"one"});
  EXPECT_TRUE(state.postmaster_absent);
  EXPECT_FALSE(state.wal.end) << "there is no WAL";
  ASSERT_TRUE(state.wal.at_least) << "but a minimum recovery point";
  EXPECT_EQ(lsn_text(state.wal.at_least->end), "0/179C9E8");
  EXPECT_FALSE(state.archive_ready);

  // A FIFO where a file should be never blocks, and the agent's marker is seen.
  std::filesystem::remove(data + "/global/pg_control");
  ASSERT_EQ(::mkfifo((data + "/global/pg_control").c_str(), 0600), 0);
  ASSERT_EQ(::mkfifo((data + "/postmaster.pid").c_str(), 0600), 0);
  std::ofstream(dir->path() + "/member/initialising") << "";
  state = read_postgres_stored(data);
  EXPECT_FALSE(state.control);
  EXPECT_FALSE(state.postmaster);
  EXPECT_FALSE(state.postmaster_absent);
  EXPECT_EQ(state.content, StoredContent::half_made);
  ASSERT_FALSE(state.markers.empty());
}

}  // namespace
}  // namespace holdfast::engine::postgres

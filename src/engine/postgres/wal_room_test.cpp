// Only WAL that nobody needs is removed: not what recovery, the archiver or a slot that stays begins at.
#include "engine/postgres/wal_room.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cstring>
#include <filesystem>
#include <fstream>

#include "codec/crc32.h"
#include "sys/file.h"

namespace holdfast::engine::postgres {
namespace {

namespace fs = std::filesystem;
constexpr Lsn kSegment = 16 << 20;

/// Segments 1 to 8; the last checkpoint's redo is in segment 6.
class Directory {
 public:
  Directory() : dir_(std::move(*sys::TempDir::create("wal-room"))) {
    for (const char* name : {"global", "pg_wal/archive_status", "pg_replslot"})
      fs::create_directories(path() + "/" + name);
    for (int i = 1; i <= 8; ++i) write("pg_wal/" + segment(i), "wal");
    std::string control(8192, '\0');
    const auto put = [&](size_t at, uint64_t value, size_t width) { std::memcpy(control.data() + at, &value, width); };
    put(0, 7710734210448818612, 8);
    put(8, 1300, 4);
    put(12, 202209061, 4);
    put(16, 6, 4);
    put(32, 6 * kSegment + 0x200, 8);
    put(40, 6 * kSegment + 0x100, 8);
    put(48, 1, 4);
    put(52, 1, 4);
    put(204, 8, 4);
    const double number = 1234567.0;
    std::memcpy(control.data() + 208, &number, 8);
    put(216, 8192, 4);
    put(224, 8192, 4);
    put(228, kSegment, 4);
    put(288, codec::crc32c(as_bytes(control).first(288)), 4);
    write("global/pg_control", control);
  }
  std::string path() const { return dir_.path(); }
  static std::string segment(int number) { return fmt::format("0000000100000000{:08X}", number); }
  void write(const std::string& name, const std::string& text) { std::ofstream(path() + "/" + name) << text; }
  void add_slot(const std::string& name, Lsn restart) {
    std::string state(200, '\0');
    const auto put = [&](size_t at, uint64_t value, size_t width) { std::memcpy(state.data() + at, &value, width); };
    put(0, 0x1051CA1, 4);
    put(8, 3, 4);
    put(12, state.size() - 16, 4);
    std::memcpy(state.data() + 16, name.data(), name.size());
    put(96, restart, 8);
    put(4, codec::crc32c(as_bytes(std::string_view(state).substr(8))), 4);
    fs::create_directories(path() + "/pg_replslot/" + name);
    write("pg_replslot/" + name + "/state", state);
  }
  /// Numbers of the segments that are left.
  std::string left() const {
    std::string numbers;
    for (int i = 1; i <= 8; ++i)
      if (fs::exists(path() + "/pg_wal/" + segment(i))) numbers += std::to_string(i);
    return numbers;
  }

 private:
  sys::TempDir dir_;
};

constexpr Lsn kNobody = ~Lsn{0};

TEST(WalRoom, WhatRecoveryNeedsStays) {
  Directory dir;
  const auto room = read_wal_room(dir.path());
  EXPECT_EQ(room.unknown, "");
  EXPECT_EQ(lsn_text(room.oldest), "0/1000000");
  EXPECT_EQ(lsn_text(room.recovery), "0/6000100");
  const auto freed = free_wal(dir.path(), kNobody, {});
  ASSERT_TRUE(freed) << freed.error().to_string();
  EXPECT_EQ(freed->segments, 5u);
  EXPECT_EQ(freed->bytes, 5 * kSegment);
  EXPECT_EQ(dir.left(), "678");
}

TEST(WalRoom, WhatFollowersNeedStays) {
  Directory dir;
  ASSERT_TRUE(free_wal(dir.path(), 3 * kSegment + 5, {}));
  EXPECT_EQ(dir.left(), "345678");
}

TEST(WalRoom, WhatIsNotArchivedStays) {
  Directory dir;
  for (int i = 1; i <= 8; ++i)
    dir.write("pg_wal/archive_status/" + Directory::segment(i) + (i == 4 ? ".ready" : ".done"), "");
  EXPECT_EQ(lsn_text(*read_wal_room(dir.path()).archiver), "0/4000000");
  ASSERT_TRUE(free_wal(dir.path(), kNobody, {}));
  EXPECT_EQ(dir.left(), "45678");
  EXPECT_FALSE(fs::exists(dir.path() + "/pg_wal/archive_status/" + Directory::segment(3) + ".done"));
}

TEST(WalRoom, SlotsStayUnlessNamed) {
  Directory dir;
  dir.add_slot("standby", 4 * kSegment + 77);
  dir.add_slot("forgotten", 2 * kSegment);
  dir.add_slot("fresh", 0);
  EXPECT_EQ(read_wal_room(dir.path()).slots.size(), 3u);
  ASSERT_TRUE(free_wal(dir.path(), kNobody, {}));
  EXPECT_EQ(dir.left(), "2345678");
  ASSERT_TRUE(free_wal(dir.path(), kNobody, {"forgotten"}));
  EXPECT_EQ(dir.left(), "45678");
  EXPECT_FALSE(fs::exists(dir.path() + "/pg_replslot/forgotten"));
  EXPECT_FALSE(fs::exists(dir.path() + "/pg_replslot/forgotten.tmp"));
  EXPECT_TRUE(fs::exists(dir.path() + "/pg_replslot/standby/state"));
  EXPECT_TRUE(free_wal(dir.path(), kNobody, {"forgotten"})) << "done again after a crash";
  EXPECT_EQ(dir.left(), "45678");
}

TEST(WalRoom, WhatIsNotKnownKeepsEverything) {
  Directory dir;
  dir.add_slot("damaged", 2 * kSegment);
  dir.write("pg_replslot/damaged/state", std::string(200, 'x'));
  EXPECT_NE(read_wal_room(dir.path()).unknown, "");
  EXPECT_EQ(free_wal(dir.path(), kNobody, {}).error().id, "postgres.wal_room");
  EXPECT_EQ(free_wal(dir.path(), kNobody, {"damaged"}).error().id, "postgres.wal_room");
  fs::remove_all(dir.path() + "/pg_replslot/damaged");
  dir.write("backup_label", "START WAL LOCATION: 0/1000028 (file 000000010000000000000001)\n");
  EXPECT_EQ(free_wal(dir.path(), kNobody, {}).error().id, "postgres.wal_room");
  EXPECT_EQ(dir.left(), "12345678");
}

}  // namespace
}  // namespace holdfast::engine::postgres

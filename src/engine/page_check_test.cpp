// A page is bad only for certain, every kind of damage that a checksum can show is found, and nothing else is.
#include "engine/page_check.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <sys/stat.h>

#include <array>
#include <atomic>
#include <chrono>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <thread>

#include "sys/file.h"
#include "tests/support/page_writer.h"

namespace holdfast::engine {
namespace {

namespace fs = std::filesystem;
using cluster::Engine;
using test::flip;
using test::innodb_file;
using test::innodb_page;
using test::InnodbSeal;
using test::postgres_file;
using test::postgres_page;
using test::put;
using test::seal;
using test::slow_crc32c;
using testing::ElementsAre;
using testing::IsEmpty;

/// A data directory with files of pages; files are of one 16 KiB page size unless told.
class Pages : public testing::Test {
 protected:
  Pages() : dir_(std::move(*sys::TempDir::create("pages"))) {}
  std::string path(const std::string& name = "") const { return dir_.path() + "/" + name; }
  void write(const std::string& name, const std::string& content) const {
    fs::create_directories(fs::path(path(name)).parent_path());
    std::ofstream(path(name), std::ios::binary) << content;
  }
  void overwrite(const std::string& name, uint64_t at, std::string_view content) const {
    std::fstream file(path(name), std::ios::binary | std::ios::in | std::ios::out);
    file.seekp(static_cast<std::streamoff>(at));
    file << content;
    ASSERT_TRUE(file.flush());
  }

  PageCheck check(Engine engine) const {
    auto result = check_pages(engine, dir_.path(), Deadline::never());
    EXPECT_TRUE(result) << (result ? "" : result.error().message);
    if (!result) return {};
    EXPECT_TRUE(result->complete || result->bad.size() == kMaxBadPages);
    return std::move(*result);
  }
  /// "file page", sorted.
  static std::vector<std::string> names(const std::vector<BadPage>& bad) {
    std::vector<std::string> names;
    for (const BadPage& page : bad) names.push_back(fmt::format("{} {}", page.file, page.page));
    std::ranges::sort(names);
    return names;
  }
  std::vector<std::string> bad(Engine engine) const {
    const PageCheck found = check(engine);
    EXPECT_EQ(names(still_bad(engine, dir_.path(), found.bad)), names(found.bad));
    return names(found.bad);
  }

  void write_control(uint32_t checksums) const {
    std::string control(8192, '\0');
    const auto little = [&](size_t at, uint64_t value, size_t width) {
      std::memcpy(control.data() + at, &value, width);
    };
    little(0, 7710734210448818612, 8);
    little(8, 1300, 4);
    little(16, 6, 4);
    little(32, 512, 8);
    little(40, 256, 8);
    little(48, 1, 4);
    little(204, 8, 4);
    const double number = 1234567.0;
    std::memcpy(control.data() + 208, &number, 8);
    little(216, 8192, 4);
    little(220, 131072, 4);
    little(224, 8192, 4);
    little(228, 16 << 20, 4);
    little(252, checksums, 4);
    little(288, slow_crc32c(std::string_view(control).substr(0, 288)), 4);
    write("global/pg_control", control);
  }

 private:
  sys::TempDir dir_;
};

class InnodbPages : public Pages, public testing::WithParamInterface<InnodbSeal> {
 protected:
  /// Pages 0 to 19 of a table are in use, but for 12; its first page was changed last at 5000.
  static void describe_extent(std::string& file, InnodbSeal kind, uint32_t state) {
    std::string first = file.substr(0, 16384);
    put(first, 150 + 20, state, 4);
    for (size_t page = 0; page < 64; ++page) {
      char& byte = first[150 + 24 + page / 4];
      const bool in_use = page < 20 && page != 12;
      byte = static_cast<char>((byte & ~(3 << page % 4 * 2)) | (in_use ? 2 : 3) << page % 4 * 2);
    }
    for (size_t extent = 1; extent < 256; ++extent) put(first, 150 + 40 * extent + 20, 0, 4);
    seal(first, kind);
    file.replace(0, 16384, first);
  }
};
INSTANTIATE_TEST_SUITE_P(Formats, InnodbPages, testing::Values(InnodbSeal::full_crc32, InnodbSeal::classic),
                         [](const auto& info) {
                           return info.param == InnodbSeal::full_crc32 ? "full_crc32" : "classic";
                         });

TEST_P(InnodbPages, WholeFilesOfAllPageSizesAreGood) {
  uint64_t count = 0, bytes = 0;
  for (const size_t size : {4096, 8192, 16384, 32768, 65536}) {
    const std::string file = innodb_file(GetParam(), 70, size);
    write(fmt::format("shop/t{}.ibd", size), file);
    count += 70;
    bytes += file.size();
  }
  write("undo001", innodb_file(GetParam(), 9));
  write("undo_002", innodb_file(GetParam(), 9));
  write("shop/notes.txt", std::string(100'000, 'x'));
  const PageCheck found = check(Engine::mariadb);
  EXPECT_TRUE(found.complete);
  EXPECT_THAT(names(found.bad), IsEmpty());
  EXPECT_EQ(found.files, 7u);
  EXPECT_EQ(found.pages, count + 18);
  EXPECT_EQ(found.bytes, bytes + 18 * 16384);
  EXPECT_EQ(found.of_bytes, found.bytes);
}

TEST_P(InnodbPages, EveryKindOfDamageIsFound) {
  for (const char* name : {"a", "b", "c", "d", "e", "f"})
    write(fmt::format("shop/{}.ibd", name), innodb_file(GetParam(), 100));
  overwrite("shop/a.ibd", 80 * 16384, std::string(16384, '\xa5'));
  overwrite("shop/b.ibd", 65 * 16384 + 9000, "!");
  fs::resize_file(path("shop/c.ibd"), 50 * 16384);
  overwrite("shop/d.ibd", 0, std::string(16384, '\x5a'));
  overwrite("shop/e.ibd", 0, std::string(16384, '\0'));
  fs::resize_file(path("shop/f.ibd"), 99 * 16384 + 512);
  EXPECT_THAT(bad(Engine::mysql), ElementsAre("shop/a.ibd 80", "shop/b.ibd 65", "shop/c.ibd 50", "shop/d.ibd 0",
                                              "shop/e.ibd 0", "shop/f.ibd 99"));
}

TEST_P(InnodbPages, WhatWasNeverWrittenIsGood) {
  write("shop/t.ibd", innodb_file(GetParam(), 20));
  overwrite("shop/t.ibd", 10 * 16384, std::string(5 * 16384, '\0'));
  write("shop/new.ibd", std::string(7 * 16384, '\0'));
  fs::resize_file(path("shop/t.ibd"), 300 * 16384);  // grown; the first page does not say so yet
  EXPECT_THAT(bad(Engine::mariadb), IsEmpty());
}

std::string redo_of_mariadb(uint64_t checkpoint) {
  std::string log(3 * 4096, '\0'), block(64, '\0');
  log.replace(0, 4, "Phys");
  put(block, 0, checkpoint, 8);
  put(block, 60, slow_crc32c(std::string_view(block).substr(0, 60)), 4);
  log.replace(8192, 64, block);
  return log;
}
std::string redo_of_mysql(uint64_t checkpoint) {
  std::string log(4096, '\0'), block(512, '\0');
  put(block, 8, checkpoint, 8);
  put(block, 508, slow_crc32c(std::string_view(block).substr(0, 508)), 4);
  log.replace(512, 512, block);
  return log;
}

TEST_P(InnodbPages, AnEmptyPageThatIsInUseIsBadOnceACheckpointHasPassed) {
  std::string file = innodb_file(GetParam(), 64);
  file.replace(10 * 16384, 4 * 16384, std::string(4 * 16384, '\0'));
  file.replace(16384, 16384, std::string(16384, '\0'));  // some servers never write it
  file.replace(30 * 16384, 16384, std::string(16384, '\0'));
  describe_extent(file, GetParam(), 4);
  write("shop/t.ibd", file);
  EXPECT_THAT(bad(Engine::mariadb), IsEmpty()) << "no redo log tells of a checkpoint";
  for (const auto& [name, log] : {std::pair<std::string, std::string (*)(uint64_t)>("ib_logfile0", redo_of_mysql),
                                  {"#innodb_redo/#ib_redo9", redo_of_mysql},
                                  {"ib_logfile0", redo_of_mariadb}}) {
    write(name, log(5000));
    EXPECT_THAT(bad(Engine::mysql), IsEmpty()) << "they may be in the server's memory only";
    std::string broken = log(5001);
    flip(broken, broken.starts_with("Phys") ? 8192 : 512);
    write(name, broken);
    EXPECT_THAT(bad(Engine::mysql), IsEmpty()) << "its checksum is wrong";
    write(name, log(5001));
    EXPECT_THAT(names(check(Engine::mysql).bad), ElementsAre("shop/t.ibd 10", "shop/t.ibd 11", "shop/t.ibd 13"))
        << name;
    fs::remove(path(name));
  }
  write("ib_logfile0", redo_of_mariadb(5001));
  describe_extent(file, GetParam(), 1);
  write("shop/t.ibd", file);
  EXPECT_THAT(bad(Engine::mariadb), IsEmpty()) << "an extent that is free";
}

TEST_P(InnodbPages, TheSystemTablespaceKeepsScratchCopiesAndMayHaveSeveralFiles) {
  std::string system = innodb_file(GetParam(), 300);
  std::string transactions(16384, '\0');
  put(transactions, 4, 5, 4);
  put(transactions, 16384 - 200 + 10, 536853855, 4);
  put(transactions, 16384 - 200 + 14, 64, 4);
  put(transactions, 16384 - 200 + 18, 192, 4);
  seal(transactions, GetParam());
  system.replace(5 * 16384, 16384, transactions);
  for (const size_t page : {64, 127, 192, 255, 128}) system.replace(page * 16384 + 100, 8, "not here");
  write("ibdata1", system);
  EXPECT_THAT(bad(Engine::mariadb), ElementsAre("ibdata1 128"));
  system.replace(128 * 16384, 16384, innodb_page(GetParam(), 128, 16384, 0, 0));
  write("ibdata1", system.substr(0, 280 * 16384));
  EXPECT_THAT(bad(Engine::mariadb), ElementsAre("ibdata1 280"));
  write("ibdata2", system.substr(280 * 16384));
  EXPECT_THAT(bad(Engine::mariadb), IsEmpty());
  overwrite("ibdata2", 3 * 16384 + 50, "x!");
  EXPECT_THAT(bad(Engine::mariadb), ElementsAre("ibdata2 3"));
}

TEST_F(Pages, WhatIsEncryptedOrCompressedIsNotTakenForDamage) {
  std::string opaque = innodb_file(InnodbSeal::classic, 20);
  for (const auto& [page, type] : std::vector<std::pair<size_t, uint32_t>>{{4, 14}, {5, 15}, {6, 34354}, {7, 37401}}) {
    put(opaque, page * 16384 + 24, type, 2);
    put(opaque, page * 16384 + 100, 0x12345678, 4);
  }
  write("shop/opaque.ibd", opaque);
  std::string keyed = innodb_file(InnodbSeal::classic, 20), first = keyed.substr(0, 16384);
  first.replace(10390, 6, "s\x0e\x0cREt");
  seal(first, InnodbSeal::classic);
  keyed.replace(0, 16384, first);
  put(keyed, 9 * 16384 + 26, 1, 4);
  put(keyed, 9 * 16384 + 100, 0x12345678, 4);
  write("shop/keyed.ibd", keyed);
  // A compressed page of full_crc32 has its own seal where its type says that it ends, at 2048 here.
  std::string packed = innodb_file(InnodbSeal::full_crc32, 20);
  packed.replace(0, 16384, innodb_page(InnodbSeal::full_crc32, 0, 16384, 16 + 5 + (1 << 5), 20));
  std::string short_page = innodb_page(InnodbSeal::full_crc32, 8, 2048, 0, 0, 0x8008);
  packed.replace(8 * 16384, 16384, short_page + std::string(16384 - 2048, '\0'));
  write("shop/packed.ibd", packed);
  std::string small(8 * 8192, 'k');  // KEY_BLOCK_SIZE=8
  put(small, 54, 0x27, 4);
  write("shop/small.ibd", small);
  const PageCheck found = check(Engine::mysql);
  EXPECT_THAT(names(found.bad), IsEmpty());
  EXPECT_EQ(found.files, 3u);
  EXPECT_EQ(found.pages, 60u - 4 - 1);
  EXPECT_EQ(found.of_bytes, found.bytes);
  overwrite("shop/keyed.ibd", 12 * 16384 + 100, "damage");
  overwrite("shop/packed.ibd", 8 * 16384 + 100, "damage");
  overwrite("shop/packed.ibd", 12 * 16384 + 100, "damage");
  EXPECT_THAT(bad(Engine::mysql), ElementsAre("shop/keyed.ibd 12", "shop/packed.ibd 12", "shop/packed.ibd 8"));
  // Without its first page a file cannot say that it is encrypted or compressed.
  for (const char* name : {"shop/keyed.ibd", "shop/packed.ibd"}) {
    write(name, std::string_view(name).find("keyed") != std::string_view::npos ? keyed : packed);
    overwrite(name, 0, std::string(16384, 'x'));
  }
  EXPECT_THAT(bad(Engine::mysql), ElementsAre("shop/keyed.ibd 0", "shop/packed.ibd 0"));
}

TEST_F(Pages, PostgresFilesOfAllKinds) {
  write_control(1);
  write("global/1213", postgres_file(0, 3));
  write("base/5/16384", postgres_file(0, 300));
  write("base/5/16384.2", postgres_file(262144, 3));
  write("base/5/16384_fsm", postgres_file(0, 3));
  write("base/5/16384_vm.1", postgres_file(131072, 3));
  write("base/5/16384_init", postgres_file(0, 1));
  write("pg_tblspc/16999/PG_15_202209061/5/17000", postgres_file(0, 3));
  const std::string garbage(24576, 'g');
  for (const char* other : {"base/5/pg_filenode.map", "base/5/PG_VERSION", "base/5/t3_16385", "base/5/16384_tmp",
                            "base/5/16384.x", "base/5/16384.", "base/5/16384_", "base/pgsql_tmp/pgsql_tmp12.0"})
    write(other, garbage);
  overwrite("base/5/16384", 100 * 8192, std::string(8192, '\0'));  // new
  PageCheck found = check(Engine::postgres);
  EXPECT_THAT(names(found.bad), IsEmpty());
  EXPECT_EQ(found.files, 7u);
  EXPECT_EQ(found.pages, 316u);

  overwrite("base/5/16384", 250 * 8192, std::string(8192, 'g'));
  overwrite("base/5/16384", 200 * 8192, postgres_page(201));       // a write that went to another place
  overwrite("base/5/16384", 150 * 8192, std::string(4096, '\0'));  // half of a page is lost
  overwrite("base/5/16384.2", 2 * 8192 + 5000, "x");
  overwrite("base/5/16384_vm.1", 5000, "x");
  overwrite("pg_tblspc/16999/PG_15_202209061/5/17000", 0, "x");
  EXPECT_THAT(bad(Engine::postgres),
              ElementsAre("base/5/16384 150", "base/5/16384 200", "base/5/16384 250", "base/5/16384.2 2",
                          "base/5/16384_vm.1 0", "pg_tblspc/16999/PG_15_202209061/5/17000 0"));
}

/// "file first pages", sorted.
std::vector<std::string> texts(const std::vector<cluster::PageRun>& runs) {
  std::vector<std::string> texts;
  for (const auto& run : runs) texts.push_back(fmt::format("{} {} {}", run.file, run.first, run.pages));
  std::ranges::sort(texts);
  return texts;
}

TEST_F(Pages, PostgresTablesHaveTheirEmptyPagesListed) {
  write_control(1);
  const auto zeros = [](size_t pages) { return std::string(pages * 8192, '\0'); };
  write("base/5/16384", postgres_file(0, 300));
  overwrite("base/5/16384", 10 * 8192, zeros(1));
  overwrite("base/5/16384", 100 * 8192, zeros(50));  // over the end of what is read in one go
  write("base/5/16390", postgres_file(0, 3) + zeros(4));
  write("base/5/16390_fsm", zeros(3));
  write("base/5/16391", postgres_file(0, 3));
  const PageCheck found = check(Engine::postgres);
  EXPECT_THAT(names(found.bad), IsEmpty());
  EXPECT_THAT(texts(found.empty), ElementsAre("base/5/16384 10 1", "base/5/16384 100 50", "base/5/16390 3 4"));
  EXPECT_EQ(texts(empty_now(Engine::postgres, path(), found)), texts(found.empty));

  overwrite("base/5/16384", 10 * 8192, postgres_page(10));
  overwrite("base/5/16384", 100 * 8192, postgres_page(100));  // the last of its run is still empty
  write("base/5/16390", postgres_file(0, 7));
  write("base/5/16391", postgres_file(0, 3) + zeros(6) + postgres_file(9, 1));  // grown, not as a server lets it grow
  EXPECT_THAT(texts(empty_now(Engine::postgres, path(), found)),
              ElementsAre("base/5/16384 100 50", "base/5/16391 3 6"));
}

TEST_F(Pages, OfManyEmptyPagesTheLongestRunsAreTold) {
  write_control(1);
  std::string file;
  for (uint32_t run = 0; run < 3000; ++run)
    file += postgres_page(static_cast<uint32_t>(file.size() / 8192)) + std::string(run == 7 ? 4 * 8192 : 8192, '\0');
  write("base/5/16384", file);
  const PageCheck found = check(Engine::postgres);
  EXPECT_THAT(names(found.bad), IsEmpty());
  ASSERT_EQ(found.empty.size(), kMaxEmptyRuns);
  EXPECT_EQ(found.empty[0].first, 15u);
  EXPECT_EQ(found.empty[0].pages, 4u);
}

TEST_F(Pages, OfPostgresWithoutChecksumsOnlyEmptyPagesAreTold) {
  write_control(0);
  write("base/5/16384", std::string(81920, 'g') + std::string(16384, '\0'));
  const PageCheck found = check(Engine::postgres);
  EXPECT_TRUE(found.complete);
  EXPECT_THAT(names(found.bad), IsEmpty());
  EXPECT_THAT(texts(found.empty), ElementsAre("base/5/16384 10 2"));
  fs::remove(path("global/pg_control"));
  EXPECT_FALSE(check_pages(Engine::postgres, path(), Deadline::never()));
}

TEST_F(Pages, APageThatKeepsChangingIsNotBad) {
  write("shop/t.ibd", innodb_file(InnodbSeal::full_crc32, 20));
  write("shop/damaged.ibd", innodb_file(InnodbSeal::full_crc32, 20));
  overwrite("shop/t.ibd", 8 * 16384 + 100, "half");
  overwrite("shop/damaged.ibd", 9 * 16384 + 100, "half");
  std::jthread writer([&](const std::stop_token& stop) {
    for (int i = 0; !stop.stop_requested(); ++i) {
      overwrite("shop/t.ibd", 8 * 16384 + 200, fmt::format("{:08}", i));
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
    }
  });
  EXPECT_THAT(names(check(Engine::mariadb).bad), ElementsAre("shop/damaged.ibd 9"));
}

TEST_F(Pages, WhatIsMendedWhileItIsLookedAtIsNotBad) {
  const std::string whole = innodb_file(InnodbSeal::classic, 20);
  write("shop/t.ibd", whole);
  write("shop/cut.ibd", whole);
  write("shop/gone.ibd", whole);
  overwrite("shop/t.ibd", 8 * 16384 + 100, "half");
  fs::resize_file(path("shop/cut.ibd"), 10 * 16384);
  overwrite("shop/gone.ibd", 8 * 16384 + 100, "half");
  std::jthread mender([&] {
    std::this_thread::sleep_for(std::chrono::milliseconds(250));
    overwrite("shop/t.ibd", 8 * 16384, whole.substr(8 * 16384, 16384));
    overwrite("shop/cut.ibd", 10 * 16384, whole.substr(10 * 16384));
    fs::remove(path("shop/gone.ibd"));
  });
  EXPECT_THAT(names(check(Engine::mysql).bad), IsEmpty());
}

TEST_F(Pages, StillBadForgetsWhatWasMended) {
  const std::string whole = innodb_file(InnodbSeal::classic, 20);
  for (const char* name : {"a", "b", "c"}) write(fmt::format("shop/{}.ibd", name), whole);
  overwrite("shop/a.ibd", 8 * 16384 + 100, "damage");
  overwrite("shop/b.ibd", 8 * 16384 + 100, "damage");
  fs::resize_file(path("shop/c.ibd"), 10 * 16384);
  const std::vector<BadPage> found = check(Engine::mysql).bad;
  EXPECT_THAT(names(found), ElementsAre("shop/a.ibd 8", "shop/b.ibd 8", "shop/c.ibd 10"));
  write("shop/b.ibd", whole);
  EXPECT_THAT(names(still_bad(Engine::mysql, path(), found)), ElementsAre("shop/a.ibd 8", "shop/c.ibd 10"));
  fs::remove(path("shop/a.ibd"));
  write("shop/c.ibd", whole);
  EXPECT_THAT(still_bad(Engine::mysql, path(), found), IsEmpty());
}

TEST_F(Pages, NewestFilesComeFirstAndTheListEnds) {
  for (const char* name : {"old", "new"}) {
    std::string file = innodb_file(InnodbSeal::full_crc32, 101);
    for (size_t page = 1; page < 98; ++page) file[page * 16384 + 99] ^= 1;
    write(fmt::format("{}.ibd", name), file);
  }
  const timespec times[2] = {{1'000'000, 0}, {1'000'000, 0}};
  ASSERT_EQ(::utimensat(AT_FDCWD, path("old.ibd").c_str(), times, 0), 0);
  const PageCheck found = check(Engine::mariadb);
  ASSERT_EQ(found.bad.size(), kMaxBadPages);
  EXPECT_FALSE(found.complete);
  for (const BadPage& page : found.bad) EXPECT_EQ(page.file, "new.ibd");
}

TEST_F(Pages, TimeAndStopEndIt) {
  write("shop/t.ibd", innodb_file(InnodbSeal::full_crc32, 20));
  const auto late = check_pages(Engine::mariadb, path(), Deadline::in(std::chrono::milliseconds(0)));
  ASSERT_TRUE(late);
  EXPECT_FALSE(late->complete);
  EXPECT_EQ(late->bytes, 0u);
  EXPECT_EQ(late->of_bytes, 20u * 16384);
  std::stop_source stop;
  stop.request_stop();
  const auto stopped = check_pages(Engine::mariadb, path(), Deadline::never(), stop.get_token());
  ASSERT_TRUE(stopped);
  EXPECT_FALSE(stopped->complete);
}

TEST_F(Pages, NothingIsWritten) {
  const std::string whole = innodb_file(InnodbSeal::full_crc32, 20);
  write("shop/t.ibd", whole);
  overwrite("shop/t.ibd", 5 * 16384 + 77, "damage");
  fs::permissions(path("shop/t.ibd"), fs::perms::owner_read);
  struct stat before, after;
  ASSERT_EQ(::stat(path("shop/t.ibd").c_str(), &before), 0);
  EXPECT_THAT(bad(Engine::mariadb), ElementsAre("shop/t.ibd 5"));
  ASSERT_EQ(::stat(path("shop/t.ibd").c_str(), &after), 0);
  EXPECT_EQ(before.st_mtim.tv_nsec, after.st_mtim.tv_nsec);
  EXPECT_EQ(before.st_ctim.tv_nsec, after.st_ctim.tv_nsec);
  EXPECT_EQ(before.st_atim.tv_nsec, after.st_atim.tv_nsec);
}

}  // namespace
}  // namespace holdfast::engine

#include "sys/mapped_file.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <numeric>

#include "sys/file.h"

namespace holdfast::sys {
namespace {

struct MappedFileTest : testing::Test {
  TempDir directory = TempDir::create("mapped").value();
  std::string path = directory.path() + "/file";

  Fd write(size_t size) {
    Buffer bytes(size);
    for (size_t i = 0; i < size; ++i) bytes[i] = static_cast<uint8_t>(i % 251 + 1);
    Fd fd = open_file(path, O_RDWR | O_CREAT | O_TRUNC).value();
    EXPECT_TRUE(write_all(fd.get(), bytes).has_value());
    ::lseek(fd.get(), 0, SEEK_SET);
    return fd;
  }
};

TEST_F(MappedFileTest, starts_where_the_descriptor_stands) {
  const Fd fd = write(100000);
  ::lseek(fd.get(), 5000, SEEK_SET);
  auto file = MappedFile::map(fd.get());
  ASSERT_TRUE(file.has_value());
  EXPECT_EQ(file->bytes().size(), 95000u);
  EXPECT_EQ(file->bytes()[0], 5000 % 251 + 1);
  MappedFile::need_now(file->bytes());
  MappedFile::release(file->bytes());
  EXPECT_EQ(file->bytes()[94999], 99999 % 251 + 1);
  EXPECT_FALSE(file->failed());
}

TEST_F(MappedFileTest, a_file_that_shrinks_is_told_and_does_not_end_the_process) {
  const Fd fd = write(100000);
  auto file = MappedFile::map(fd.get());
  ASSERT_TRUE(file.has_value());
  ASSERT_EQ(::ftruncate(fd.get(), 10000), 0);
  const auto bytes = file->bytes();
  EXPECT_GT(std::accumulate(bytes.begin(), bytes.end(), uint64_t{0}), 0u);
  EXPECT_TRUE(file->failed());
}

TEST_F(MappedFileTest, a_file_that_loses_the_end_of_its_last_page_is_told) {
  const Fd fd = write(100000);
  auto file = MappedFile::map(fd.get());
  ASSERT_TRUE(file.has_value());
  ASSERT_EQ(::ftruncate(fd.get(), 99990), 0);
  const MappedFile moved(std::move(*file));
  EXPECT_EQ(moved.bytes()[99995], 0) << "no fault tells";
  EXPECT_TRUE(moved.failed());
}

TEST_F(MappedFileTest, pipes_and_empty_files_are_left_to_read) {
  int ends[2];
  ASSERT_EQ(::pipe(ends), 0);
  const Fd in(ends[0]), out(ends[1]);
  EXPECT_FALSE(MappedFile::map(in.get()).has_value());
  EXPECT_FALSE(MappedFile::map(write(0).get()).has_value());
}

}  // namespace
}  // namespace holdfast::sys

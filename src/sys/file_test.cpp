#include "sys/file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>

#include "sys/random_suffix.h"

namespace holdfast::sys {
namespace {

// Bodies from one MiB on take a way of their own past the page cache, in aligned pieces; the rest is written behind.
TEST(PublishFile, writes_every_byte_of_every_size_from_any_address) {
  auto dir = TempDir::create("publish").value();
  Buffer pattern((5 << 20) + 4096);
  for (size_t i = 0; i < pattern.size(); ++i) pattern[i] = static_cast<uint8_t>(i * 2654435761u >> 24);
  const size_t mib = 1 << 20;
  for (const size_t size :
       {size_t{0}, size_t{1}, size_t{4096}, mib - 1, mib, mib + 1, mib + 4095, 2 * mib + 4096, 5 * mib + 7}) {
    for (const size_t shift : {0, 1, 511}) {
      const std::string path = dir.path() + "/object";
      const ByteSpan body = pattern.span(shift, size);
      ASSERT_TRUE(publish_file(path, body, 0640)) << size;
      const Buffer back = read_file(path).value();
      ASSERT_EQ(back.size(), size);
      EXPECT_TRUE(std::equal(back.span().begin(), back.span().end(), body.begin())) << size << " from " << shift;
    }
  }
  size_t entries = 0;
  for ([[maybe_unused]] const auto& entry : std::filesystem::directory_iterator(dir.path())) ++entries;
  EXPECT_EQ(entries, 1u) << "temporary files were left behind";
}

TEST(PublishFile, the_file_has_the_mode_that_was_asked_for_under_any_umask) {
  const TempDir dir = TempDir::create("publish").value();
  for (const mode_t mask : {mode_t{0}, mode_t{022}, mode_t{077}}) {
    const mode_t before = ::umask(mask);
    const auto published = publish_file(dir.path() + "/f", as_bytes("x"), 0644);
    ::umask(before);
    ASSERT_TRUE(published);
    struct stat info{};
    ASSERT_EQ(::stat((dir.path() + "/f").c_str(), &info), 0);
    EXPECT_EQ(info.st_mode & 07777, 0644u) << mask;
  }
}

TEST(PublishFile, leftovers_of_a_process_with_our_number_are_not_in_the_way) {
  auto dir = TempDir::create("publish").value();
  const std::string path = dir.path() + "/fixed";
  for (int i = 0; i < 50; ++i) {
    const std::string leftover = path + "-tmp-" + std::to_string(::getpid()) + "-" + std::to_string(i);
    ASSERT_TRUE(publish_file(leftover, as_bytes("half"), 0600));
  }
  for (int i = 0; i < 50; ++i) ASSERT_TRUE(publish_file(path, as_bytes("whole"), 0600)) << i;
  EXPECT_NE(random_suffix(), random_suffix());
}

TEST(MakeDirectories, they_have_the_mode_that_was_asked_for_under_any_umask) {
  const auto dir = TempDir::create("modes").value();
  for (const mode_t mask : {0077, 0027, 0022, 0}) {
    const std::string top = fmt::format("{}/{:o}", dir.path(), mask);
    const mode_t before = ::umask(mask);
    const Status made = make_directories(top + "/below", 0755);
    ::umask(before);
    ASSERT_TRUE(made) << made.error().to_string();
    for (const std::string& path : {top, top + "/below"}) {
      struct stat info{};
      ASSERT_EQ(::stat(path.c_str(), &info), 0);
      EXPECT_EQ(info.st_mode & 07777, 0755u) << path;
    }
    ASSERT_EQ(::chmod(top.c_str(), 0700), 0);
    ASSERT_TRUE(make_directories(top + "/below", 0755));
    struct stat info{};
    ASSERT_EQ(::stat(top.c_str(), &info), 0);
    EXPECT_EQ(info.st_mode & 07777, 0700u) << "what is there stays as it is";
  }
}

TEST(LockFile, several_share_it_and_one_has_it_alone) {
  auto dir = TempDir::create("lock").value();
  const auto open = [&] { return open_file(dir.path() + "/lock", O_RDWR | O_CREAT).value(); };
  Fd first = open(), second = open(), third = open();
  EXPECT_TRUE(lock_file(first.get(), LockKind::shared));
  EXPECT_TRUE(lock_file(second.get(), LockKind::shared));
  EXPECT_FALSE(lock_file(third.get()));
  first.reset();
  EXPECT_FALSE(lock_file(third.get()));
  second.reset();
  EXPECT_TRUE(lock_file(third.get()));
  first = open();
  EXPECT_FALSE(lock_file(first.get(), LockKind::shared));
}

TEST(PublishFile, keeps_what_is_there_when_asked_to_create) {
  auto dir = TempDir::create("publish").value();
  const std::string path = dir.path() + "/object";
  ASSERT_TRUE(publish_file(path, as_bytes("first"), 0600, Publish::create_only));
  Buffer large(3 << 20);
  std::memset(large.data(), 7, large.size());
  const auto again = publish_file(path, large, 0600, Publish::create_only);
  ASSERT_FALSE(again);
  EXPECT_EQ(again.error().id, "store.exists");
  EXPECT_EQ(as_text(read_file(path).value()), "first");
}

}  // namespace
}  // namespace holdfast::sys

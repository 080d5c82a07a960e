#include "sys/write_at.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/statfs.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <random>

#include "sys/file.h"
#include "tests/support/require.h"

namespace holdfast::sys {
namespace {

Buffer random_bytes(size_t size) {
  Buffer bytes(size);
  std::mt19937_64 random(size);
  for (size_t i = 0; i < size; ++i) bytes[i] = static_cast<uint8_t>(random());
  return bytes;
}

// Writes into a file of one value, then compares every byte of it: inside and around what was written.
void expect_written(const std::string& path, uint64_t offset, size_t length, size_t misalign) {
  SCOPED_TRACE(path + ": " + std::to_string(length) + " bytes at " + std::to_string(offset));
  const Fd fd = open_file(path, O_RDWR | O_CREAT | O_TRUNC).value();
  Buffer expected(3 * 1024 * 1024 + 123);
  std::fill_n(expected.data(), expected.size(), uint8_t{0xee});
  ASSERT_TRUE(write_all(fd.get(), expected));
  const Buffer bytes = random_bytes(length + misalign);
  const ByteSpan body = bytes.span(misalign, length);
  const auto done = write_at(fd.get(), body, offset);
  ASSERT_TRUE(done) << done.error().to_string();
  if (length > 0 && expected.size() < offset + length) {
    const size_t before = expected.size();
    expected.resize(offset + length);
    if (offset > before) std::fill_n(expected.data() + before, offset - before, uint8_t{0});
  }
  std::copy(body.begin(), body.end(), expected.data() + offset);
  const auto read = read_file(path);
  ASSERT_TRUE(read);
  ASSERT_EQ(read->size(), expected.size());
  EXPECT_TRUE(std::equal(read->span().begin(), read->span().end(), expected.span().begin()));
  EXPECT_EQ(::fcntl(fd.get(), F_GETFL) & O_DIRECT, 0) << "the descriptor is left changed";
}

void expect_all_shapes(const std::string& path) {
  for (const uint64_t offset : {0, 1, 511, 512, 4095, 4096, 4097, 70'001, 1 << 20, 4 << 20, (4 << 20) + 17}) {
    for (const size_t length : {0, 1, 4096, 65'535, 65'536, 65'537, 69'632, 1'048'576, 1'048'577, 2'500'003}) {
      expect_written(path, offset, length, offset % 3);
      if (testing::Test::HasFatalFailure()) return;
    }
  }
}

TEST(WriteAt, any_place_and_length_on_a_disk) {
  const TempDir directory = TempDir::create("write-at").value();
  expect_all_shapes(directory.path() + "/file");
}

TEST(WriteAt, a_file_system_that_knows_no_direct_writes) {
  struct statfs info{};
  HOLDFAST_NEED("/dev/shm", ::statfs("/dev/shm", &info) == 0 && ::access("/dev/shm", W_OK) == 0,
                "no tmpfs to write to");
  const std::string path = "/dev/shm/holdfast-write-at-" + std::to_string(::getpid());
  expect_all_shapes(path);
  ::unlink(path.c_str());
}

TEST(WriteAt, a_descriptor_that_cannot_be_written_is_an_error) {
  const TempDir directory = TempDir::create("write-at").value();
  const std::string path = directory.path() + "/file";
  ASSERT_TRUE(publish_file(path, as_bytes("kept"), 0600));
  const Fd fd = open_file(path, O_RDONLY).value();
  for (const size_t length : {10, 100'000}) EXPECT_FALSE(write_at(fd.get(), random_bytes(length), 0)) << length;
  EXPECT_EQ(as_text(*read_file(path)), "kept");
}

// In a child, because the limit is the process's.
TEST(WriteAt, a_limit_of_the_file_s_size_is_an_error_and_never_a_short_file) {
  const TempDir directory = TempDir::create("write-at").value();
  const std::string path = directory.path() + "/file";
  const pid_t child = ::fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    ::signal(SIGXFSZ, SIG_IGN);
    const rlimit limit{500'000, 500'000};
    if (::setrlimit(RLIMIT_FSIZE, &limit) != 0) ::_exit(10);
    const Buffer bytes = random_bytes(2'000'000);
    for (const uint64_t offset : {0, 4096, 77, 499'999, 500'000, 1'000'000}) {
      const auto fd = open_file(path, O_RDWR | O_CREAT | O_TRUNC);
      if (!fd) ::_exit(11);
      if (write_at(fd->get(), bytes, offset)) ::_exit(12);
      if (write_at(fd->get(), bytes.span(0, 10), 499'995)) ::_exit(13);
    }
    const auto fd = open_file(path, O_RDWR | O_CREAT | O_TRUNC);
    ::_exit(write_at(fd->get(), bytes.span(0, 500'000), 0) ? 0 : 14);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  ASSERT_TRUE(WIFEXITED(status));
  EXPECT_EQ(WEXITSTATUS(status), 0);
}

// A small file system on a loop device, where direct writes work; in mounts of this process's own, which go with it.
TEST(WriteAt, a_full_disk_is_an_error_with_its_own_name) {
  HOLDFAST_NEED("root", ::geteuid() == 0, "a small file system has to be mounted");
  // EINVAL: under chroot "/" is no mount point; the mount is taken back at the end in any case.
  const bool own_mounts = ::unshare(CLONE_NEWNS) == 0 &&
                          (::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0 || errno == EINVAL);
  HOLDFAST_NEED("mount namespace", own_mounts, std::strerror(errno));
  const TempDir directory = TempDir::create("write-at").value();
  const std::string image = directory.path() + "/image", mounted = directory.path() + "/disk";
  ASSERT_TRUE(make_directories(mounted));
  {
    const Fd fd = open_file(image, O_RDWR | O_CREAT).value();
    ASSERT_EQ(::ftruncate(fd.get(), 8 << 20), 0);
  }
  const auto shell = [](const std::string& command) {
    const int status = std::system((command + " >/dev/null 2>&1").c_str());
    return WIFEXITED(status) && WEXITSTATUS(status) == 0;
  };
  HOLDFAST_NEED("mkfs.ext4", shell("PATH=$PATH:/sbin:/usr/sbin mkfs.ext4 -q -F -O ^has_journal " + image), "e2fsprogs");
  HOLDFAST_NEED("loop", shell("mount -o loop " + image + " " + mounted), "this machine gives no loop device");
  for (const uint64_t offset : {0, 4096, 100}) {
    const std::string path = mounted + "/file";
    const Fd fd = open_file(path, O_RDWR | O_CREAT | O_TRUNC).value();
    const auto done = write_at(fd.get(), random_bytes(12 << 20), offset);
    EXPECT_FALSE(done) << "12 MiB fit on a disk of 8";
    if (!done) {
      EXPECT_EQ(done.error().id, "store.no_space") << done.error().to_string();
    }
    // publish_file() goes the same way: nothing must be left under the name.
    ::unlink(path.c_str());
    const auto published = publish_file(mounted + "/published", random_bytes(12 << 20), 0600);
    EXPECT_FALSE(published);
    EXPECT_FALSE(std::filesystem::exists(mounted + "/published"));
  }
  expect_written(mounted + "/fits", 4097, 200'000, 1);
  EXPECT_TRUE(shell("umount " + mounted) || shell("umount -l " + mounted));
}

}  // namespace
}  // namespace holdfast::sys

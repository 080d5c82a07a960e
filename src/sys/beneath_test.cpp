// Paths below a directory: no link on the way leads out of it, with openat2(2) and without.
#include "sys/beneath.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>

#include "tests/support/require.h"

namespace holdfast::sys {
namespace {

namespace fs = std::filesystem;

class Beneath : public testing::TestWithParam<bool> {
 protected:
  void SetUp() override {
    fs::create_directories(root_ + "/a/b");
    fs::create_directories(outside_ + "/b");
    ASSERT_TRUE(publish_file(root_ + "/a/b/file", as_bytes("inside"), 0600));
    ASSERT_TRUE(publish_file(outside_ + "/b/file", as_bytes("outside"), 0600));
    fs::create_directory_symlink(outside_, root_ + "/out");
    fs::create_directory_symlink("a", root_ + "/in");
    fs::create_symlink("b/file", root_ + "/a/link");
    fd_ = Fd(::open(root_.c_str(), O_PATH | O_DIRECTORY));
  }
  Fd open(const std::string& path, int flags, unsigned mode = 0600) {
    return GetParam() ? open_beneath(fd_.get(), path, flags, mode) : walk_beneath(fd_.get(), path, flags, mode);
  }
  TempDir directory_ = TempDir::create("beneath").value();
  const std::string root_ = directory_.path() + "/root", outside_ = directory_.path() + "/outside";
  Fd fd_;
};

TEST_P(Beneath, what_is_there_is_opened) {
  EXPECT_TRUE(open("a/b/file", O_RDONLY));
  EXPECT_TRUE(open("", O_RDONLY | O_DIRECTORY));
  EXPECT_TRUE(open("a//b", O_RDONLY | O_DIRECTORY));
  EXPECT_TRUE(open("a/b/new", O_WRONLY | O_CREAT | O_EXCL, 0640));
  struct stat info{};
  ASSERT_EQ(::stat((root_ + "/a/b/new").c_str(), &info), 0);
  EXPECT_EQ(
      info.st_mode & 0777, 0640u & ~[] {
        const mode_t m = ::umask(0);
        ::umask(m);
        return m;
      }());
}

TEST_P(Beneath, no_link_and_no_parent_is_followed) {
  for (const char* path : {"out/b/file", "in/b/file", "a/link", "../outside/b/file", "out"}) {
    errno = 0;
    EXPECT_FALSE(open(path, O_RDONLY)) << path;
    EXPECT_TRUE(errno == ELOOP || errno == ENOTDIR || errno == EXDEV) << path << ": " << errno;
  }
  EXPECT_FALSE(open("out/b/new", O_WRONLY | O_CREAT | O_EXCL));
  EXPECT_FALSE(fs::exists(outside_ + "/b/new"));
}

TEST_P(Beneath, a_path_longer_than_the_kernel_takes) {
  std::string path;
  Fd at(::open(root_.c_str(), O_PATH | O_DIRECTORY));
  const std::string name(200, 'n');
  for (int i = 0; i < 30; ++i) {
    ASSERT_EQ(::mkdirat(at.get(), name.c_str(), 0700), 0);
    at = Fd(::openat(at.get(), name.c_str(), O_PATH | O_DIRECTORY));
    path += (path.empty() ? "" : "/") + name;
  }
  EXPECT_TRUE(open(path + "/file", O_WRONLY | O_CREAT | O_EXCL));
}

INSTANTIATE_TEST_SUITE_P(Ways, Beneath, testing::Values(true, false),
                         [](const auto& kind) { return kind.param ? "openat2" : "walk"; });

TEST(OpenDirectory, makes_what_is_missing_and_follows_own_links_only) {
  const TempDir directory = TempDir::create("beneath").value();
  const std::string& root = directory.path();
  ASSERT_TRUE(open_directory(root + "/new/er", true, 0700));
  EXPECT_TRUE(fs::is_directory(root + "/new/er"));
  EXPECT_FALSE(open_directory(root + "/absent", false));
  fs::create_directory_symlink("new", root + "/own");
  ASSERT_TRUE(open_directory(root + "/own/er", false));
  fs::create_directory_symlink(root + "/loop", root + "/loop");
  EXPECT_FALSE(open_directory(root + "/loop", false));
  HOLDFAST_NEED("root", ::geteuid() == 0, "a link of another user");
  fs::create_directory_symlink("new", root + "/foreign");
  ASSERT_EQ(::lchown((root + "/foreign").c_str(), 12345, 12345), 0);
  const auto refused = open_directory(root + "/foreign/er", false);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().id, "sys.foreign_link");
  EXPECT_EQ(refused.error().error_class, ErrorClass::refused);
}

}  // namespace
}  // namespace holdfast::sys

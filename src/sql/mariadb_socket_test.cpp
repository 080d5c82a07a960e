// A connection that fails closes what it opened, and nothing else: a descriptor closed twice may be another thread's.
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstring>

#include "sql/mariadb.h"
#include "sys/file.h"

#ifndef __SANITIZE_THREAD__  // which has its own close()

namespace {
std::atomic<int> closed_in_vain = 0;
}

/// Stands in for the C library's, also for the libraries this program loads.
extern "C" int close(int fd) {
  const int result = static_cast<int>(::syscall(SYS_close, fd));
  if (result != 0 && errno == EBADF) ++closed_in_vain;
  return result;
}

namespace holdfast::sql {
namespace {

using std::chrono::seconds;

class FailedConnect : public ::testing::Test {
 protected:
  void SetUp() override {
    ::unlink(path_.c_str());
    closed_in_vain = 0;
  }
  void TearDown() override { ::unlink(path_.c_str()); }

  /// A socket that is bound, and listens unless told otherwise.
  sys::Fd bound(int type, bool listens) {
    sys::Fd fd(::socket(AF_UNIX, type | SOCK_CLOEXEC, 0));
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::memcpy(address.sun_path, path_.c_str(), path_.size());
    EXPECT_EQ(::bind(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
    if (listens) {
      EXPECT_EQ(::listen(fd.get(), 4), 0);
    }
    return fd;
  }
  std::string connect_fails() {
    Target target;
    target.socket = path_;
    target.user = "nobody";
    auto connection = MariadbConnection::connect(target, Deadline::in(seconds(1)));
    EXPECT_FALSE(connection);
    return connection ? "" : connection.error().id;
  }

  const std::string path_ = ::testing::TempDir() + "/holdfast-" + std::to_string(::getpid()) + ".sock";
};

TEST_F(FailedConnect, ToNothing) {
  EXPECT_EQ(connect_fails(), "sql.unreachable");
  EXPECT_EQ(closed_in_vain, 0);
}

TEST_F(FailedConnect, ToTheSocketOfADeadServer) {
  bound(SOCK_STREAM, true).reset();
  EXPECT_EQ(connect_fails(), "sql.unreachable");
  EXPECT_EQ(closed_in_vain, 0);
}

TEST_F(FailedConnect, ToAServerThatSaysNothing) {
  const auto server = bound(SOCK_STREAM, true);
  EXPECT_EQ(connect_fails(), "sql.timeout");
  EXPECT_EQ(closed_in_vain, 0);
}

TEST_F(FailedConnect, TheTestSeesAVainClose) {
  ::close(1 << 20);
  EXPECT_EQ(closed_in_vain, 1);
}

}  // namespace
}  // namespace holdfast::sql

#endif

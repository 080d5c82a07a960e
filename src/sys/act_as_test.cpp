// Which user a server on a unix socket sees while we act as another, and that nothing of it stays.
#include "sys/act_as.h"

#include <gtest/gtest.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <atomic>
#include <csignal>
#include <cstring>
#include <thread>

#include "sys/file.h"
#include "tests/support/require.h"

namespace holdfast::sys {
namespace {

constexpr uid_t kOther = 65534;
constexpr gid_t kGroup = 65533, kMore = 65532;
const std::optional<Identity> kIdentity = Identity{kOther, kGroup, {kMore}};

/// A socket that notes who connects.
class Door {
 public:
  Door() {
    ::chmod(dir_.path().c_str(), 0755);
    address_.sun_family = AF_UNIX;
    std::strcpy(address_.sun_path, (dir_.path() + "/door").c_str());
    EXPECT_EQ(::bind(listener_.get(), reinterpret_cast<sockaddr*>(&address_), sizeof address_), 0);
    ::chmod(address_.sun_path, 0777);
    EXPECT_EQ(::listen(listener_.get(), 4), 0);
  }
  ucred who_connects() const {
    const Fd client(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    EXPECT_EQ(::connect(client.get(), reinterpret_cast<const sockaddr*>(&address_), sizeof address_), 0);
    const Fd server(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC));
    ucred peer{};
    socklen_t size = sizeof peer;
    EXPECT_EQ(::getsockopt(server.get(), SOL_SOCKET, SO_PEERCRED, &peer, &size), 0);
    return peer;
  }

 private:
  const TempDir dir_ = TempDir::create("door").value();
  const Fd listener_{::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)};
  sockaddr_un address_{};
};

TEST(ActAs, IsSeenByTheServerOfASocket) {
  HOLDFAST_NEED("root", ::geteuid() == 0, "only root may act as another user");
  const Door door;
  {
    const ActAs for_files(kIdentity);
    EXPECT_EQ(door.who_connects().uid, 0u) << "rights over files are no identity";
  }
  {
    const ActAs for_peers(kIdentity, ActAs::Before::peers);
    EXPECT_EQ(door.who_connects().uid, kOther);
    EXPECT_EQ(door.who_connects().gid, kGroup);
    uid_t elsewhere = kOther;
    std::thread([&] { elsewhere = door.who_connects().uid; }).join();
    EXPECT_EQ(elsewhere, kOther) << "a thread that is started meanwhile has the same";
  }
  EXPECT_EQ(door.who_connects().uid, 0u);
}

TEST(ActAs, LeavesOtherThreadsAsTheyAre) {
  HOLDFAST_NEED("root", ::geteuid() == 0, "only root may act as another user");
  const Door door;
  std::optional<ActAs> here;
  uid_t other = kOther;
  std::atomic<int> turn{0};
  std::thread before([&] {
    while (turn != 1) std::this_thread::yield();
    other = door.who_connects().uid;
  });
  here.emplace(kIdentity, ActAs::Before::peers);
  turn = 1;
  before.join();
  EXPECT_EQ(other, 0u);
  EXPECT_EQ(::geteuid(), kOther);
}

TEST(ActAs, GivesEverythingBack) {
  HOLDFAST_NEED("root", ::geteuid() == 0, "only root may act as another user");
  const int dumpable = ::prctl(PR_GET_DUMPABLE);
  ASSERT_EQ(::prctl(PR_SET_PDEATHSIG, SIGTERM), 0);
  const auto groups = [] {
    std::vector<gid_t> list(static_cast<size_t>(::getgroups(0, nullptr)));
    EXPECT_GE(::getgroups(static_cast<int>(list.size()), list.data()), 0);
    return list;
  };
  const auto had = groups();
  {
    const ActAs outer(Identity{kOther - 10, kGroup, {}});
    {
      const ActAs inner(kIdentity, ActAs::Before::peers);
      EXPECT_EQ(groups(), std::vector<gid_t>{kMore});
      EXPECT_EQ(::prctl(PR_GET_DUMPABLE), dumpable);
    }
    EXPECT_EQ(::geteuid(), 0u);
    const TempDir dir = TempDir::create("acting").value();
    struct stat made{};
    ASSERT_EQ(::stat(dir.path().c_str(), &made), 0);
    EXPECT_EQ(made.st_uid, kOther - 10) << "what was before the inner one holds again";
  }
  EXPECT_EQ(groups(), had);
  int signal = 0;
  ASSERT_EQ(::prctl(PR_GET_PDEATHSIG, &signal), 0);
  EXPECT_EQ(signal, SIGTERM);
  EXPECT_EQ(::prctl(PR_SET_PDEATHSIG, 0), 0);
  const TempDir dir = TempDir::create("acted").value();
  struct stat made{};
  ASSERT_EQ(::stat(dir.path().c_str(), &made), 0);
  EXPECT_EQ(made.st_uid, 0u);
}

TEST(ActAs, ChangesNothingForWhoIsNotRoot) {
  if (::geteuid() == 0) {
    const ActAs first(kIdentity, ActAs::Before::peers);
    ASSERT_EQ(::geteuid(), kOther);
    const ActAs second(Identity{kOther - 1, kGroup, {}}, ActAs::Before::peers);
    EXPECT_EQ(::geteuid(), kOther);
    return;
  }
  const uid_t me = ::geteuid();
  const ActAs other(kIdentity, ActAs::Before::peers);
  EXPECT_EQ(::geteuid(), me);
}

}  // namespace
}  // namespace holdfast::sys

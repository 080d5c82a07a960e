#include "sys/net_namespace.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <sched.h>
#include <sys/stat.h>
#include <unistd.h>

#include <csignal>
#include <thread>

#include "sys/process.h"
#include "tests/support/require.h"

namespace holdfast::sys {
namespace {

using std::chrono::seconds;

/// A namespace without a name; it goes with the descriptor.
Fd scratch_namespace() {
  Fd fd;
  std::thread([&] {
    if (::unshare(CLONE_NEWNET) == 0) fd = Fd(::open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC));
  }).join();
  return fd;
}

/// "net:[4026532000]"
std::string link_of(int fd) {
  struct stat info{};
  return ::fstat(fd, &info) == 0 ? fmt::format("net:[{}]", info.st_ino) : "";
}

std::string our_link() {
  const Fd ours(::open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC));
  return link_of(ours.get());
}

#define NEED_NAMESPACES() HOLDFAST_NEED("root", may_make_net_namespaces(), "it makes network namespaces")

TEST(NetNamespace, AChildLivesInItAndWeDoNot) {
  NEED_NAMESPACES();
  const Fd scratch = scratch_namespace();
  ASSERT_TRUE(scratch);
  const std::string before = our_link();
  for (const bool leashed : {false, true}) {  // by the caller's thread, and by the one that starts leashed children
    Command command;
    command.argv = {"/bin/readlink", "/proc/self/ns/net"};
    command.net_namespace = scratch.get();
    command.identity = Identity{65534, 65534, {}};
    if (leashed) command.die_with_parent = SIGKILL;
    auto result = run_ok(command, Deadline::in(seconds(10)));
    ASSERT_TRUE(result) << result.error().to_string();
    EXPECT_EQ(result->out, link_of(scratch.get()) + "\n");
    command.net_namespace = -1;
    result = run_ok(command, Deadline::in(seconds(10)));
    ASSERT_TRUE(result) << result.error().to_string();
    EXPECT_EQ(result->out, before + "\n") << "the namespace of one child became that of the next";
  }
  EXPECT_EQ(our_link(), before);
}

TEST(NetNamespace, WhatIsNoneStartsNothing) {
  NEED_NAMESPACES();
  const Fd file(::open("/dev/null", O_RDONLY | O_CLOEXEC));
  Command command;
  command.argv = {"/bin/true"};
  command.net_namespace = file.get();
  auto started = spawn(command);
  ASSERT_FALSE(started);
  EXPECT_NE(started.error().message.find("setns"), std::string::npos) << started.error().to_string();
  EXPECT_FALSE(in_net_namespace(file.get(), []() -> Status { return {}; }));
  EXPECT_EQ(open_net_namespace("of-nobody").error().id, "sys.no_namespace");
}

TEST(NetNamespace, WorkOnAThreadOfItsOwn) {
  NEED_NAMESPACES();
  const Fd scratch = scratch_namespace();
  const std::string before = our_link();
  std::string inside;
  ASSERT_TRUE(in_net_namespace(scratch.get(), [&]() -> Status {
    inside = our_link();
    return {};
  }));
  EXPECT_EQ(inside, link_of(scratch.get()));
  EXPECT_EQ(our_link(), before);
  const auto failed = in_net_namespace(scratch.get(), []() -> Status { return fail(ErrorClass::failed, "a.b", "no"); });
  ASSERT_FALSE(failed);
  EXPECT_EQ(failed.error().id, "a.b");
}

}  // namespace
}  // namespace holdfast::sys

// Whom a member's transactions are asked of.
#include "provider/errant_log.h"

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <cstring>
#include <thread>

#include "provider/member_access.h"
#include "sys/file.h"
#include "tests/support/binlog_writer.h"

namespace holdfast::provider {
namespace {

using std::chrono::seconds;
using test::BinlogWriter;

const std::string kGtid = "11111111-1111-1111-1111-111111111111:1";

/// Takes one connection and answers its first request as an agent of version 2 of the protocol does.
class OldAgent {
 public:
  explicit OldAgent(const std::string& path) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::memcpy(address.sun_path, path.c_str(), path.size());
    listener_ = sys::Fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    EXPECT_EQ(::bind(listener_.get(), reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
    EXPECT_EQ(::listen(listener_.get(), 1), 0);
    thread_ = std::jthread([this] {
      const sys::Fd fd(::accept(listener_.get(), nullptr, nullptr));
      char request[4096];
      if (::recv(fd.get(), request, sizeof request, 0) <= 0) return;
      (void)!::send(fd.get(), "{\"ok\":true,\"protocol\":2}\n", 25, MSG_NOSIGNAL);
      (void)!::recv(fd.get(), request, sizeof request, 0);
    });
  }

 private:
  sys::Fd listener_;
  std::jthread thread_;
};

struct World {
  World() {
    cluster.name = ClusterName("orders");
    cluster.engine = cluster::Engine::mysql;
    member.name = MemberName("db-0");
    BinlogWriter log(BinlogWriter::Flavour::mysql);
    log.previous_gtids({});
    log.mysql_transaction(0x11, 1);
    EXPECT_TRUE(sys::make_directories(data()));
    EXPECT_TRUE(sys::publish_file(data() + "/binlog.000001", as_bytes(log.bytes()), 0600));
    EXPECT_TRUE(sys::publish_file(data() + "/binlog.index", as_bytes(std::string_view("./binlog.000001\n")), 0600));
    EXPECT_TRUE(sys::make_directories(dir.path() + "/into"));
  }
  std::string data() const { return dir.path() + "/data"; }
  Result<engine::ErrantLog> fetch() const {
    ErrantLogRequest request;
    request.transactions = kGtid;
    request.limits = {.most = 10, .most_records = 0};
    request.deadline = Deadline::in(seconds(20));
    auto described = cluster;
    described.members = {member};
    return ClusterMembers(std::move(described))[0].files().errant_log(request, dir.path() + "/into", {});
  }
  const sys::TempDir dir = std::move(*sys::TempDir::create("errant"));
  cluster::DatabaseCluster cluster;
  cluster::Member member;
};

TEST(ErrantLogOfAMember, AnOldAgentIsNotAskedForWhatItCannotKnow) {
  World world;
  world.member.agent_socket = world.dir.path() + "/agent.sock";
  world.member.data_dir = world.data();  // which its agent has for itself
  const OldAgent agent(world.member.agent_socket);
  const auto log = world.fetch();
  ASSERT_FALSE(log);
  EXPECT_EQ(log.error().id, "agent.too_old");
  EXPECT_NE(log.error().hint, "");
}

TEST(ErrantLogOfAMember, IsReadHereOnlyWhereNoAgentAnswers) {
  World world;
  const auto nowhere = world.fetch();
  ASSERT_FALSE(nowhere);
  EXPECT_EQ(nowhere.error().id, "provider.external");
  world.member.agent_socket = world.dir.path() + "/no.sock";
  const auto gone = world.fetch();
  ASSERT_FALSE(gone);
  EXPECT_EQ(gone.error().id, "agent.unreachable");
  world.member.data_dir = world.data();
  const auto log = world.fetch();
  ASSERT_TRUE(log) << log.error().to_string();
  EXPECT_EQ(log->pieces.size(), 1u);
}

}  // namespace
}  // namespace holdfast::provider

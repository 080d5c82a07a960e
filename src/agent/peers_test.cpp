// A member tells its peers' addresses from others.
#include "agent/peers.h"

#include <gtest/gtest.h>

namespace holdfast::agent {
namespace {

MemberConfig config() {
  MemberConfig c;
  c.engine = cluster::Engine::mariadb;
  c.member = "m1";
  c.port = 1001;
  c.peers = {{"m0", "127.0.0.1", 1000, 0, ""}, {"m1", "127.0.0.1", 1001, 0, ""}, {"m2", "10.255.0.9", 1000, 0, ""}};
  return c;
}

engine::Channel to(const std::string& host, int port) {
  engine::Channel c;
  c.host = host;
  c.port = port;
  return c;
}

TEST(PeerSources, APeerIsKnownUnderOtherNames) {
  const auto own = config();
  const std::vector<engine::Channel> channels = {to("127.0.0.1", 1000), to("localhost", 1000), to("10.255.0.9", 1000),
                                                 to("127.0.0.1", 9), to("no-such-host.invalid", 1000)};
  const PeerSources sources(own, channels);
  const auto peer = [&](size_t i) -> std::string {
    const Peer* found = sources.peer(channels[i]);
    return found ? found->name : sources.source(channels[i]).outside() ? "outside" : "unknown";
  };
  EXPECT_EQ(peer(0), "m0");
  EXPECT_EQ(peer(1), "m0");
  EXPECT_EQ(peer(2), "m2");
  EXPECT_EQ(peer(3), "unknown") << "m2 may listen anywhere on a machine that is not known to be another one";
  EXPECT_EQ(peer(4), "unknown");
}

TEST(PeerSources, WithoutPeersNothingIsKnown) {
  MemberConfig alone;
  alone.member = "m0";
  const auto channel = to("127.0.0.1", 1000);
  const PeerSources sources(alone, {channel});
  EXPECT_EQ(sources.peer(channel), nullptr);
  EXPECT_FALSE(sources.source(channel).outside());
}

}  // namespace
}  // namespace holdfast::agent

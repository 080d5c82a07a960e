// Names of members and of their sources, and name servers that do not answer.
#include "provider/names.h"

#include <gtest/gtest.h>

#include <chrono>
#include <mutex>
#include <thread>

#include "cluster/topology.h"

namespace holdfast::provider {
namespace {

using cluster::MemberFacts;

/// db0 and db1, with nothing but names: db1 follows db0 by another one.
struct Described {
  cluster::DatabaseCluster cluster;
  std::vector<MemberFacts> facts;

  Described() {
    cluster.engine = cluster::Engine::mysql;
    for (const char* name : {"db0", "db1"}) {
      cluster::Member member;
      member.name = MemberName(name);
      member.host = name;
      member.port = 3306;
      cluster.members.push_back(member);
      MemberFacts f;
      f.member = member.name;
      f.reach = cluster::Reach::reachable;
      f.server_uuid = std::string("uuid of ") + name;
      facts.push_back(f);
    }
    cluster::Following stream;
    stream.upstream = "source.internal:3306";
    stream.receiving = false;
    facts[1].following = {stream};
  }
  cluster::Who source() const { return cluster::Topology(cluster, facts).source(1, facts[1].following[0]); }
};

/// Which names were asked for.
struct Asked {
  std::mutex mutex;
  std::set<std::string> names;
};

sys::NameLookup of_one_host(const std::shared_ptr<Asked>& asked) {
  return sys::NameLookup([asked](const std::string& name) {
    const std::lock_guard lock(asked->mutex);
    asked->names.insert(name);
    return std::vector<std::string>{name == "db1" ? "10.0.0.11" : "10.0.0.10"};
  });
}

TEST(Names, LeadToTheMemberThatASourceIs) {
  Described d;
  const auto asked = std::make_shared<Asked>();
  auto lookup = of_one_host(asked);
  EXPECT_TRUE(d.source().unknown());
  take_names(d.cluster, d.facts, Deadline::in(std::chrono::seconds(20)), lookup);
  EXPECT_TRUE(d.source().is(0)) << d.source().how();
  EXPECT_EQ(asked->names, (std::set<std::string>{"db0", "db1", "source.internal"}));
}

TEST(Names, OfSourcesAreAskedForOnlyWhereNothingElseTells) {
  Described d;
  d.facts[1].following[0].source_uuid = d.facts[0].server_uuid;
  const auto asked = std::make_shared<Asked>();
  auto lookup = of_one_host(asked);
  take_names(d.cluster, d.facts, Deadline::in(std::chrono::seconds(20)), lookup);
  EXPECT_TRUE(d.source().is(0));
  EXPECT_FALSE(asked->names.contains("source.internal"));
}

TEST(Names, ASilentNameServerCostsAPartOfASecond) {
  Described d;
  const auto gate = std::make_shared<std::mutex>();
  gate->lock();
  sys::NameLookup lookup([gate](const std::string&) {
    const std::lock_guard wait(*gate);
    return std::vector<std::string>{"10.0.0.10"};
  });
  ask_for_names(d.cluster, lookup);
  const auto begun = std::chrono::steady_clock::now();
  take_names(d.cluster, d.facts, Deadline::in(std::chrono::seconds(60)), lookup);
  EXPECT_LT(std::chrono::steady_clock::now() - begun, std::chrono::seconds(10));
  EXPECT_TRUE(d.source().unknown()) << "and nothing is concluded from that";
  gate->unlock();
}

}  // namespace
}  // namespace holdfast::provider

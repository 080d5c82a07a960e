// Members that are asked over whatever way the caller has, and the choice among what they said.
#include "engine/members.h"

#include <gtest/gtest.h>

#include "sys/process.h"

namespace holdfast::engine {
namespace {

using std::chrono::milliseconds;

cluster::DatabaseCluster cluster_of(size_t count, cluster::Engine engine = cluster::Engine::mysql) {
  cluster::DatabaseCluster cluster;
  cluster.name = ClusterName("orders");
  cluster.engine = engine;
  for (size_t i = 0; i < count; ++i) {
    cluster::Member member;
    member.name = MemberName("orders-" + std::to_string(i));
    member.ordinal = static_cast<int>(i);
    cluster.members.push_back(std::move(member));
  }
  return cluster;
}

Error error(ErrorClass error_class, std::string id) {
  return {error_class, std::move(id), "because", "", {}};
}

TEST(Members, AreAskedAtOnceAndOneThatHangsCostsItsOwnTime) {
  const auto cluster = cluster_of(8);
  const TargetOf hangs = [](const cluster::Member&, Deadline deadline,
                            const std::stop_token& stop) -> Result<sql::Target> {
    (void)sys::wait_until([] { return false; }, deadline, stop);
    return fail(error(ErrorClass::unavailable, "agent.unreachable"));
  };
  const auto begun = std::chrono::steady_clock::now();
  const auto views = look_at_members(cluster, hangs, milliseconds(400), {});
  EXPECT_LT(std::chrono::steady_clock::now() - begun, milliseconds(1600));
  ASSERT_EQ(views.size(), 8u);
  for (size_t i = 0; i < views.size(); ++i) {
    EXPECT_EQ(views[i].member, &cluster.members[i]);
    EXPECT_FALSE(views[i].known || views[i].healthy || views[i].target || views[i].refusal);
    EXPECT_NE(views[i].problem.find("because"), std::string::npos);
  }
}

TEST(Members, ThatMayNotBeAskedAreARefusalAndNoOutage) {
  const auto cluster = cluster_of(2);
  ErrorClass second = ErrorClass::usage;
  const TargetOf none = [&](const cluster::Member& member, Deadline, const std::stop_token&) -> Result<sql::Target> {
    return member.ordinal == 0 ? fail(error(ErrorClass::refused, "sql.plain_text"))
                               : fail(error(second, "test.second"));
  };
  const auto choose = [&](const std::string& wanted) {
    return choose_source(cluster, look_at_members(cluster, none, milliseconds(500), {}), wanted).error();
  };
  EXPECT_EQ(choose("").id, "test.second");
  EXPECT_EQ(choose("0").id, "sql.plain_text");
  second = ErrorClass::unavailable;
  EXPECT_EQ(choose("").id, "engine.no_source");
  EXPECT_EQ(choose("").error_class, ErrorClass::unavailable);
  EXPECT_EQ(choose("orders-0").id, "sql.plain_text");
  EXPECT_EQ(check_wanted(cluster, "orders-2").error().id, "engine.no_member");
  EXPECT_TRUE(check_wanted(cluster, "orders-1") && check_wanted(cluster, "1") && check_wanted(cluster, ""));
}

struct Seen {
  bool healthy = true, replica = false, filtered = false;
  double lag = 0;
};

/// The chosen member's ordinal, or the error's id.
std::string chosen(const std::vector<Seen>& seen, cluster::Engine engine = cluster::Engine::mysql,
                   const std::string& wanted = "") {
  const auto cluster = cluster_of(seen.size(), engine);
  std::vector<MemberView> views;
  for (size_t i = 0; i < seen.size(); ++i) {
    MemberView view;
    view.member = &cluster.members[i];
    view.known = true;
    view.healthy = seen[i].healthy;
    view.is_replica = seen[i].replica;
    view.filtered = seen[i].filtered;
    view.lag_seconds = seen[i].lag;
    views.push_back(std::move(view));
  }
  const auto source = choose_source(cluster, views, wanted);
  return source ? std::to_string(source->member->ordinal) : source.error().id;
}

TEST(Members, TheSourceIsTheReplicaWithTheLeastLag) {
  const Seen primary, replica{.replica = true}, late{.replica = true, .lag = 9},
      filters{.replica = true, .filtered = true}, broken{.healthy = false, .replica = true};
  EXPECT_EQ(chosen({primary, late, replica}), "2");
  EXPECT_EQ(chosen({primary, broken, late}), "2");
  EXPECT_EQ(chosen({primary, filters}), "0");
  EXPECT_EQ(chosen({primary, broken}), "0");
  EXPECT_EQ(chosen({broken, broken}), "engine.no_source");
  EXPECT_EQ(chosen({primary, replica, late}, cluster::Engine::mysql, "2"), "2");
  EXPECT_EQ(chosen({primary, replica, broken}, cluster::Engine::mysql, "2"), "engine.no_source");
  EXPECT_EQ(chosen({primary, primary}), "engine.two_primaries");
  EXPECT_EQ(chosen({primary, primary, replica}), "2");
  EXPECT_EQ(chosen({primary, primary, primary}, cluster::Engine::galera), "2");
}

}  // namespace
}  // namespace holdfast::engine

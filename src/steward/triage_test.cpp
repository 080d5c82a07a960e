// triage --watch without a terminal: what is refreshed, what counts as a change, and how it ends.
#include "steward/triage.h"

#include <gtest/gtest.h>

#include "tests/support/fake_cluster.h"

namespace holdfast::steward {
namespace {

using Lines = std::vector<std::string>;

TEST(Watch, SaysWhatChangedUntilItIsStopped) {
  test::FakeCluster cluster;
  test::FakeCaller caller;
  cluster.on_observe = [&](int count) {
    if (count == 2) cluster.ailing = {{1, test::kStopped}};
    if (count == 4) cluster.ailing.clear();
    if (count == 5) caller.stop.request_stop();
  };
  watch_cluster(cluster, std::chrono::milliseconds(1), caller.caller());
  EXPECT_EQ(caller.observer.seen, (Lines{"refreshed, changed: healthy", "refreshed: healthy",
                                         "refreshed, changed: not healthy: m1 server-crashed",
                                         "refreshed: not healthy: m1 server-crashed", "refreshed, changed: healthy"}))
      << "the last was cut short, and is no observation";
}

TEST(Watch, AStopEndsTheWaitForTheNext) {
  test::FakeCluster cluster;
  test::FakeCaller caller;
  caller.observer.on_line = [&](const std::string&) { caller.stop.request_stop(); };
  watch_cluster(cluster, std::chrono::hours(1), caller.caller());
  EXPECT_EQ(cluster.observations, 1);
}

}  // namespace
}  // namespace holdfast::steward

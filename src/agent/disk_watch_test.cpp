#include "agent/disk_watch.h"

#include <gtest/gtest.h>

namespace holdfast::agent {
namespace {

using std::chrono::seconds;

constexpr uint64_t kMiB = 1 << 20;

cluster::Volume volume(uint64_t used_mib) {
  return {"data", "/data", 1000 * kMiB, (1000 - used_mib) * kMiB, 100, 100};
}

struct World {
  DiskTrend trend;
  DiskTrend::Time now{};
  void look(uint64_t used_mib) { trend.add(volume(used_mib), now); }
  cluster::Volume told(uint64_t used_mib) {
    cluster::Volume v = volume(used_mib);
    why = trend.tell(v, now);
    return v;
  }
  std::string why;
};

TEST(DiskTrend, SaysThatItDoesNotKnowUntilItHasLookedForAWhile) {
  World w;
  EXPECT_FALSE(w.told(0).growth);
  EXPECT_NE(w.why, "");
  for (int i = 0; i < 4; ++i, w.now += seconds(5)) w.look(10);
  EXPECT_FALSE(w.told(10).growth);
  EXPECT_NE(w.why.find("20 s"), std::string::npos) << w.why;
}

TEST(DiskTrend, TellsAConstantPace) {
  World w;
  for (int i = 0; i <= 60; ++i, w.now += seconds(10)) w.look(static_cast<uint64_t>(i));
  w.now -= seconds(10);
  const auto v = w.told(60);
  ASSERT_TRUE(v.growth) << w.why;
  EXPECT_NEAR(*v.growth, 0.1 * kMiB, 100);
  EXPECT_NEAR(v.growth_seconds, 600, 1);
}

TEST(DiskTrend, ABurstThatIsOverIsNoTrend) {
  World w;
  for (int i = 0; i <= 60; ++i, w.now += seconds(10)) w.look(i < 10 ? 100 : 500);
  w.now -= seconds(10);
  EXPECT_NEAR(*w.told(500).growth, 0, 1);
}

TEST(DiskTrend, RoomThatWasMadeIsNoGrowth) {
  World w;
  for (int i = 0; i <= 60; ++i, w.now += seconds(10)) w.look(i < 40 ? 900 : 100 + static_cast<uint64_t>(i));
  w.now -= seconds(10);
  EXPECT_LE(*w.told(160).growth, 0);
}

TEST(DiskTrend, AnotherDiskAtTheSamePlaceIsLookedAtAnew) {
  World w;
  for (int i = 0; i <= 60; ++i, w.now += seconds(10)) w.look(static_cast<uint64_t>(i));
  cluster::Volume small{"data", "/data", 100 * kMiB, 90 * kMiB, 100, 100};
  w.trend.add(small, w.now);
  EXPECT_NE(w.trend.tell(small, w.now), "");
  for (int i = 0; i < 5; ++i) {
    w.now += seconds(10);
    small.free -= 10 * kMiB;
    w.trend.add(small, w.now);
  }
  EXPECT_EQ(w.trend.tell(small, w.now), "");
  EXPECT_NEAR(*small.growth, 1.0 * kMiB, 100);
}

TEST(DiskTrend, ForgetsWhatIsOlderThanAnHour) {
  World w;
  w.look(0);
  for (int i = 0; i <= 800; ++i, w.now += seconds(10)) w.look(500);
  EXPECT_LE(w.told(500).growth_seconds, 3620);
  EXPECT_NEAR(*w.told(500).growth, 0, 1);
}

}  // namespace
}  // namespace holdfast::agent

#include "agent/rate_limit.h"

#include <gtest/gtest.h>

#include <thread>

namespace holdfast::agent {
namespace {

using std::chrono::duration;
using std::chrono::milliseconds;
using clock = std::chrono::steady_clock;

double seconds_of(RateLimit& limit, int pieces, size_t bytes, const std::stop_token& stop = {}) {
  const auto begun = clock::now();
  for (int i = 0; i < pieces; ++i) limit.passed(bytes, stop);
  return duration<double>(clock::now() - begun).count();
}

TEST(RateLimits, AreKept) {
  RateLimit limit(1'000'000);
  EXPECT_GE(seconds_of(limit, 10, 50'000), 0.45);
}

TEST(RateLimits, ALongPauseIsNotMadeUpFor) {
  RateLimit limit(1'000'000);
  std::this_thread::sleep_for(milliseconds(1600));
  EXPECT_GE(seconds_of(limit, 15, 100'000), 0.4) << "a second of it may pass at once";
}

TEST(RateLimits, NoneIsNoWait) {
  RateLimit limit(0);
  EXPECT_LT(seconds_of(limit, 1000, 1'000'000'000), 0.5);
}

TEST(RateLimits, AStopEndsTheWait) {
  RateLimit limit(1000);
  std::stop_source stop;
  const std::jthread stops([&] {
    std::this_thread::sleep_for(milliseconds(100));
    stop.request_stop();
  });
  EXPECT_LT(seconds_of(limit, 1, 100'000, stop.get_token()), 30);
}

}  // namespace
}  // namespace holdfast::agent

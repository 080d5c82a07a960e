#include "net/retry.h"

#include <gtest/gtest.h>

#include <deque>
#include <thread>

namespace holdfast::net {
namespace {

using std::chrono::milliseconds;
using namespace std::chrono_literals;

TEST(Backoff, doubles_up_to_the_longest_delay_and_stays_within_jitter) {
  Backoff longest({100ms, 1000ms, 1h}, [] { return 0.999; });
  Backoff shortest({100ms, 1000ms, 1h}, [] { return 0.0; });
  for (const int expected : {100, 200, 400, 800, 1000, 1000}) {
    EXPECT_NEAR(longest.next(0ms)->count(), expected, 1 + expected / 500);
    EXPECT_EQ(shortest.next(0ms)->count(), expected / 2);
  }
}

TEST(Backoff, gives_up_rather_than_start_an_attempt_after_the_budget) {
  Backoff backoff({1000ms, 8s, 10s}, [] { return 0.999; });
  EXPECT_TRUE(backoff.next(8s));
  EXPECT_FALSE(backoff.next(9s));
  Backoff single({1000ms, 8s, 0ms});
  EXPECT_FALSE(single.next(0ms));
}

TEST(Backoff, waits_as_long_as_the_server_asks_but_not_beyond_the_budget) {
  Backoff backoff({100ms, 1s, 10s});
  EXPECT_EQ(backoff.next(0ms, 5s), 5s);
  EXPECT_FALSE(backoff.next(0ms, 11s));
}

TEST(RetryAfter, reads_seconds_and_dates_and_ignores_nonsense) {
  const auto now = std::chrono::system_clock::from_time_t(1445412480);  // Wed, 21 Oct 2015 07:28:00 GMT
  const auto of = [&](std::string value) { return retry_after(HttpResponse{503, {{"retry-after", value}}, ""}, now); };
  EXPECT_EQ(of("120"), 120s);
  EXPECT_EQ(of("Wed, 21 Oct 2015 07:28:09 GMT"), 9s);
  EXPECT_EQ(of("Wed, 21 Oct 2015 07:27:09 GMT"), 0ms);
  EXPECT_EQ(of("soon"), std::nullopt);
  EXPECT_EQ(of("-1"), std::nullopt);
  EXPECT_EQ(retry_after(HttpResponse{503, {}, ""}, now), std::nullopt);
}

class Script : public HttpClient {
 public:
  std::deque<Result<HttpResponse>> answers;
  int sent = 0;
  Result<HttpResponse> send(const HttpRequest&) override {
    ++sent;
    auto next = answers.front();
    if (answers.size() > 1) answers.pop_front();
    return next;
  }
};

Result<HttpResponse> status(int code) {
  return HttpResponse{code, {}, ""};
}
Result<HttpResponse> broken(ErrorClass error_class) {
  return fail(error_class, "net.closed", "closed");
}

TEST(SendWithRetry, tries_again_until_the_answer_is_final_and_builds_each_attempt_anew) {
  Script client;
  client.answers = {status(503), broken(ErrorClass::unavailable), status(429), status(404)};
  int built = 0;
  bool uncertain = false;
  auto answer = send_with_retry(client, {1ms, 2ms, 10s}, [&] { return ++built, HttpRequest{}; }, {{}, &uncertain});
  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->status, 404);
  EXPECT_EQ(built, 4);
  EXPECT_TRUE(uncertain);
}

TEST(SendWithRetry, does_not_repeat_what_cannot_get_better) {
  for (const auto& answer :
       {status(403), status(501), status(507), broken(ErrorClass::refused), broken(ErrorClass::interrupted)}) {
    Script client;
    client.answers = {answer};
    bool uncertain = false;
    (void)send_with_retry(client, {1ms, 2ms, 10s}, [] { return HttpRequest{}; }, {{}, &uncertain});
    EXPECT_EQ(client.sent, 1);
    EXPECT_FALSE(uncertain);
  }
}

TEST(SendWithRetry, a_dead_server_ends_within_the_budget_with_the_last_error) {
  Script client;
  client.answers = {broken(ErrorClass::unavailable)};
  const auto begin = std::chrono::steady_clock::now();
  auto answer = send_with_retry(client, {5ms, 20ms, 200ms}, [] { return HttpRequest{}; });
  EXPECT_LT(std::chrono::steady_clock::now() - begin, 5s);
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().error_class, ErrorClass::unavailable);
  EXPECT_GT(client.sent, 5);
}

TEST(SendWithRetry, a_stop_request_ends_the_wait) {
  Script client;
  client.answers = {status(503)};
  std::stop_source source;
  std::jthread stopper([&] { source.request_stop(); });
  const auto begin = std::chrono::steady_clock::now();
  auto answer = send_with_retry(client, {1h, 1h, 24h}, [&] {
    HttpRequest request;
    request.stop = source.get_token();
    return request;
  });
  EXPECT_LT(std::chrono::steady_clock::now() - begin, 60s);
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().id, "net.interrupted");
}

}  // namespace
}  // namespace holdfast::net

#include "net/retry.h"

#include <algorithm>
#include <charconv>
#include <condition_variable>
#include <ctime>
#include <mutex>
#include <random>

#include "base/log.h"

namespace holdfast::net {
namespace {

using std::chrono::milliseconds;

double default_random() {
  thread_local std::minstd_rand generator{std::random_device{}()};
  return std::uniform_real_distribution<double>(0, 1)(generator);
}

}  // namespace

Backoff::Backoff(RetryPolicy policy, Random random)
    : policy_(policy), random_(random ? std::move(random) : Random(default_random)), delay_(policy.first_delay) {}

std::optional<milliseconds> Backoff::next(milliseconds elapsed, std::optional<milliseconds> server_wish) {
  // Between half and all of the nominal delay: clients that failed together do not come back together.
  auto wait = milliseconds(static_cast<int64_t>(static_cast<double>(delay_.count()) * (0.5 + 0.5 * random_())));
  delay_ = std::min(delay_ * 2, policy_.max_delay);
  if (server_wish) wait = std::max(wait, *server_wish);
  if (elapsed + wait > policy_.budget) return std::nullopt;
  return wait;
}

bool is_retryable_status(int status) {
  switch (status) {
    case 408:
    case 429:
    case 500:
    case 502:
    case 503:
    case 504:
    case 509:
      return true;
    default:
      return false;
  }
}

std::optional<milliseconds> retry_after(const HttpResponse& response, std::chrono::system_clock::time_point now) {
  const std::string_view text = response.header("retry-after");
  if (text.empty()) return std::nullopt;
  uint32_t seconds = 0;
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), seconds);
  if (error == std::errc() && end == text.data() + text.size()) return std::chrono::seconds(seconds);
  tm parsed{};
  const char* rest = ::strptime(std::string(text).c_str(), "%a, %d %b %Y %H:%M:%S GMT", &parsed);
  if (!rest) return std::nullopt;
  const auto span = std::chrono::system_clock::from_time_t(::timegm(&parsed)) - now;
  return std::max(milliseconds(0), std::chrono::duration_cast<milliseconds>(span));
}

bool sleep_for(milliseconds span, const std::stop_token& stop) {
  std::mutex mutex;
  std::condition_variable_any wakeup;
  std::unique_lock lock(mutex);
  wakeup.wait_for(lock, stop, span, [] { return false; });
  return !stop.stop_requested();
}

Result<HttpResponse> send_with_retry(HttpClient& client, const RetryPolicy& policy,
                                     const std::function<HttpRequest()>& build, const RetryHooks& hooks) {
  const auto begin = std::chrono::steady_clock::now();
  Backoff backoff(policy);
  for (;;) {
    HttpRequest request = build();
    Result<HttpResponse> answer = client.send(request);
    std::optional<milliseconds> wish;
    if (answer) {
      const bool again = is_retryable_status(answer->status) || (hooks.also_retry && hooks.also_retry(*answer));
      if (!again) return answer;
      wish = retry_after(*answer, std::chrono::system_clock::now());
    } else if (answer.error().error_class != ErrorClass::unavailable) {
      return answer;
    }
    if (hooks.uncertain) *hooks.uncertain = true;
    const auto elapsed = std::chrono::duration_cast<milliseconds>(std::chrono::steady_clock::now() - begin);
    const auto wait = backoff.next(elapsed, wish);
    if (!wait || request.deadline.left() < *wait) return answer;
    log(LogLevel::info, "{} {}: {}, again in {} ms", request.method, request.url,
        answer ? fmt::format("HTTP {}", answer->status) : answer.error().message, wait->count());
    if (!sleep_for(*wait, request.stop)) return fail(ErrorClass::interrupted, "net.interrupted", "stopped");
  }
}

}  // namespace holdfast::net

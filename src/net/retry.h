// When and how long to wait before an HTTP request is tried again.
#pragma once

#include <chrono>
#include <functional>
#include <optional>
#include <stop_token>

#include "base/result.h"
#include "net/http_client.h"

namespace holdfast::net {

struct RetryPolicy {
  std::chrono::milliseconds first_delay{250};
  std::chrono::milliseconds max_delay{8'000};
  /// No attempt starts later than this after the first one began; 0 means one attempt only.
  std::chrono::milliseconds budget{60'000};
  /// The same for uploads of what took long to make; less than `budget` is that.
  std::chrono::milliseconds upload_budget{0};
};

/// The delays of one operation: exponential with jitter. PURE but for the random function.
class Backoff {
 public:
  using Random = std::function<double()>;  ///< in [0, 1)

  explicit Backoff(RetryPolicy policy, Random random = {});

  /// How long to wait after a failed attempt, `elapsed` after the operation began; a server's own wish is honoured.
  /// nullopt: give up, the next attempt would begin after the budget.
  std::optional<std::chrono::milliseconds> next(std::chrono::milliseconds elapsed,
                                                std::optional<std::chrono::milliseconds> server_wish = {});

 private:
  RetryPolicy policy_;
  Random random_;
  std::chrono::milliseconds delay_;
};

/// 408, 429, 500, 502, 503, 504 and 509: another attempt may succeed.
bool is_retryable_status(int status);

/// The Retry-After header: seconds or an HTTP date.
std::optional<std::chrono::milliseconds> retry_after(const HttpResponse& response,
                                                     std::chrono::system_clock::time_point now);

struct RetryHooks {
  /// Responses to try again besides is_retryable_status(), e.g. 400 with the code RequestTimeout.
  std::function<bool(const HttpResponse&)> also_retry;
  /// Set when an earlier attempt may have taken effect without an answer (connection lost, 5xx).
  bool* uncertain = nullptr;
};

/// Sends what `build` returns (called for each attempt, so that it can sign anew) until an answer is final or the
/// budget is spent; then the last answer or error. Blocks up to the budget plus one attempt; a stop request in the
/// built request ends it within a second.
Result<HttpResponse> send_with_retry(HttpClient& client, const RetryPolicy& policy,
                                     const std::function<HttpRequest()>& build, const RetryHooks& hooks = {});

/// Sleeps unless stopped; false when it was stopped.
bool sleep_for(std::chrono::milliseconds span, const std::stop_token& stop);

}  // namespace holdfast::net

// Signed requests to one bucket: addressing, region, retries, and errors in the server's words.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>

#include "base/mutex.h"
#include "net/http_client.h"
#include "net/retry.h"
#include "net/sigv4.h"
#include "net/url.h"

namespace holdfast::store {

enum class BucketLookup { automatic, path, dns };

struct S3Options {
  net::Url endpoint;  ///< path empty
  std::string bucket;
  std::string prefix;               ///< without outer slashes, may be ""
  net::AwsCredentials credentials;  ///< empty access key: requests are not signed
  std::string region;               ///< "" asks the server's answers, beginning with us-east-1
  BucketLookup lookup = BucketLookup::automatic;
  unsigned connections = 5;
  net::RetryPolicy retry;
  uint64_t multipart_above = 1ull << 30;  ///< bodies larger than this go up in parts
  uint64_t part_size = 256ull << 20;      ///< at least 5 MiB on AWS
  std::stop_token stop;
  std::function<std::chrono::system_clock::time_point()> now = std::chrono::system_clock::now;
};

struct S3Call {
  std::string method;
  std::string key;  ///< whole key with prefix; "" for the bucket itself
  net::NameValues query;
  net::HttpHeaders headers;
  ByteSpan body;
  std::string payload_hash;  ///< hex SHA-256 of the body; "" when there is none
  Buffer* into = nullptr;
  uint64_t limit = UINT64_MAX;
};

/// Thread-safe.
class S3Client {
 public:
  S3Client(std::shared_ptr<net::HttpClient> http, S3Options options);

  /// The final answer, after retries and after one correction of the region if the server names another.
  /// `uncertain` is set when an earlier attempt may have taken effect.
  Result<net::HttpResponse> send(const S3Call& call, bool* uncertain = nullptr,
                                 std::optional<net::RetryPolicy> retry = {});

  Error error_of(const S3Call& call, const net::HttpResponse& answer) const;
  const S3Options& options() const { return options_; }
  std::string region() const;

 private:
  net::HttpRequest build(const S3Call& call) const;
  bool learn_region(const net::HttpResponse& answer);

  // Constant after construction.
  const std::shared_ptr<net::HttpClient> http_;
  const S3Options options_;
  const bool dns_style_;

  mutable Mutex mutex_;
  std::string region_ GUARDED_BY(mutex_);
};

/// <Code> and <Message> of an S3 error body; empty where there is none.
struct S3ErrorBody {
  std::string code, message, region;
};
S3ErrorBody read_s3_error(std::string_view body);

}  // namespace holdfast::store

#include "store/s3_client.h"

#include <fmt/format.h>

#include <algorithm>

#include "codec/xml.h"
#include "store/http_object.h"

namespace holdfast::store {
namespace {

constexpr char kEmptyHash[] = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
constexpr char kDefaultRegion[] = "us-east-1";
constexpr int kTriesAtAFolder = 5;

bool is_amazon(const std::string& host) {
  return host.ends_with(".amazonaws.com") || host.ends_with(".amazonaws.com.cn");
}

// Wildcard certificates cover one label, so a bucket with dots cannot be a host name under TLS.
bool can_be_host_name(const std::string& bucket, bool tls) {
  return bucket.size() >= 3 && bucket.size() <= 63 && std::all_of(bucket.begin(), bucket.end(), [tls](unsigned char c) {
           return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || (c == '.' && !tls);
         });
}

bool use_dns_style(const S3Options& options) {
  if (options.lookup != BucketLookup::automatic) return options.lookup == BucketLookup::dns;
  const std::string& host = options.endpoint.host;
  return (is_amazon(host) || host.ends_with(".aliyuncs.com")) &&
         can_be_host_name(options.bucket, options.endpoint.scheme == "https");
}

}  // namespace

S3ErrorBody read_s3_error(std::string_view body) {
  S3ErrorBody error;
  if (body.empty()) return error;
  const auto root = codec::parse_xml(as_bytes(body));
  if (!root || root->name != "Error") return error;
  error.code = root->text_of("Code");
  error.message = root->text_of("Message");
  error.region = root->text_of("Region");
  return error;
}

S3Client::S3Client(std::shared_ptr<net::HttpClient> http, S3Options options)
    : http_(std::move(http)),
      options_(std::move(options)),
      dns_style_(use_dns_style(options_)),
      region_(options_.region.empty() ? kDefaultRegion : options_.region) {}

std::string S3Client::region() const {
  MutexLock lock(mutex_);
  return region_;
}

net::HttpRequest S3Client::build(const S3Call& call) const {
  const std::string region = this->region();
  net::Url endpoint = options_.endpoint;
  // The global endpoint serves us-east-1; a bucket elsewhere is reached at its own.
  if (endpoint.host == "s3.amazonaws.com" && region != kDefaultRegion)
    endpoint.host = fmt::format("s3.{}.amazonaws.com", region);
  if (dns_style_) endpoint.host = options_.bucket + "." + endpoint.host;
  std::string path = dns_style_ ? "/" : "/" + net::uri_encode(options_.bucket, net::Slash::encode);
  if (!call.key.empty()) path += (dns_style_ ? "" : "/") + net::uri_encode(call.key, net::Slash::keep);

  net::HttpRequest request;
  request.method = call.method;
  request.url = endpoint.origin() + path;
  if (!call.query.empty()) request.url += "?" + net::canonical_query(call.query);
  request.headers = call.headers;
  request.body = call.body;
  request.into = call.into;
  request.limit = call.limit;
  request.stop = options_.stop;
  if (!options_.credentials.access_key.empty()) {
    const std::string hash = call.payload_hash.empty() ? kEmptyHash : call.payload_hash;
    request.headers.emplace_back("x-amz-content-sha256", hash);
    const net::SigV4Request to_sign{call.method, endpoint.authority(), path, call.query, request.headers, hash};
    for (auto& header : net::sign_v4(to_sign, options_.credentials, region, "s3", options_.now())) {
      request.headers.push_back(std::move(header));
    }
  }
  return request;
}

bool S3Client::learn_region(const net::HttpResponse& answer) {
  if (answer.status != 301 && answer.status != 307 && answer.status != 400 && answer.status != 403) return false;
  std::string named(answer.header("x-amz-bucket-region"));
  if (named.empty()) named = read_s3_error(answer.body).region;
  MutexLock lock(mutex_);
  if (named.empty() || named == region_) return false;
  region_ = named;
  return true;
}

Result<net::HttpResponse> S3Client::send(const S3Call& call, bool* uncertain, std::optional<net::RetryPolicy> retry) {
  const net::RetryPolicy policy = retry.value_or(options_.retry);
  net::RetryHooks hooks;
  hooks.uncertain = uncertain;
  hooks.also_retry = [in_the_way = 0](const net::HttpResponse& answer) mutable {
    if (answer.status != 400 && answer.status != 409) return false;
    const std::string code = read_s3_error(answer.body).code;
    // versitygw (to 1.8.0) says so as well when another's delete took the key's folder away in the middle of a put.
    if (code == "ExistingObjectIsDirectory") return ++in_the_way <= kTriesAtAFolder;
    return code == "RequestTimeout" || code == "ConditionalRequestConflict" || code == "OperationAborted";
  };
  const auto build_call = [&] { return build(call); };
  auto answer = net::send_with_retry(*http_, policy, build_call, hooks);
  if (answer && learn_region(*answer)) answer = net::send_with_retry(*http_, policy, build_call, hooks);
  return answer;
}

Error S3Client::error_of(const S3Call& call, const net::HttpResponse& answer) const {
  const S3ErrorBody body = read_s3_error(answer.body);
  const std::string what = fmt::format("{} {}/{}", call.method, options_.bucket, call.key);
  if (body.code == "NoSuchBucket") {
    return Error{ErrorClass::usage,
                 "store.no_bucket",
                 fmt::format("bucket {} does not exist at {}", options_.bucket, options_.endpoint.origin()),
                 "check its name; `holdfast repo init` creates it together with a new repository",
                 {}};
  }
  if (answer.status == 404) return not_found(call.key);
  if (answer.status == 412) return already_exists(call.key);
  if (answer.status == 409 && body.code == "ConditionalRequestConflict") {
    return Error{ErrorClass::unavailable,
                 "store.server",
                 what + ": other writers of this key are at work",
                 "run the same command again",
                 {}};
  }
  Error error = answer_error(what, answer, body.code, body.message);
  if (error.id == "store.denied")
    error.hint = "check AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY (or AWS_PROFILE) and what they may do in that bucket";
  return error;
}

}  // namespace holdfast::store

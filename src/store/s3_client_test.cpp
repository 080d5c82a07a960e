// What S3Client asks for, and how it takes answers no test server gives: addressing at AWS, regions, codes.
#include "store/s3_client.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <deque>

#include "store/http_object.h"
#include "store/s3_store.h"

namespace holdfast::store {
namespace {

class Script : public net::HttpClient {
 public:
  struct Sent {
    std::string method, url;
    net::HttpHeaders headers;
    std::string header(std::string_view name) const {
      for (const auto& [each, value] : headers) {
        if (each == name) return value;
      }
      return "";
    }
  };
  std::deque<net::HttpResponse> answers;
  std::deque<std::string> bodies;  ///< of answers that are right
  std::vector<Sent> sent;

  Result<net::HttpResponse> send(const net::HttpRequest& request) override {
    sent.push_back({request.method, request.url, request.headers});
    if (!bodies.empty()) {
      const std::string body = std::move(bodies.front());
      bodies.pop_front();
      if (body.size() > request.limit) return fail(ErrorClass::failed, "net.too_long", "more than was asked for");
      if (request.into) request.into->clear();
      if (request.into) request.into->append(as_bytes(body));
      return net::HttpResponse{200, {{"content-length", std::to_string(body.size())}}, ""};
    }
    if (answers.empty()) return net::HttpResponse{200, {{"content-length", "0"}}, ""};
    auto answer = answers.front();
    answers.pop_front();
    return answer;
  }
};

struct Rig {
  std::shared_ptr<Script> http = std::make_shared<Script>();
  S3Options options;
  explicit Rig(const std::string& endpoint, std::string bucket = "bucket") {
    options.endpoint = *net::parse_url(endpoint);
    options.bucket = std::move(bucket);
    options.credentials = {"AK", Secret("SK"), ""};
    options.retry = {std::chrono::milliseconds(4), std::chrono::milliseconds(4), std::chrono::milliseconds(30)};
  }
  std::unique_ptr<ObjectStore> store() { return make_s3_store(http, options); }
  std::string first_url() {
    (void)store()->remove("keys/a b").has_value();
    return http->sent.at(0).url;
  }
};

TEST(S3Client, a_listing_that_does_not_end_is_an_error) {
  Rig rig("http://minio.example:9000");
  // Each page is empty and names another one.
  for (int i = 0; i < 5000; ++i) {
    rig.http->bodies.push_back(
        fmt::format("<ListBucketResult><IsTruncated>true</IsTruncated>"
                    "<NextContinuationToken>t{}</NextContinuationToken></ListBucketResult>",
                    i));
  }
  size_t seen = 0;
  const auto listed = rig.store()->list("data/", [&](const ObjectInfo&) { return ++seen, Status(); });
  ASSERT_FALSE(listed);
  EXPECT_EQ(listed.error().id, "store.protocol") << listed.error().to_string();
  EXPECT_EQ(seen, 0u);
  EXPECT_LT(rig.http->sent.size(), 2000u);
}

TEST(S3Client, uploads_of_a_backup_are_tried_longer_than_locks) {
  const net::RetryPolicy policy{.budget = std::chrono::minutes(1), .upload_budget = std::chrono::minutes(15)};
  for (const char* key : {"data/ab/abcd", "index/abcd", "snapshots/abcd"})
    EXPECT_EQ(upload_retry(policy, key).budget, std::chrono::minutes(15)) << key;
  for (const char* key : {"locks/abcd", "keys/abcd", "config"})
    EXPECT_EQ(upload_retry(policy, key).budget, std::chrono::minutes(1)) << key;
  EXPECT_EQ(upload_retry({.budget = std::chrono::minutes(20)}, "data/ab/abcd").budget, std::chrono::minutes(20));
}

TEST(S3Client, an_object_that_is_longer_than_it_can_be_is_not_taken_into_memory) {
  Rig rig("http://minio.example:9000");
  for (const size_t length : {1000, 1001}) {
    rig.http->bodies = {std::string(length, 'x')};
    Buffer out;
    const auto got = rig.store()->get_all("keys/abcd", out, 1000);
    EXPECT_EQ(got.has_value(), length == 1000) << length;
    if (!got) {
      EXPECT_EQ(got.error().id, kTooLong);
      EXPECT_EQ(got.error().error_class, ErrorClass::verification_failed);
    }
    EXPECT_LE(out.size(), 1000u);
  }
}

TEST(S3Client, buckets_are_host_names_at_amazon_and_paths_elsewhere) {
  EXPECT_EQ(Rig("https://s3.amazonaws.com").first_url(), "https://bucket.s3.amazonaws.com/keys/a%20b");
  EXPECT_EQ(Rig("https://s3.amazonaws.com", "with.dots").first_url(), "https://s3.amazonaws.com/with.dots/keys/a%20b");
  EXPECT_EQ(Rig("http://s3.amazonaws.com", "with.dots").first_url(), "http://with.dots.s3.amazonaws.com/keys/a%20b");
  EXPECT_EQ(Rig("https://minio.example:9000").first_url(), "https://minio.example:9000/bucket/keys/a%20b");
  Rig dns("http://minio.example:9000");
  dns.options.lookup = BucketLookup::dns;
  dns.options.prefix = "p/q";
  EXPECT_EQ(dns.first_url(), "http://bucket.minio.example:9000/p/q/keys/a%20b");
}

TEST(S3Client, a_region_named_by_the_server_is_used_from_then_on) {
  Rig rig("https://s3.amazonaws.com");
  rig.http->answers.push_back({301, {{"x-amz-bucket-region", "eu-west-3"}}, ""});
  auto store = rig.store();
  ASSERT_TRUE(store->stat("config"));
  ASSERT_EQ(rig.http->sent.size(), 2u);
  EXPECT_NE(rig.http->sent[0].header("Authorization").find("/us-east-1/s3/"), std::string::npos);
  EXPECT_NE(rig.http->sent[1].header("Authorization").find("/eu-west-3/s3/"), std::string::npos);
  EXPECT_EQ(rig.http->sent[1].url, "https://bucket.s3.eu-west-3.amazonaws.com/config");
  // The same answer again is an error, not an endless turn.
  rig.http->answers.push_back({301, {{"x-amz-bucket-region", "eu-west-3"}}, ""});
  EXPECT_FALSE(store->stat("config"));
  EXPECT_EQ(rig.http->sent.size(), 3u);
}

TEST(S3Client, the_region_in_an_error_body_counts_too) {
  Rig rig("http://h:1");
  rig.http->answers.push_back({400, {}, "<Error><Code>AuthorizationHeaderMalformed</Code><Region>r2</Region></Error>"});
  EXPECT_TRUE(rig.store()->remove("config"));
  EXPECT_NE(rig.http->sent[1].header("Authorization").find("/r2/s3/"), std::string::npos);
}

TEST(S3Client, every_put_is_signed_over_its_hash_and_carries_a_checksum) {
  Rig rig("http://h:1");
  rig.options.credentials.session_token = "TOKEN";
  ASSERT_TRUE(rig.store()->put("config", as_bytes("Welcome to Amazon S3."), {.if_absent = true}));
  const auto& sent = rig.http->sent.at(0);
  EXPECT_EQ(sent.header("x-amz-content-sha256"), "44ce7dd67c959e0d3524ffac1771dfbba87d2b6b4b4e99e42034a8b803f8b072");
  EXPECT_EQ(sent.header("x-amz-checksum-sha256"), "RM591nyVng01JP+sF3Hfu6h9K2tLTpnkIDSouAP4sHI=");
  EXPECT_EQ(sent.header("If-None-Match"), "*");
  EXPECT_EQ(sent.header("x-amz-security-token"), "TOKEN");
  EXPECT_NE(sent.header("Authorization").find("x-amz-checksum-sha256"), std::string::npos) << "it must be signed, too";
}

TEST(S3Client, anonymous_requests_carry_no_signature) {
  Rig rig("http://h:1");
  rig.options.credentials = {};
  ASSERT_TRUE(rig.store()->put("config", as_bytes("x")));
  EXPECT_EQ(rig.http->sent.at(0).header("Authorization"), "");
}

TEST(S3Client, answers_become_errors_a_caller_can_act_on) {
  struct Case {
    int status;
    const char* code;
    const char* id;
    int exit;
  };
  for (const Case& each : std::vector<Case>{{403, "AccessDenied", "store.denied", 3},
                                            {403, "RequestTimeTooSkewed", "store.clock", 3},
                                            {404, "NoSuchBucket", "store.no_bucket", 2},
                                            {412, "PreconditionFailed", kExists, 7},
                                            {409, "ConditionalRequestConflict", "store.server", 6},
                                            {400, "BadDigest", "store.bad_digest", 10},
                                            {400, "RequestTimeout", "store.server", 6},
                                            {501, "NotImplemented", "store.unsupported", 8},
                                            {503, "SlowDown", "store.server", 6},
                                            {507, "", kNoSpace, 6},
                                            {403, "QuotaExceeded", kNoSpace, 6},
                                            {418, "", "store.protocol", 8}}) {
    Rig rig("http://h:1");
    for (int i = 0; i < 200; ++i)
      rig.http->answers.push_back({each.status, {}, "<Error><Code>" + std::string(each.code) + "</Code></Error>"});
    auto done = rig.store()->put("config", as_bytes("x"));
    ASSERT_FALSE(done) << each.code;
    EXPECT_EQ(done.error().id, each.id) << each.status << each.code;
    EXPECT_EQ(exit_code(done.error().error_class), each.exit) << each.status << each.code;
  }
}

TEST(S3Client, a_folder_that_vanished_in_the_middle_of_a_put_is_made_again_and_one_that_stays_is_told) {
  const net::HttpResponse in_the_way{409, {}, "<Error><Code>ExistingObjectIsDirectory</Code></Error>"};
  Rig passing("http://h:1");
  passing.http->answers = {in_the_way, in_the_way, {200, {}, ""}};
  EXPECT_TRUE(passing.store()->put("config", as_bytes("x")));
  Rig staying("http://h:1");
  for (int i = 0; i < 200; ++i) staying.http->answers.push_back(in_the_way);
  EXPECT_FALSE(staying.store()->put("config", as_bytes("x")));
  EXPECT_LT(staying.http->sent.size(), 10u);
}

TEST(S3Client, a_server_that_ignores_ranges_does_not_pass_off_other_bytes) {
  Rig rig("http://h:1");
  Buffer out;
  rig.http->answers.push_back({200, {}, ""});
  EXPECT_FALSE(rig.store()->get("config", 5, 10, out));
  rig.http->answers.push_back({206, {{"content-range", "bytes 0-9/100"}}, ""});
  EXPECT_EQ(rig.store()->get("config", 5, 10, out).error().id, "store.protocol");
}

}  // namespace
}  // namespace holdfast::store

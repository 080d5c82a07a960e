// The signatures AWS publishes: the examples of "Authenticating Requests (Signature Version 4)" in the S3 API
// reference, and the general test suite (aws-sig-v4-test-suite).
#include "net/sigv4.h"

#include <gtest/gtest.h>

#include "codec/hex.h"
#include "crypto/sha256.h"

namespace holdfast::net {
namespace {

constexpr char kEmptyHash[] = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

std::chrono::system_clock::time_point at(time_t seconds) {
  return std::chrono::system_clock::from_time_t(seconds);
}

std::string signature_of(const NameValues& added) {
  const std::string& value = added.back().second;
  return value.substr(value.rfind('=') + 1);
}

std::string sign_s3_example(SigV4Request request) {
  const AwsCredentials credentials{"AKIAIOSFODNN7EXAMPLE", Secret("wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"), ""};
  request.host = "examplebucket.s3.amazonaws.com";
  request.headers.emplace_back("x-amz-content-sha256", request.payload_hash);
  return signature_of(sign_v4(request, credentials, "us-east-1", "s3", at(1369353600)));  // 2013-05-24T00:00:00Z
}

NameValues sign_suite(SigV4Request request, std::string token = "") {
  const AwsCredentials credentials{"AKIDEXAMPLE", Secret("wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"), std::move(token)};
  request.host = "example.amazonaws.com";
  request.payload_hash = kEmptyHash;
  return sign_v4(request, credentials, "us-east-1", "service", at(1440938160));  // 2015-08-30T12:36:00Z
}

TEST(SigV4, s3_example_get_with_range) {
  EXPECT_EQ(sign_s3_example({"GET", "", "/test.txt", {}, {{"Range", "bytes=0-9"}}, kEmptyHash}),
            "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41");
}

TEST(SigV4, s3_example_put_with_a_key_that_needs_encoding) {
  const std::string hash = codec::to_hex(crypto::sha256(as_bytes("Welcome to Amazon S3.")));
  EXPECT_EQ(hash, "44ce7dd67c959e0d3524ffac1771dfbba87d2b6b4b4e99e42034a8b803f8b072");
  EXPECT_EQ(sign_s3_example({"PUT",
                             "",
                             "/test%24file.text",
                             {},
                             {{"Date", "Fri, 24 May 2013 00:00:00 GMT"}, {"x-amz-storage-class", "REDUCED_REDUNDANCY"}},
                             hash}),
            "98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd");
}

TEST(SigV4, s3_example_query_without_a_value) {
  EXPECT_EQ(sign_s3_example({"GET", "", "/", {{"lifecycle", ""}}, {}, kEmptyHash}),
            "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543");
}

TEST(SigV4, s3_example_list_with_parameters_in_another_order) {
  EXPECT_EQ(sign_s3_example({"GET", "", "/", {{"prefix", "J"}, {"max-keys", "2"}}, {}, kEmptyHash}),
            "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7");
}

TEST(SigV4, suite_get_vanilla) {
  const NameValues added = sign_suite({"GET", "", "/", {}, {}, ""});
  ASSERT_EQ(added.size(), 2u);
  EXPECT_EQ(added[0].second, "20150830T123600Z");
  EXPECT_EQ(
      added[1].second,
      "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, "
      "SignedHeaders=host;x-amz-date, Signature=5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31");
}

TEST(SigV4, suite_get_vanilla_query_order_key_case) {
  EXPECT_EQ(signature_of(sign_suite({"GET", "", "/", {{"Param2", "value2"}, {"Param1", "value1"}}, {}, ""})),
            "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500");
}

TEST(SigV4, suite_get_utf8) {
  EXPECT_EQ(signature_of(sign_suite({"GET", "", "/%E1%88%B4", {}, {}, ""})),
            "8318018e0b0f223aa2bbf98705b62bb787dc9c0e678f255a891fd03141be5d85");
}

TEST(SigV4, suite_post_vanilla_and_header_values) {
  EXPECT_EQ(signature_of(sign_suite({"POST", "", "/", {}, {}, ""})),
            "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b");
  EXPECT_EQ(
      signature_of(sign_suite({"GET", "", "/", {}, {{"My-Header1", " value1"}, {"My-Header2", " \"a   b   c\""}}, ""})),
      "acc3ed3afb60bb290fc8d2dd0098b9911fcaa05412b367055dee359757a9c736");
}

TEST(SigV4, suite_session_token_is_sent_and_signed) {
  const std::string token =
      "AQoDYXdzEPT//////////"
      "wEXAMPLEtc764bNrC9SAPBSM22wDOk4x4HIZ8j4FZTwdQWLWsKWHGBuFqwAeMicRXmxfpSPfIeoIYRqTflfKD8YUuwthAx7m"
      "SEI/qkPpKPi/"
      "kMcGdQrmGdeehM4IC1NtBmUpp2wUE8phUZampKsburEDy0KPkyQDYwT7WZ0wq5VSXDvp75YU9HFvlRd8Tx6q6fE8YQcHNVXAkiY9q6d+xo"
      "0rKwT38xVqr7ZD0u0iPPkUL64lIZbqBAz+scqKmlzm8FDrypNC9Yjc8fPOLn9FX9KSYvKTr4rvx3iSIlTJabIQwj2ICCR/oLxBA==";
  const NameValues added = sign_suite({"POST", "", "/", {}, {}, ""}, token);
  ASSERT_EQ(added.size(), 3u);
  EXPECT_EQ(added[1].first, "x-amz-security-token");
  EXPECT_EQ(added[1].second, token);
  EXPECT_EQ(signature_of(added), "85d96828115b5dc0cfc3bd16ad9e210dd772bbebba041836c64533a82be05ead");
}

}  // namespace
}  // namespace holdfast::net

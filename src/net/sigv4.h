// AWS Signature Version 4 in the Authorization header, as S3 wants it: the path is encoded once, the payload hash is
// given.
//
// Own code because libcurl 7.88's signer sends requests S3 refuses (empty payload hash, raw query order). PURE: the
// time is an argument.
#pragma once

#include <chrono>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/secret.h"

namespace holdfast::net {

struct AwsCredentials {
  std::string access_key;
  Secret secret_key;
  std::string session_token;  ///< empty for long-lived keys
};

using NameValues = std::vector<std::pair<std::string, std::string>>;

struct SigV4Request {
  std::string method;
  std::string host;          ///< as in the Host header
  std::string path;          ///< already percent-encoded, starts with '/'
  NameValues query;          ///< decoded, any order
  NameValues headers;        ///< all of them are signed; without Host
  std::string payload_hash;  ///< hex SHA-256 of the body, or "UNSIGNED-PAYLOAD"
};

/// "a=1&b=%20": sorted and encoded as signed; send exactly this.
std::string canonical_query(const NameValues& query);

/// The headers to add to the request: x-amz-date, x-amz-security-token where there is one, Authorization.
/// x-amz-content-sha256 is the caller's to put among the headers (S3 wants it, other services do not).
NameValues sign_v4(const SigV4Request& request, const AwsCredentials& credentials, std::string_view region,
                   std::string_view service, std::chrono::system_clock::time_point now);

}  // namespace holdfast::net

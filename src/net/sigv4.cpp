#include "net/sigv4.h"

#include <fmt/format.h>

#include <algorithm>
#include <ctime>

#include "base/bytes.h"
#include "codec/hex.h"
#include "crypto/hmac.h"
#include "crypto/sha256.h"
#include "net/url.h"

namespace holdfast::net {
namespace {

std::string lower(std::string_view text) {
  std::string out(text);
  std::transform(out.begin(), out.end(), out.begin(), [](unsigned char c) { return std::tolower(c); });
  return out;
}

// Outer blanks go, inner runs of blanks become one space.
std::string trimmed(std::string_view text) {
  std::string out;
  bool pending = false;
  for (const char c : text) {
    if (c == ' ' || c == '\t' || c == '\n' || c == '\r') {
      pending = true;
    } else {
      if (pending && !out.empty()) out += ' ';
      pending = false;
      out += c;
    }
  }
  return out;
}

std::string stamp_of(std::chrono::system_clock::time_point now) {
  const time_t seconds = std::chrono::system_clock::to_time_t(now);
  tm utc{};
  ::gmtime_r(&seconds, &utc);
  return fmt::format("{:04}{:02}{:02}T{:02}{:02}{:02}Z", utc.tm_year + 1900, utc.tm_mon + 1, utc.tm_mday, utc.tm_hour,
                     utc.tm_min, utc.tm_sec);
}

}  // namespace

std::string canonical_query(const NameValues& query) {
  NameValues encoded;
  encoded.reserve(query.size());
  for (const auto& [name, value] : query)
    encoded.emplace_back(uri_encode(name, Slash::encode), uri_encode(value, Slash::encode));
  std::sort(encoded.begin(), encoded.end());
  std::string out;
  for (const auto& [name, value] : encoded) {
    if (!out.empty()) out += '&';
    out += name + '=' + value;
  }
  return out;
}

NameValues sign_v4(const SigV4Request& request, const AwsCredentials& credentials, std::string_view region,
                   std::string_view service, std::chrono::system_clock::time_point now) {
  const std::string stamp = stamp_of(now);
  const std::string date = stamp.substr(0, 8);
  NameValues added{{"x-amz-date", stamp}};
  if (!credentials.session_token.empty()) added.emplace_back("x-amz-security-token", credentials.session_token);

  NameValues headers{{"host", request.host}};
  for (const NameValues* list : {&request.headers, &std::as_const(added)}) {
    for (const auto& [name, value] : *list) headers.emplace_back(lower(name), trimmed(value));
  }
  // Stable: values of a repeated header keep their order and are joined by commas.
  std::stable_sort(headers.begin(), headers.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
  std::string canonical_headers, names;
  for (size_t i = 0; i < headers.size(); ++i) {
    if (i > 0 && headers[i].first == headers[i - 1].first) {
      canonical_headers.back() = ',';
      canonical_headers += headers[i].second + '\n';
      continue;
    }
    canonical_headers += headers[i].first + ':' + headers[i].second + '\n';
    names += (names.empty() ? "" : ";") + headers[i].first;
  }

  const std::string canonical =
      fmt::format("{}\n{}\n{}\n{}\n{}\n{}", request.method, request.path, canonical_query(request.query),
                  canonical_headers, names, request.payload_hash);
  const std::string scope = fmt::format("{}/{}/{}/aws4_request", date, region, service);
  const std::string to_sign =
      fmt::format("AWS4-HMAC-SHA256\n{}\n{}\n{}", stamp, scope, codec::to_hex(crypto::sha256(as_bytes(canonical))));

  const Secret first(fmt::format("AWS4{}", credentials.secret_key.reveal()));
  crypto::Digest key = crypto::hmac_sha256(as_bytes(first.reveal()), date);
  for (const std::string_view part : {region, service, std::string_view("aws4_request")})
    key = crypto::hmac_sha256(key, part);
  added.emplace_back("Authorization", fmt::format("AWS4-HMAC-SHA256 Credential={}/{}, SignedHeaders={}, Signature={}",
                                                  credentials.access_key, scope, names,
                                                  codec::to_hex(crypto::hmac_sha256(key, to_sign))));
  return added;
}

}  // namespace holdfast::net

#include "crypto/certificate.h"

#include <gtest/gtest.h>

namespace holdfast::crypto {
namespace {

const std::string kCertificate =
    "-----BEGIN CERTIFICATE-----\n"
    "MIIBcDCCARWgAwIBAgIUAqTbB+G2iK2fkDpAdUNvDGll0aEwCgYIKoZIzj0EAwIw\n"
    "DTELMAkGA1UEAwwCZGIwHhcNMjYxMTIyMDEwMjA5WhcNMzYxMTE5MDEwMjA5WjAN\n"
    "MQswCQYDVQQDDAJkYjBZMBMGByqGSM49AgEGCCqGSM49AwEHA0IABG4OyNftrlWH\n"
    "l4qyCctoZ/Xj9EzLuC60WTH3R75kPP5rb+4uk/YE8/cDh0gYjur94aoF0l3AlhMu\n"
    "w0Kgg6Y1yPmjUzBRMB0GA1UdDgQWBBQHh0PmiG/k6blRh3qze+8/0tUAOjAfBgNV\n"
    "HSMEGDAWgBQHh0PmiG/k6blRh3qze+8/0tUAOjAPBgNVHRMBAf8EBTADAQH/MAoG\n"
    "CCqGSM49BAMCA0kAMEYCIQCcVXqYvJfIq5T2UJPWreyCiYgUbkhgC/OSiedQznkQ\n"
    "KAIhAO73QuVh38jRirYWn965Qcm6y2m33tNOc5Ktw3QTESzA\n"
    "-----END CERTIFICATE-----\n";

TEST(Certificate, TellsWhenTheFirstOfAFileEnds) {
  auto end = certificate_end(kCertificate);
  ASSERT_TRUE(end) << end.error().to_string();
  EXPECT_EQ(*end, 2110669329);
  EXPECT_EQ(utc_time_text(*end), "2036-11-19T01:02:09Z");
  auto behind_a_key = certificate_end("-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n" + kCertificate);
  ASSERT_TRUE(behind_a_key);
  EXPECT_EQ(*behind_a_key, *end);
}

TEST(Certificate, WhatIsNoneIsAnErrorAndNoDate) {
  for (const std::string& text : {std::string(), std::string("no certificate"), kCertificate.substr(0, 200)})
    EXPECT_FALSE(certificate_end(text)) << text;
}

}  // namespace
}  // namespace holdfast::crypto

#include "net/certificates.h"

#include <gtest/gtest.h>
#include <openssl/evp.h>

#include <algorithm>
#include <ctime>

#include "tests/support/property.h"
#include "tests/support/tls_peers.h"

namespace holdfast::net {
namespace {

using test::Authority;
using test::id_of;
using test::value;

constexpr int64_t kDay = 86400;

const Issued& authority() {
  static const Issued made = value(make_authority("Shop authority", Authority::days(3650)));
  return made;
}

CertificateInfo issued(const CertificateRequest& request) {
  return value(describe_certificate(value(issue_certificate(authority(), request)).certificate));
}

TEST(Certificates, AnAuthoritySignsAndIsNoServer) {
  const CertificateInfo info = value(describe_certificate(authority().certificate));
  EXPECT_TRUE(info.authority);
  EXPECT_FALSE(info.for_servers || info.for_clients);
  EXPECT_EQ(info.subject, "CN=Shop authority");
  EXPECT_EQ(info.issuer, info.subject);
  EXPECT_EQ(info.role, Role::none);
  EXPECT_NEAR(static_cast<double>(info.not_after - std::time(nullptr)), 3650.0 * kDay, 60);
  EXPECT_LT(info.not_before, std::time(nullptr) - 3000) << "clocks of hosts differ";
}

TEST(Certificates, AnAgentsHasItsNamesAndRole) {
  const CertificateInfo info = issued({.name = "db1.example",
                                       .names = {"db1.example", "10.0.0.5", "fd00::5", "db1"},
                                       .role = Role::agent,
                                       .for_servers = true,
                                       .for_clients = true,
                                       .lifetime = Authority::days(365)});
  EXPECT_EQ(info.names, (std::vector<std::string>{"db1.example", "db1", "10.0.0.5", "fd00::5"}));
  EXPECT_EQ(info.name, "db1.example");
  EXPECT_EQ(info.common_name, "db1.example");
  EXPECT_EQ(info.role, Role::agent);
  EXPECT_TRUE(info.for_servers && info.for_clients);
  EXPECT_FALSE(info.authority);
  EXPECT_EQ(info.issuer, "CN=Shop authority");
  EXPECT_EQ(info.serial.size(), 32u);
  EXPECT_EQ(info.fingerprint.size(), 64u);
}

TEST(Certificates, APersonsHasOnlyItsCommonName) {
  for (const Role role : {Role::observe, Role::operate}) {
    const CertificateInfo info =
        issued({.name = "anna@shop", .role = role, .for_clients = true, .lifetime = Authority::days(1)});
    EXPECT_EQ(info.role, role);
    EXPECT_EQ(info.name, "anna@shop");
    EXPECT_TRUE(info.names.empty());
    EXPECT_TRUE(info.for_clients);
    EXPECT_FALSE(info.for_servers);
  }
}

TEST(Certificates, ARoleIsSaidOrThereIsNone) {
  EXPECT_EQ(issued({.name = "x", .lifetime = Authority::days(1)}).role, Role::none);
  EXPECT_EQ(role_of("operate"), Role::operate);
  EXPECT_EQ(role_of("Operate"), std::nullopt);
  EXPECT_EQ(role_of("none"), std::nullopt);
  EXPECT_EQ(role_of(""), std::nullopt);
}

TEST(Certificates, ALongNameIsNoCommonName) {
  const std::string name = std::string(60, 'a') + "." + std::string(60, 'b') + ".example";
  const CertificateInfo info = issued({.name = name, .names = {name}, .lifetime = Authority::days(1)});
  EXPECT_EQ(info.common_name, "");
  EXPECT_EQ(info.name, name);
}

TEST(Certificates, NoneOutlivesItsAuthority) {
  const CertificateInfo info = issued({.name = "x", .lifetime = Authority::days(36500)});
  EXPECT_EQ(info.not_after, value(describe_certificate(authority().certificate)).not_after);
}

TEST(Certificates, NoTwoHaveTheSameSerialOrKey) {
  const CertificateRequest request{.name = "x", .lifetime = Authority::days(1)};
  const Issued one = value(issue_certificate(authority(), request)),
               two = value(issue_certificate(authority(), request));
  EXPECT_NE(value(describe_certificate(one.certificate)).serial, value(describe_certificate(two.certificate)).serial);
  EXPECT_NE(one.key.reveal(), two.key.reveal());
}

TEST(Certificates, WhatIsNoNameIsRefused) {
  for (const char* name : {"", "*.example", ".example", "a..b", "db1 example", "db1,DNS:other", "1.2.3.4.5 ", "a/b",
                           "host:7420", "d\xc3\xa9.example"}) {
    EXPECT_EQ(id_of(issue_certificate(authority(), {.name = "x", .names = {name}, .lifetime = Authority::days(1)})),
              "pki.name")
        << name;
    EXPECT_FALSE(is_dns_name(name)) << name;
  }
  EXPECT_TRUE(is_dns_name("db-1_x.example"));
  EXPECT_FALSE(is_dns_name(std::string(64, 'a')));
  EXPECT_TRUE(is_ip_address("::1") && is_ip_address("10.0.0.5"));
  EXPECT_FALSE(is_ip_address("10.0.0") || is_ip_address("[::1]"));
}

TEST(Certificates, OnlyAnAuthorityWithItsKeyIssues) {
  const CertificateRequest request{.name = "x", .lifetime = Authority::days(1)};
  const Issued leaf = value(issue_certificate(authority(), request)),
               other = value(make_authority("o", Authority::days(1)));
  EXPECT_EQ(id_of(issue_certificate(leaf, request)), "pki.authority");
  EXPECT_EQ(id_of(issue_certificate({authority().certificate, other.key}, request)), "pki.authority");
  EXPECT_EQ(id_of(issue_certificate({authority().certificate, Secret("no key")}, request)), "pki.authority");
  EXPECT_EQ(id_of(issue_certificate({"", authority().key}, request)), "pki.authority");
}

TEST(Certificates, ALifetimeThatEndsBeforeItBeginsIsOurMistake) {
  const auto made = make_authority("x", {1000, 999});
  EXPECT_EQ(id_of(made), "net.certificate_not_made");
}

TEST(Certificates, LifetimesBeyond2049AreSaid) {
  const Lifetime far{std::time(nullptr), 4102444800};  // 2100-01-01
  EXPECT_EQ(value(describe_certificate(value(make_authority("x", far)).certificate)).not_after, far.to);
  EXPECT_EQ(time_text(far.to), "2100-01-01T00:00:00Z");
}

TEST(Certificates, WhatHoldsNoneIsAnError) {
  for (const std::string& text : {std::string(), std::string("no certificate"), std::string(2 << 20, 'x'),
                                  authority().certificate.substr(0, 300), std::string(authority().key.reveal())})
    EXPECT_EQ(id_of(describe_certificate(text)), "net.certificate");
  EXPECT_EQ(id_of(describe_certificate_der({})), "net.certificate");
}

/// The bytes in a PEM text.
std::string der(const std::string& pem) {
  std::string text;
  for (size_t at = pem.find('\n'); at != std::string::npos && pem[at + 1] != '-'; at = pem.find('\n', at + 1))
    text += pem.substr(at + 1, pem.find('\n', at + 1) - at - 1);
  std::string bytes(text.size(), '\0');
  const int size = EVP_DecodeBlock(reinterpret_cast<uint8_t*>(bytes.data()),
                                   reinterpret_cast<const uint8_t*>(text.data()), static_cast<int>(text.size()));
  bytes.resize(static_cast<size_t>(std::max(size, 0)));
  return bytes;
}

// Most changes break no structure that OpenSSL would notice: a length, a type, a text.
RC_GTEST_PROP(CertificatesProperty, AnyBytesAreDescribedOrRefused, ()) {
  static const std::string good = der(value(issue_certificate(authority(), {.name = "db1.example",
                                                                            .names = {"db1.example", "10.0.0.5"},
                                                                            .role = Role::agent,
                                                                            .for_servers = true,
                                                                            .for_clients = true,
                                                                            .lifetime = Authority::days(1)}))
                                          .certificate);
  RC_ASSERT(describe_certificate_der(as_bytes(good)).has_value());
  std::string bytes = good;
  const int changes = *rc::gen::inRange(1, 6);
  for (int i = 0; i < changes && !bytes.empty(); ++i) {
    const auto at = static_cast<size_t>(*rc::gen::inRange<int>(0, static_cast<int>(bytes.size())));
    switch (*rc::gen::inRange(0, 4)) {
      case 0:
        bytes[at] = static_cast<char>(*rc::gen::arbitrary<uint8_t>());
        break;
      case 1:
        bytes.erase(at, static_cast<size_t>(*rc::gen::inRange(1, 9)));
        break;
      case 2:
        bytes.insert(at, static_cast<size_t>(*rc::gen::inRange(1, 9)),
                     static_cast<char>(*rc::gen::arbitrary<uint8_t>()));
        break;
      default:
        bytes[at] = static_cast<char>(bytes[at] ^ (1 << *rc::gen::inRange(0, 8)));
    }
  }
  for (const auto& info : {describe_certificate_der(as_bytes(bytes)), describe_certificate(bytes)}) {
    if (!info) continue;
    for (const std::string& name : info->names)
      RC_ASSERT(std::all_of(name.begin(), name.end(), [](char c) { return c > 0x20 && c < 0x7F; }));
    RC_ASSERT(info->common_name.find_first_of(std::string("\0\n\r", 3)) == std::string::npos);
  }
}

RC_GTEST_PROP(CertificatesProperty, AnyTextIsDescribedOrRefused, ()) {
  std::string text = authority().certificate;
  const int changes = *rc::gen::inRange(1, 4);
  for (int i = 0; i < changes; ++i)
    text[static_cast<size_t>(*rc::gen::inRange<int>(0, static_cast<int>(text.size())))] = *rc::gen::arbitrary<char>();
  (void)describe_certificate(text);
}

}  // namespace
}  // namespace holdfast::net

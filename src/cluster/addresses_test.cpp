#include "cluster/addresses.h"

#include <gtest/gtest.h>

namespace holdfast::cluster {
namespace {

TEST(Addresses, HaveOneFormEach) {
  const std::pair<const char*, const char*> same[] = {
      {"DB1.Internal.", "db1.internal"},
      {"10.0.0.5", "10.0.0.5"},
      {"127.1", "127.0.0.1"},
      {"[FD00::0:1]", "fd00::1"},
      {"fe80::1%eth0", "fe80::1"},
      {"::ffff:10.0.0.5", "10.0.0.5"},
      {"/run/postgresql", "/run/postgresql"},
      {"", ""},
  };
  for (const auto& [text, wanted] : same) EXPECT_EQ(canonical_host(text), wanted) << text;
}

TEST(Addresses, AreTakenApart) {
  struct Case {
    const char *text, *host;
    int port;
  };
  for (const auto& [text, host, port] :
       {Case{"db1:3306", "db1", 3306}, Case{"::1:3306", "::1", 3306}, Case{"[fd00::1]:5432", "fd00::1", 5432},
        Case{"/run/postgresql:5432", "/run/postgresql", 5432}, Case{"db1", "db1", 0}, Case{":3306", "", 3306},
        Case{"db1:x", "db1", 0}}) {
    EXPECT_EQ(split_address(text).host, host) << text;
    EXPECT_EQ(split_address(text).port, port) << text;
  }
  for (const auto& [text, host, port] :
       {Case{"db1", "db1", 0}, Case{"db1:3307", "db1", 3307}, Case{"fd00::1", "fd00::1", 0},
        Case{"[fd00::1]", "fd00::1", 0}, Case{"[fd00::1]:3307", "fd00::1", 3307}, Case{"db1:0", "db1", -1},
        Case{"db1:70000", "db1", -1}, Case{"db1:", "db1", -1}}) {
    EXPECT_EQ(split_alias(text).host, host) << text;
    EXPECT_EQ(split_alias(text).port, port) << text;
  }
}

TEST(Addresses, OfTheMachineThatSaysThem) {
  for (const char* host : {"localhost", "127.0.0.1", "127.9.9.9", "::1", "0.0.0.0", "/tmp", "db.localhost"})
    EXPECT_TRUE(is_local(host)) << host;
  for (const char* host : {"", "db1", "10.0.0.1", "127.example", "*"}) EXPECT_FALSE(is_local(host)) << host;
  EXPECT_TRUE(is_wildcard("*"));
  EXPECT_FALSE(is_wildcard("10.0.0.1"));
}

}  // namespace
}  // namespace holdfast::cluster

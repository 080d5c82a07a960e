#include "crypto/scrypt.h"

#include <gtest/gtest.h>
#include <openssl/evp.h>

#include "codec/hex.h"
#include "tests/support/require.h"

namespace holdfast::crypto {
namespace {

std::string derive(const char* password, const char* salt, ScryptCost cost, ScryptPath path) {
  auto key = scrypt(Secret(password), as_bytes(salt), cost, path);
  return key ? codec::to_hex(*key) : key.error().to_string();
}

// One test per instruction set: what this processor lacks is skipped, and the others are checked all the same.
class Scrypt : public testing::TestWithParam<ScryptPath> {
 protected:
  void SetUp() override {
    HOLDFAST_NEED("avx512", scrypt_path_works(GetParam()), "this processor lacks the instructions of this path");
  }
};

TEST_P(Scrypt, matches_the_published_vectors) {  // RFC 7914, section 12
  EXPECT_EQ(derive("", "", {16, 1, 1}, GetParam()),
            "77d6576238657b203b19ca42c18a0497f16b4844e3074ae8dfdffa3fede21442"
            "fcd0069ded0948f8326a753a0fc81f17e8d3e0fb2e0d3628cf35e20c38d18906");
  EXPECT_EQ(derive("password", "NaCl", {1024, 8, 16}, GetParam()),
            "fdbabe1c9d3472007856e7190d01e9fe7c6ad7cbc8237830e77376634b373162"
            "2eaf30d92e22a3886ff109279d9830dac727afb94a83ee6d8360cbdfa2cc0640");
  EXPECT_EQ(derive("pleaseletmein", "SodiumChloride", {16384, 8, 1}, GetParam()),
            "7023bdcb3afd7348461c06cd81fd38ebfda8fbba904f8e3ea9b543f6545da1f2"
            "d5432955613f0fcf62d49705242a9af9e61e85dc0d651e40dfcf017b45575887");
}

void expect_as_openssl(ScryptCost cost, ScryptPath path) {
  std::array<uint8_t, 64> key{};
  const auto salt = as_bytes("a salt");
  ASSERT_EQ(EVP_PBE_scrypt("correct horse", 13, salt.data(), salt.size(), cost.n, cost.r, cost.p, 1ull << 30,
                           key.data(), key.size()),
            1);
  EXPECT_EQ(derive("correct horse", "a salt", cost, path), codec::to_hex(key))
      << cost.n << " " << cost.r << " " << cost.p;
}

TEST_P(Scrypt, agrees_with_openssl_for_every_number_of_lanes) {
  for (const uint64_t n : {2, 4, 256}) {
    for (const uint64_t r : {1, 3, 8}) {
      for (uint64_t p = 1; p <= 9; ++p) expect_as_openssl({n, r, p}, GetParam());
    }
  }
  // Several lanes to a thread also where there are hundreds of processors.
  expect_as_openssl({16, 1, 1024}, GetParam());
}

std::string name(const testing::TestParamInfo<ScryptPath>& path) {
  switch (path.param) {
    case ScryptPath::openssl:
      return "openssl";
    case ScryptPath::sse2:
      return "sse2";
    case ScryptPath::avx512:
      return "avx512";
  }
  return "";
}
INSTANTIATE_TEST_SUITE_P(paths, Scrypt, testing::Values(ScryptPath::openssl, ScryptPath::sse2, ScryptPath::avx512),
                         name);

// Lanes of 65 MiB: several at once would take too much memory, so each thread takes one after the other.
TEST(ScryptCosts, large_lanes_agree_with_openssl) {
  expect_as_openssl({1 << 10, 520, 3}, best_scrypt_path());
}

TEST(ScryptCosts, mad_ones_are_refused) {
  EXPECT_EQ(scrypt(Secret("x"), as_bytes("salt"), {1000, 8, 1}).error().id, "crypto.scrypt");
  EXPECT_EQ(scrypt(Secret("x"), as_bytes("salt"), {1ull << 40, 8, 1}).error().id, "crypto.scrypt");
  EXPECT_EQ(scrypt(Secret("x"), as_bytes("salt"), {1, 8, 1}).error().id, "crypto.scrypt");
}

}  // namespace
}  // namespace holdfast::crypto

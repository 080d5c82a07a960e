#include "crypto/hmac.h"

#include <gtest/gtest.h>

#include <string>

#include "base/bytes.h"

#include "codec/hex.h"

namespace holdfast::crypto {
namespace {

TEST(Hmac, rfc4231_vectors_with_short_and_overlong_keys) {
  EXPECT_EQ(codec::to_hex(hmac_sha256(as_bytes("Jefe"), "what do ya want for nothing?")),
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
  EXPECT_EQ(codec::to_hex(hmac_sha256(as_bytes(std::string(131, '\xaa')),
                                      "Test Using Larger Than Block-Size Key - Hash Key First")),
            "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54");
}

TEST(Md5, rfc1321_vectors) {
  EXPECT_EQ(codec::to_hex(md5({})), "d41d8cd98f00b204e9800998ecf8427e");
  EXPECT_EQ(codec::to_hex(md5(as_bytes("message digest"))), "f96b697d7cb7938d525a2f31aaf161d0");
}

}  // namespace
}  // namespace holdfast::crypto

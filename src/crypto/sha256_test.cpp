#include "crypto/sha256.h"

#include <gtest/gtest.h>

#include <random>
#include <vector>

#include "crypto/sha256_lanes.h"

#include "codec/hex.h"

namespace holdfast::crypto {
namespace {

TEST(Sha256, matches_the_published_vectors) {  // FIPS 180-4 examples
  EXPECT_EQ(codec::to_hex(sha256(as_bytes(""))), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  EXPECT_EQ(codec::to_hex(sha256(as_bytes("abc"))), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_EQ(codec::to_hex(sha256(as_bytes("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq"))),
            "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
}

TEST(Sha256, interleaved_lanes_agree_with_one_by_one_for_every_mix_of_lengths) {
  std::mt19937 random(7);
  std::vector<uint8_t> pool(70000);
  for (auto& byte : pool) byte = static_cast<uint8_t>(random());
  for (int round = 0; round < 400; ++round) {
    std::vector<ByteSpan> messages(random() % 12);
    for (auto& message : messages) {
      // Lengths around the padding's edges, and some long ones.
      const size_t length = random() % 4 ? random() % 200 : random() % 60000;
      message = ByteSpan(pool).subspan(random() % 9000, length);
    }
    std::vector<Digest> got(messages.size());
    sha256_many(messages, got);
    for (size_t i = 0; i < messages.size(); ++i) {
      ASSERT_EQ(codec::to_hex(got[i]), codec::to_hex(sha256(messages[i])))
          << "length " << messages[i].size() << " round " << round;
    }
  }
}

TEST(Sha256, an_incremental_hash_starts_anew_after_finish) {
  Sha256 hash;
  hash.update(as_bytes("a"));
  hash.update(as_bytes("bc"));
  EXPECT_EQ(hash.finish(), sha256(as_bytes("abc")));
  EXPECT_EQ(hash.finish(), sha256(as_bytes("")));
}

}  // namespace
}  // namespace holdfast::crypto

#include "crypto/seal.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "codec/hex.h"

namespace holdfast::crypto {
namespace {

template <size_t N>
std::array<uint8_t, N> unhex(std::string_view text) {
  std::array<uint8_t, N> out{};
  for (size_t i = 0; i < N; ++i)
    out[i] = static_cast<uint8_t>(std::stoi(std::string(text.substr(2 * i, 2)), nullptr, 16));
  return out;
}

// Bernstein, "The Poly1305-AES message-authentication code" (2005), appendix B: the third example has a message of
// 32 bytes. Here it stands as the ciphertext, since the MAC covers the ciphertext alone.
TEST(Seal, authenticates_by_bernsteins_poly1305_aes) {
  SealKey key;
  key.mac_k = unhex<16>("6acb5f61a7176dd320c5c1eb2edcdc74");
  key.mac_r = unhex<16>("48443d0bb0d21109c89a100b5ce2c208");
  key.encrypt[0] = 1;
  Buffer sealed;
  sealed.append(unhex<16>("ae212a55399729595dea458bc621ff0e"));
  sealed.append(unhex<32>("663cea190ffb83d89593f3f476b6bc24d7e679107ea26adb8caf6652d0656136"));
  sealed.append(unhex<16>("0ee1c16bb73f0f4fd19881753c01cdbe"));
  EXPECT_TRUE(Sealer(key).open_in_place({sealed.data(), sealed.size()}).has_value());
  sealed[20] ^= 1;
  EXPECT_EQ(Sealer(key).open_in_place({sealed.data(), sealed.size()}).error().id, "crypto.mac");
}

TEST(Seal, opening_gives_the_text_back_and_no_two_seals_are_alike) {
  Sealer sealer(random_seal_key());
  for (size_t size : {size_t{0}, size_t{1}, size_t{15}, size_t{16}, size_t{17}, size_t{100000}}) {
    Buffer plain(size);
    std::fill_n(plain.data(), size, uint8_t{0x5a});
    Buffer one = sealer.seal(plain), two = sealer.seal(plain);
    EXPECT_NE(codec::to_hex(one), codec::to_hex(two));
    auto opened = sealer.open_in_place({one.data(), one.size()});
    ASSERT_TRUE(opened.has_value());
    EXPECT_EQ(codec::to_hex(*opened), codec::to_hex(plain));
  }
}

TEST(Seal, every_flipped_bit_is_refused_and_the_bytes_stay) {
  SealKey key = random_seal_key();
  Sealer sealer(key);
  const Buffer sealed = sealer.seal(as_bytes("a message of more than sixteen bytes"));
  for (size_t bit = kNonceSize * 8; bit < sealed.size() * 8; ++bit) {
    Buffer damaged = Buffer::copy_of(sealed);
    damaged[bit / 8] ^= static_cast<uint8_t>(1u << bit % 8);
    const Buffer before = Buffer::copy_of(damaged);
    EXPECT_FALSE(sealer.open_in_place({damaged.data(), damaged.size()}).has_value()) << bit;
    EXPECT_EQ(codec::to_hex(before), codec::to_hex(damaged));
  }
  for (size_t size = 0; size < kSealOverhead; ++size) {
    Buffer cut = Buffer::copy_of(sealed.span(0, size));
    EXPECT_FALSE(sealer.open_in_place({cut.data(), cut.size()}).has_value());
  }
}

}  // namespace
}  // namespace holdfast::crypto

#include "codec/crc32.h"

#include <gtest/gtest.h>

namespace holdfast::codec {
namespace {

TEST(Crc32, CheckValuesOfTheCatalogue) {
  EXPECT_EQ(crc32(as_bytes("123456789")), 0xcbf43926u);
  EXPECT_EQ(crc32c(as_bytes("123456789")), 0xe3069283u);
  EXPECT_EQ(crc32(as_bytes("")), 0u);
  EXPECT_EQ(crc32c(as_bytes("")), 0u);
}

TEST(Crc32, PiecesGiveTheSameAsTheWhole) {
  std::string text;
  for (int i = 0; i < 1000; ++i) text += static_cast<char>(i * 7);
  for (size_t cut : {0u, 1u, 7u, 8u, 9u, 500u, 1000u}) {
    const auto head = as_bytes(std::string_view(text).substr(0, cut));
    const auto tail = as_bytes(std::string_view(text).substr(cut));
    EXPECT_EQ(crc32(tail, crc32(head)), crc32(as_bytes(text)));
    EXPECT_EQ(crc32c(tail, crc32c(head)), crc32c(as_bytes(text)));
  }
}

}  // namespace
}  // namespace holdfast::codec

#include "codec/go_json.h"

#include <gtest/gtest.h>

#include <random>

#include "codec/base64.h"
#include "codec/hex.h"
#include "codec/zstd.h"

namespace holdfast::codec {
namespace {

std::string json(std::string_view text) {
  std::string out;
  append_json_string(out, text);
  return out;
}

// Expected texts printed by strconv.Quote and json.Marshal of Go 1.26.
TEST(GoJson, quotes_names_as_strconv_quote_does) {
  EXPECT_EQ(go_quote("plain.txt"), "plain.txt");
  EXPECT_EQ(go_quote("a\"b\\c"), R"(a\"b\\c)");
  EXPECT_EQ(go_quote("\a\b\f\n\r\t\v\x01\x7f"), R"(\a\b\f\n\r\t\v\x01\x7f)");
  EXPECT_EQ(go_quote("caf\xc3\xa9 \xe2\x98\x83 \xf0\x9f\x98\x80"), "caf\xc3\xa9 \xe2\x98\x83 \xf0\x9f\x98\x80");
  EXPECT_EQ(go_quote("\xe2\x80\x8b\xc2\xa0\xc2\xad"), R"(\u200b\u00a0\u00ad)");
  EXPECT_EQ(go_quote("\xff\xc3(\xed\xa0\x80\xc0\x80"), R"(\xff\xc3(\xed\xa0\x80\xc0\x80)");
  EXPECT_EQ(go_quote("\xf3\xa0\x80\x81"), R"(\U000e0001)");
  EXPECT_EQ(go_quote("\xef\xbf\xbd"), "\xef\xbf\xbd");
}

TEST(GoJson, writes_strings_as_encoding_json_does) {
  EXPECT_EQ(json("<a href=\"x\">&\\"), R"("\u003ca href=\"x\"\u003e\u0026\\")");
  EXPECT_EQ(json("\b\f\n\r\t\x01"), R"("\b\f\n\r\t\u0001")");
  EXPECT_EQ(json("\xe2\x80\xa8\xe2\x80\xa9\x7f"), "\"\\u2028\\u2029\x7f\"");
  EXPECT_EQ(json("\xff"), R"("\ufffd")");
}

TEST(GoJson, unquoting_reverses_quoting_for_any_bytes) {
  std::mt19937 random(11);
  for (int round = 0; round < 20000; ++round) {
    std::string name;
    for (size_t n = random() % 20; n > 0; --n)
      name += static_cast<char>(random() % 3 ? random() % 256 : 0x80 + random() % 64);
    std::string back;
    ASSERT_TRUE(go_unquote(go_quote(name), back));
    ASSERT_EQ(back, name);
  }
  std::string out;
  for (const char* bad : {"\\", "\\x1", "\\xzz", "\\q", "\\ud800", "\\U00110000", "a\"b"}) {
    EXPECT_FALSE(go_unquote(bad, out)) << bad;
  }
}

TEST(Base64, matches_rfc_4648_and_refuses_the_rest) {
  EXPECT_EQ(to_base64(as_bytes("")), "");
  EXPECT_EQ(to_base64(as_bytes("f")), "Zg==");
  EXPECT_EQ(to_base64(as_bytes("fo")), "Zm8=");
  EXPECT_EQ(to_base64(as_bytes("foobar")), "Zm9vYmFy");
  EXPECT_EQ(as_text(from_base64("Zm8=")->span()), "fo");
  for (const char* bad : {"Zg=", "Zg", "Z===", "====", "Zm9v=mFy", "Zm 8"}) EXPECT_FALSE(from_base64(bad)) << bad;
}

TEST(Hex, decodes_only_whole_bytes) {
  uint8_t two[2];
  EXPECT_TRUE(from_hex("0aFf", two));
  EXPECT_EQ(to_hex(two), "0aff");
  for (const char* bad : {"0af", "0afff", "0ag0", ""}) EXPECT_FALSE(from_hex(bad, two)) << bad;
}

TEST(Zstd, frames_come_back_whole_and_damage_is_refused) {
  Buffer plain(300000);
  for (size_t i = 0; i < plain.size(); ++i) plain[i] = static_cast<uint8_t>(i % 251 ^ i / 1000);
  ZstdDecompressor decompressor;
  for (auto profile : {ZstdProfile::stream, ZstdProfile::small, ZstdProfile::best}) {
    Buffer frame = ZstdCompressor(profile).compress(plain);
    EXPECT_LT(frame.size(), plain.size());
    Buffer back(plain.size());
    ASSERT_TRUE(decompressor.decompress(frame, {back.data(), back.size()}).has_value());
    EXPECT_EQ(to_hex(back), to_hex(plain));
    auto unknown = decompressor.decompress(frame, plain.size());
    ASSERT_TRUE(unknown.has_value());
    EXPECT_EQ(unknown->size(), plain.size());
    EXPECT_FALSE(decompressor.decompress(frame, plain.size() - 1).has_value());
    EXPECT_FALSE(decompressor.decompress(frame.span(0, frame.size() - 5), plain.size()).has_value());
    back.resize(plain.size() - 1);
    EXPECT_FALSE(decompressor.decompress(frame, {back.data(), back.size()}).has_value());
  }
}

}  // namespace
}  // namespace holdfast::codec

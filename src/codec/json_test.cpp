#include "codec/json_values.h"

#include <gtest/gtest.h>

namespace holdfast::codec {
namespace {

TEST(ParseJson, KeepsOrderAndReadsBack) {
  auto value = parse_json(R"({"b":1,"a":{"c":[true,null,"x"]}})");
  ASSERT_TRUE(value);
  EXPECT_EQ(print_json(*value), R"({"b":1,"a":{"c":[true,null,"x"]}})");
  EXPECT_EQ(json_int(*value, "b"), 1);
  EXPECT_EQ(json_string(*value, "b", "no"), "no");
  EXPECT_TRUE(json_at(*value, "nothing").is_null());
}

TEST(ParseJson, RefusesGarbageDepthAndSize) {
  for (const char* text : {"", "{", "{]", "[1,]", "nul", "{\"a\":1} x", "\"\\u12\""}) {
    auto value = parse_json(text);
    ASSERT_FALSE(value) << text;
    EXPECT_EQ(value.error().id, "codec.json");
  }
  EXPECT_FALSE(parse_json(std::string(1'000'000, '[')));
  EXPECT_TRUE(parse_json(R"(["[[[[[[["])", {100, 1})) << "brackets inside a string are text";
  EXPECT_FALSE(parse_json("[1,2,3]", {3, 8}));
}

TEST(PrintJson, BrokenUtf8DoesNotThrow) {
  Json value = std::string("a\xff");
  EXPECT_EQ(print_json(value), "\"a\xef\xbf\xbd\"");
}

}  // namespace
}  // namespace holdfast::codec

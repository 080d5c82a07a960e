#include "codec/value.h"

#include <gtest/gtest.h>

namespace holdfast::codec {
namespace {

TEST(Value, json_round_trip_keeps_order_and_kinds) {
  const std::string text =
      R"({"z":1,"a":-2,"big":18446744073709551615,"f":0.1,"s":"q\"\\\n","l":[true,false,null,{}],"o":{"x":[]}})";
  auto value = parse_value(text);
  ASSERT_TRUE(value.has_value()) << value.error().message;
  EXPECT_EQ(to_json(*value), text);
  EXPECT_EQ((*value)["big"].unsigned_integer(), UINT64_MAX);
  EXPECT_EQ((*value)["a"].integer(), -2);
  EXPECT_TRUE((*value)["none"]["deeper"].is_null());
}

// g++ 12 ends a temporary's life before a loop over a part of it begins.
TEST(Value, a_loop_over_a_part_of_a_temporary_sees_it_whole) {
  const auto made = [] {
    return Value::object({{"a", Value::object({{"list", Value::list({"one long enough to be on the heap", "two"})}})}});
  };
  std::string seen;
  for (const auto& item : made()["a"]["list"].items()) seen += item.text() + ";";
  for (const auto& [name, value] : made()["a"].members()) seen += name + std::to_string(value.items().size());
  for (const char c : Value("heap, for it is longer than what a string has in itself").text()) seen += c;
  EXPECT_EQ(seen, "one long enough to be on the heap;two;list2heap, for it is longer than what a string has in itself");
  EXPECT_TRUE(made()["b"]["c"].items().empty());
}

TEST(Value, json_replaces_bad_utf8) {
  EXPECT_EQ(to_json(Value("a\xff"
                          "b")),
            "\"a\xEF\xBF\xBD"
            "b\"");
  EXPECT_EQ(to_json(Value("\xc3\xa4")), "\"\xc3\xa4\"");
  EXPECT_EQ(to_json(Value("\xed\xa0\x80")), "\"\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD\"");  // a surrogate is no UTF-8
}

TEST(Value, json_refuses_bad_text) {
  for (const char* text : {"", "{", "[1,]", "{\"a\":1} x", "nul", "\"\x01\""}) {
    EXPECT_FALSE(parse_value(text).has_value()) << text;
  }
  EXPECT_FALSE(parse_value(std::string(100000, '[')).has_value());
}

TEST(Value, yaml_quotes_what_could_be_read_as_something_else) {
  EXPECT_EQ(to_yaml(Value("yes")), "\"yes\"\n");
  EXPECT_EQ(to_yaml(Value("017")), "\"017\"\n");
  EXPECT_EQ(to_yaml(Value("plain text")), "plain text\n");
  EXPECT_EQ(to_yaml(Value("a: b")), "\"a: b\"\n");
  EXPECT_EQ(to_yaml(Value::object({{"name", "shop"},
                                   {"members", Value::list({Value::object({{"count", 1}, {"s", "on"}}), 2})},
                                   {"none", Value::list()}})),
            "name: shop\nmembers:\n  - count: 1\n    s: \"on\"\n  - 2\nnone: []\n");
}

}  // namespace
}  // namespace holdfast::codec

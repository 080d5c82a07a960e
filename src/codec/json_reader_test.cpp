#include "codec/json_reader.h"

#include <gtest/gtest.h>

#include <random>

namespace holdfast::codec {
namespace {

TEST(JsonReader, reads_what_a_repository_holds) {
  JsonReader reader(R"( {"a":[1,2,18446744073709551615],"b":{"c":"x\"\u00e9\ud83d\ude00"},"d":null,"e":true,"f":-7} )");
  ASSERT_TRUE(reader.enter_object());
  EXPECT_EQ(reader.next_key(), "a");
  ASSERT_TRUE(reader.enter_array());
  std::vector<uint64_t> numbers;
  while (reader.next_element()) numbers.push_back(reader.unsigned_integer());
  EXPECT_EQ(numbers, (std::vector<uint64_t>{1, 2, UINT64_MAX}));
  EXPECT_EQ(reader.next_key(), "b");
  reader.enter_object();
  EXPECT_EQ(reader.next_key(), "c");
  EXPECT_EQ(reader.string(), "x\"\xc3\xa9\xf0\x9f\x98\x80");
  EXPECT_FALSE(reader.next_key());
  EXPECT_EQ(reader.next_key(), "d");
  EXPECT_TRUE(reader.null());
  EXPECT_EQ(reader.next_key(), "e");
  EXPECT_TRUE(reader.boolean());
  EXPECT_EQ(reader.next_key(), "f");
  EXPECT_EQ(reader.integer(), -7);
  EXPECT_FALSE(reader.next_key());
  EXPECT_TRUE(reader.finished()) << reader.problem();
}

TEST(JsonReader, refuses_what_is_not_json) {
  for (const char* text :
       {"",      "{",   "[",   "[1",      "[1,",       "[1,]", "[1 2]", "{\"a\"}", "{\"a\":}", "{\"a\":1,}",
        "{a:1}", "tru", "\"a", "\"\\x\"", "\"\\u12\"", "[1]]", "{}x",   "[01]x",   "\"a\nb\"", "nul"}) {
    JsonReader reader(text);
    reader.skip();
    EXPECT_FALSE(reader.finished()) << text;
    EXPECT_FALSE(reader.problem().empty()) << text;
  }
  for (const char* text : {"18446744073709551616", "-1", "1.5", "1e3", "01", "x"}) {
    JsonReader reader(text);
    reader.unsigned_integer();
    EXPECT_FALSE(reader.finished()) << text;
  }
}

TEST(JsonReader, a_document_nested_without_end_is_refused_not_followed) {
  const std::string text(1000000, '[');  // must outlive the reader
  JsonReader reader(text);
  reader.skip();
  EXPECT_NE(reader.problem().find("nested too deep"), std::string::npos);
}

TEST(JsonReader, survives_every_prefix_and_random_damage) {
  const std::string text = R"({"packs":[{"id":"ab","blobs":[{"id":"cd","type":"data","offset":0,"length":38}]}]})";
  for (size_t cut = 0; cut < text.size(); ++cut) {
    const std::string prefix = text.substr(0, cut);
    JsonReader reader(prefix);
    reader.skip();
    EXPECT_FALSE(reader.finished()) << prefix;
  }
  std::mt19937 random(3);
  for (int round = 0; round < 20000; ++round) {
    std::string damaged = text;
    for (int k = 0; k < 3; ++k) damaged[random() % damaged.size()] = static_cast<char>(random());
    JsonReader reader(damaged);
    reader.skip();
    reader.finished();
  }
}

}  // namespace
}  // namespace holdfast::codec

#include "codec/yaml.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

namespace holdfast::codec {
namespace {

Value one(std::string_view text) {
  auto documents = parse_yaml(text);
  EXPECT_TRUE(documents) << text << ": " << (documents ? "" : documents.error().to_string());
  if (!documents || documents->size() != 1) return {};
  return (*documents)[0];
}

TEST(ParseYaml, ScalarsFollowYaml12) {
  Value v =
      one("a: yes\nb: 017\nc: 0o17\nd: 0x1F\ne: -5\nf: 1.5\ng: ~\nh: \"5\"\ni: 'true'\nj: true\nk: +7\nl: 1e3\nm: off\n"
          "n: 12:30:45\no: 18446744073709551615\np: .5\nq: 1_000\nr: 2026-11-21\ns:\n");
  EXPECT_EQ(v["a"].text(), "yes");
  EXPECT_EQ(v["b"].integer(), 17);
  EXPECT_EQ(v["c"].integer(), 15);
  EXPECT_EQ(v["d"].integer(), 31);
  EXPECT_EQ(v["e"].integer(), -5);
  EXPECT_EQ(v["f"].number(), 1.5);
  EXPECT_TRUE(v["g"].is_null());
  EXPECT_EQ(v["h"].text(), "5");
  EXPECT_EQ(v["i"].text(), "true");
  EXPECT_TRUE(v["j"].boolean());
  EXPECT_EQ(v["k"].integer(), 7);
  EXPECT_EQ(v["l"].number(), 1000);
  EXPECT_EQ(v["m"].text(), "off");
  EXPECT_EQ(v["n"].text(), "12:30:45");
  EXPECT_EQ(v["o"].unsigned_integer(), UINT64_MAX);
  EXPECT_EQ(v["p"].number(), 0.5);
  EXPECT_EQ(v["q"].text(), "1_000");
  EXPECT_EQ(v["r"].text(), "2026-11-21");
  EXPECT_TRUE(v["s"].is_null());
}

TEST(ParseYaml, SeveralDocumentsAndNesting) {
  auto documents = parse_yaml("# comment\n---\na: [1, {b: c}]\n---\n---\n- x\n");
  ASSERT_TRUE(documents);
  ASSERT_EQ(documents->size(), 2u);
  EXPECT_EQ((*documents)[0]["a"].items()[1]["b"].text(), "c");
  EXPECT_EQ((*documents)[1].items()[0].text(), "x");
  EXPECT_EQ(parse_yaml("")->size(), 0u);
}

TEST(ParseYaml, WhatToYamlWritesReadsBack) {
  Value v = Value::object({{"text", "yes"},
                           {"number", "017"},
                           {"empty", ""},
                           {"list", Value::list({1, "two", nullptr, true})},
                           {"multi", "a\nb: c\n# d"},
                           {"nested", Value::object({{"k", 1.5}})}});
  auto again = parse_yaml(to_yaml(v));
  ASSERT_TRUE(again) << again.error().to_string();
  EXPECT_EQ((*again)[0], v) << to_yaml(v);
}

TEST(ParseYaml, RefusesWithPlace) {
  auto twice = parse_yaml("a: 1\nb: 2\na: 3\n");
  ASSERT_FALSE(twice);
  EXPECT_EQ(twice.error().id, "codec.yaml");
  EXPECT_NE(twice.error().message.find("line 3"), std::string::npos) << twice.error().message;
  for (const char* text : {"a: [1", "a: b: c", "\t- x", "{[a]: b}", "a: !!python/x y", "*unknown"})
    EXPECT_FALSE(parse_yaml(text)) << text;
}

TEST(ParseYaml, BombsAreRefused) {
  EXPECT_FALSE(parse_yaml(std::string(100'000, '[')));
  std::string deep;
  for (int i = 0; i < 200; ++i) deep += std::string(static_cast<size_t>(i), ' ') + "a:\n";
  EXPECT_FALSE(parse_yaml(deep));
  std::string laughs = "a0: &a0 [x,x,x,x,x,x,x,x,x,x]\n";
  for (int i = 1; i < 9; ++i) {
    laughs += fmt::format("a{}: &a{} [", i, i);
    for (int k = 0; k < 10; ++k) laughs += fmt::format("{}*a{}", k ? "," : "", i - 1);
    laughs += "]\n";
  }
  EXPECT_FALSE(parse_yaml(laughs));
  EXPECT_FALSE(parse_yaml(std::string(9 << 20, ' ')));
}

}  // namespace
}  // namespace holdfast::codec

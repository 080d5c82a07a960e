#include "cluster/comparison.h"

#include <gtest/gtest.h>

#include "cluster/triage.h"

namespace holdfast::cluster {
namespace {

Comparison sample() {
  Comparison c;
  c.finished = 1795406700;
  c.reference = "shop-0";
  c.members = {"shop-0", "shop-1"};
  c.positions = {"0-1-17"};
  c.tables = 41;
  c.rows = 9000;
  c.not_compared = {"shop.log (MyISAM: its rows are in no snapshot)"};
  return c;
}

TEST(Comparison, ComesBackFromItsDocument) {
  Comparison c = sample();
  c.differences = {{"shop-1", "shop.orders", "id > 5", "1 rows missing", {"6", "7"}}};
  const auto back = parse_comparison(*codec::parse_value(codec::to_json(comparison_value(c))));
  ASSERT_TRUE(back) << back.error().to_string();
  EXPECT_EQ(codec::to_json(comparison_value(*back)), codec::to_json(comparison_value(c)));
  EXPECT_TRUE(back->differs("shop-1"));
  EXPECT_FALSE(back->differs("shop-0"));
  EXPECT_FALSE(back->covers("shop-2"));
}

TEST(Comparison, DamagedRecordIsNoRecord) {
  for (const char* text : {"{}", "[]", "{\"finished\":5}", "{\"finished\":5,\"reference\":\"a\",\"members\":[\"a\"]}"})
    EXPECT_FALSE(parse_comparison(*codec::parse_value(text))) << text;
}

TEST(Comparison, SentenceSaysWhenAndWhat) {
  Comparison c = sample();
  EXPECT_EQ(comparison_sentence(c),
            "contents were compared 2026-11-23 04:05 UTC at 0-1-17: 2 members equal in 41 tables");
  c.differences = {{"shop-1", "shop.orders", "", "", {}}, {"shop-1", "shop.orders", "", "", {}}};
  EXPECT_EQ(comparison_sentence(c),
            "contents were compared 2026-11-23 04:05 UTC at 0-1-17: shop-1 differs from shop-0 in 1 table");
}

}  // namespace
}  // namespace holdfast::cluster

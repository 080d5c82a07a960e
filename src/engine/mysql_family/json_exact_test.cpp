#include "engine/mysql_family/json_exact.h"

#include <gtest/gtest.h>

namespace holdfast::engine {
namespace {

TEST(JsonExact, values_get_their_types_by_the_order_the_server_lists_them) {
  // As MySQL 9.7 lists the types of this document by '$**.*' and '$**[*]'.
  const std::string text =
      R"({"a": {"y": 1.10, "z": [4.0]}, "b": [1, {"x": ["2024-01-02", 3]}], "k\"\\": "01:02:03.500000"})";
  const auto made = json_expression(
      text, "OBJECT/OBJECT ARRAY TIME DECIMAL ARRAY ARRAY/DECIMAL INTEGER OBJECT DATE UNSIGNED_INTEGER");
  ASSERT_TRUE(made);
  const size_t at = made->find("', ");
  EXPECT_EQ(made->substr(at + 1),
            R"(, '$."k\\"\\\\"', CAST('01:02:03.500000' AS TIME(6)), '$."a"."y"', 1.10, '$."a"."z"[0]', 4.0, )"
            R"('$."b"[1]."x"[0]', CAST('2024-01-02' AS DATE)))");
  EXPECT_TRUE(made->starts_with("JSON_REPLACE(_utf8mb4 X'7b"));
}

TEST(JsonExact, scalars_and_what_no_expression_makes) {
  EXPECT_EQ(json_expression("1.50", "DECIMAL//"), "JSON_REPLACE(_utf8mb4 X'312e3530', '$', 1.50)");
  EXPECT_EQ(json_expression("\"base64:type15:AP8=\"", "BLOB//"),
            "JSON_REPLACE(_utf8mb4 X'226261736536343a7479706531353a4150383d22', '$', FROM_BASE64('AP8='))");
  EXPECT_EQ(json_expression("\"base64:type16:BQ==\"", "BIT//"), std::nullopt);
  EXPECT_EQ(json_expression("[1, 2]", "ARRAY//INTEGER"), std::nullopt) << "types that do not fit";
  EXPECT_EQ(json_expression("[1, 2", "ARRAY//INTEGER INTEGER"), std::nullopt);
  EXPECT_EQ(json_expression("[]", "ARRAY//"), "_utf8mb4 X'5b5d'");
  EXPECT_EQ(json_expression("", "/"), std::nullopt);
}

}  // namespace
}  // namespace holdfast::engine

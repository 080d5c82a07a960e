#include "engine/mysql_family/expression_modes.h"

#include <gtest/gtest.h>

namespace holdfast::engine {
namespace {

TEST(ExpressionModes, the_catalogue_of_mysql_escapes_an_expression_once_more) {
  EXPECT_EQ(catalogue_expression("(`a` - 5)"), "(`a` - 5)");
  EXPECT_EQ(catalogue_expression(R"(concat(`a`,_utf8mb4\'\\\\n\'))"), R"(concat(`a`,_utf8mb4'\\n'))");
  EXPECT_EQ(catalogue_expression("\\"), "\\");
}

}  // namespace
}  // namespace holdfast::engine

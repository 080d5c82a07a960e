#include "engine/mysql_family/completeness.h"

#include <gtest/gtest.h>

namespace holdfast::engine {
namespace {

TEST(NotDumped, is_what_was_there_all_the_time) {
  const ListedTables before = {
      {{"a", "", "stays"}, "1"}, {{"a", "", "lost"}, "1"}, {{"a", "", "replaced"}, "1"}, {{"a", "", "dropped"}, "1"}};
  const ListedTables after = {
      {{"a", "", "stays"}, "1"}, {{"a", "", "lost"}, "1"}, {{"a", "", "replaced"}, "2"}, {{"a", "", "new"}, "2"}};
  EXPECT_EQ(not_dumped(before, after, {{{"a", "", "stays"}, 0}, {{"A", "", "lost"}, 7}}),
            (std::vector<TableName>{{"a", "", "lost"}}));
}

}  // namespace
}  // namespace holdfast::engine

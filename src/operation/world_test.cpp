// What counts as a change of the world, and whose.
#include "operation/world.h"

#include <gtest/gtest.h>

namespace holdfast::operation {
namespace {

codec::Value world(const char* json) {
  return *codec::parse_value(json);
}

TEST(World, every_leaf_that_differs) {
  const auto before = world(R"({"members":{"a":{"role":"primary","pos":[1,2]},"b":{"role":"replica"}},"n":1})");
  EXPECT_TRUE(world_changes(before, before).empty());
  EXPECT_TRUE(
      world_changes(before, world(R"({"n":1,"members":{"b":{"role":"replica"},"a":{"pos":[1,2],"role":"primary"}}})"))
          .empty());
  EXPECT_EQ(
      changes_text(world_changes(before, world(R"({"members":{"a":{"role":"replica","pos":[2,1]},"c":{}},"n":1})"))),
      R"(members/a/role was "primary", is "replica"; members/a/pos was [1,2], is [2,1]; )"
      R"(members/b was {"role":"replica"}, is nothing; members/c was nothing, is {})");
  EXPECT_EQ(changes_text(world_changes(before, codec::Value())).substr(0, 5), " was ");
  EXPECT_EQ(world_changes(before, world(R"({"members":{"a":null,"b":{"role":"replica"}},"n":1})")).size(), 1u)
      << "unknown now is a change";
}

TEST(World, steps_answer_for_what_they_touch_once_begun) {
  Plan plan;
  plan.world = world(R"({"members":{"a":{"role":"x"},"ab":{"role":"x"}}})");
  Step step;
  step.id = "stop";
  step.touches = {"members/a"};
  plan.steps = {step};
  const auto now = world(R"({"members":{"a":{"role":"y"},"ab":{"role":"y"}}})");
  EXPECT_EQ(foreign_changes(plan, {}, now).size(), 2u) << "not begun";
  const auto left = foreign_changes(plan, {"stop"}, now);
  ASSERT_EQ(left.size(), 1u);
  EXPECT_EQ(left[0].path, "members/ab/role") << "a prefix of the name is another member";
  plan.steps[0].touches = {"members/a/role"};
  EXPECT_EQ(foreign_changes(plan, {"stop"}, world(R"({"members":{"ab":{"role":"x"}}})")).size(), 1u)
      << "a member that went away is no change of its role";
}

}  // namespace
}  // namespace holdfast::operation

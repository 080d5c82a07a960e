// Which acceptances a plan takes, and the words of each refusal.
#include "operation/accept.h"

#include <gtest/gtest.h>

namespace holdfast::operation {
namespace {

Plan plan(std::vector<Loss> losses) {
  Plan made{.verb = "repair", .cluster = "shop/db", .created = "now"};
  Step step;
  step.id = step.kind = step.title = step.undo = "x";
  made.steps = {step};
  made.losses = std::move(losses);
  made.world = codec::Value::object();
  return made;
}

const Loss kDiverged{"3 transactions of db-1", "discard-diverged:db-1"};
const Loss kEscrow{"the only copy of db-1", "no-escrow"};

TEST(Acceptance, forms) {
  const auto plain = parse_acceptance("discard-diverged:db-1");
  ASSERT_TRUE(plain);
  EXPECT_EQ(plain->name, "discard-diverged:db-1");
  EXPECT_EQ(plain->hash, "");
  const auto bound = parse_acceptance("no-escrow@0123456789AB");
  ASSERT_TRUE(bound);
  EXPECT_EQ(bound->name, "no-escrow");
  EXPECT_EQ(bound->hash, "0123456789ab");
  for (const char* bad :
       {"", "@0123456789ab", ":x", "name:", "name@", "name@0123", "name@0123456789aG", "name:@0123456789ab"}) {
    const auto refused = parse_acceptance(bad);
    ASSERT_FALSE(refused) << bad;
    EXPECT_EQ(exit_code(refused.error().error_class), 2) << bad;
  }
}

TEST(Acceptance, exactly_what_the_plan_loses) {
  const Plan both = plan({kDiverged, kEscrow}), none = plan({});
  const std::string hash = short_hash(both);
  const std::string a = kDiverged.acceptance, b = kEscrow.acceptance;
  const std::string other = "@" + std::string(12, '0');
  struct Row {
    const Plan* plan;
    std::vector<std::string> given;
    int code;
    std::string id, message, hint;
  };
  const std::vector<Row> rows = {
      {&none, {}, 0, "", "", ""},
      {&both, {a, b}, 0, "", "", ""},
      {&both, {a + "@" + hash, b + "@" + plan_hash(both)}, 0, "", "", ""},
      {&both, {a, a, b}, 0, "", "", ""},
      {&both,
       {},
       3,
       "operation.not_accepted",
       "3 transactions of db-1; the only copy",
       "if that is wanted, add --accept=" + a + "@" + hash + " --accept=" + b + "@" + hash},
      {&both, {b}, 3, "operation.not_accepted", "3 transactions", "if that is wanted, add --accept=" + a + "@" + hash},
      {&both, {a + other, b}, 3, "operation.plan_changed", "but the plan is now " + hash, "look at the plan again"},
      {&none, {a + other}, 3, "operation.plan_changed", "", ""},
      {&none, {a}, 2, "operation.acceptance_not_needed", "loses nothing", "leave it out"},
      {&both,
       {a, b, "discard-diverged:db-2"},
       2,
       "operation.acceptance_not_needed",
       "asks for discard-diverged:db-1, no-escrow",
       ""},
      {&both, {"discard-diverged", b}, 2, "operation.acceptance_not_needed", "", ""},
      {&both, {a, b, "@"}, 2, "operation.bad_acceptance", "", ""},
  };
  for (size_t i = 0; i < rows.size(); ++i) {
    const Row& row = rows[i];
    const auto status = check_acceptances(*row.plan, row.given);
    EXPECT_EQ(status ? 0 : exit_code(status.error().error_class), row.code) << i;
    if (status) continue;
    EXPECT_EQ(status.error().id, row.id) << i;
    EXPECT_NE(status.error().message.find(row.message), std::string::npos) << i << ": " << status.error().message;
    EXPECT_NE(status.error().hint.find(row.hint), std::string::npos) << i << ": " << status.error().hint;
  }
}

}  // namespace
}  // namespace holdfast::operation

// Plans: their rules, their hash, their document, their text.
#include "operation/plan.h"

#include <gtest/gtest.h>

#include <functional>
#include <set>

namespace holdfast::operation {
namespace {

using codec::Value;

Step step(std::string id, std::string undo = "Start it again") {
  Step made;
  made.id = std::move(id);
  made.kind = "stop_server";
  made.member = "shop-mysql-1";
  made.title = "Stop the server of shop-mysql-1";
  made.arguments = Value::object({{"signal", "TERM"}, {"grace", 10}});
  made.preconditions = {"it is no primary"};
  made.undo = std::move(undo);
  made.expected_seconds = 5;
  made.proof = "its process is gone";
  made.touches = {"members/shop-mysql-1/role"};
  return made;
}

Plan plan() {
  Plan made{.verb = "repair", .cluster = "shop/shop-mysql", .created = "2026-11-21T21:30:18Z"};
  made.steps = {step("stop"), step("wipe", ""), step("start", "")};
  made.steps[1].point_of_no_return = true;
  made.steps[1].expected_seconds = 120;
  made.losses = {{"3 transactions only shop-mysql-1 has", "discard-diverged:shop-mysql-1"}};
  made.world = Value::object({{"members", Value::object({{"shop-mysql-1", Value::object({{"role", "replica"}})}})}});
  return made;
}

TEST(Plan, rules) {
  EXPECT_TRUE(check_plan(plan()));
  const std::vector<std::pair<std::string, std::function<void(Plan&)>>> broken = {
      {"has no verb", [](Plan& p) { p.verb.clear(); }},
      {"no full name", [](Plan& p) { p.cluster = "shop"; }},
      {"has no steps", [](Plan& p) { p.steps.clear(); }},
      {"which state of the cluster", [](Plan& p) { p.world = Value(); }},
      {"without id", [](Plan& p) { p.steps[0].id.clear(); }},
      {"without id", [](Plan& p) { p.steps[2].kind.clear(); }},
      {"are called stop", [](Plan& p) { p.steps[2].id = "stop"; }},
      {"two points", [](Plan& p) { p.steps[2].point_of_no_return = true; }},
      {"stop cannot be undone", [](Plan& p) { p.steps[0].undo.clear(); }},
      {"wipe cannot be undone", [](Plan& p) { p.steps[1].point_of_no_return = false; }},
      {"a loss without", [](Plan& p) { p.losses[0].acceptance.clear(); }},
      {"can be called 'a@b'", [](Plan& p) { p.losses[0].acceptance = "a@b"; }},
      {"share the acceptance", [](Plan& p) { p.losses.push_back(p.losses[0]); }},
  };
  for (const auto& [says, break_it] : broken) {
    Plan bad = plan();
    break_it(bad);
    const auto status = check_plan(bad);
    ASSERT_FALSE(status) << says;
    EXPECT_EQ(status.error().id, "operation.bad_plan");
    EXPECT_NE(status.error().message.find(says), std::string::npos) << status.error().message;
  }
}

TEST(Plan, the_hash_covers_everything_but_the_time) {
  const std::string hash = plan_hash(plan());
  EXPECT_EQ(hash.size(), 64u);
  EXPECT_EQ(short_hash(plan()), hash.substr(0, 12));
  Plan later = plan();
  later.created = "2027-01-01T00:00:00Z";
  EXPECT_EQ(plan_hash(later), hash);
  const std::vector<std::function<void(Plan&)>> changes = {
      [](Plan& p) { p.verb = "bootstrap"; },
      [](Plan& p) { p.cluster = "shop/other"; },
      [](Plan& p) { p.cluster_uid = "5f0c9a1e-7d42-4b8f-9c11-1e2d3c4b5a69"; },
      [](Plan& p) { p.cluster_uid = "00000000-7d42-4b8f-9c11-1e2d3c4b5a69"; },
      [](Plan& p) { std::swap(p.steps[0], p.steps[2]); },
      [](Plan& p) { p.steps[0].id += "x"; },
      [](Plan& p) { p.steps[0].kind += "x"; },
      [](Plan& p) { p.steps[0].member += "x"; },
      [](Plan& p) { p.steps[0].title += "x"; },
      [](Plan& p) { p.steps[0].arguments.set("grace", 11); },
      [](Plan& p) { p.steps[0].preconditions.clear(); },
      [](Plan& p) { p.steps[0].undo += "x"; },
      [](Plan& p) { p.steps[1].point_of_no_return = false; },
      [](Plan& p) { p.steps[0].expected_seconds += 1; },
      [](Plan& p) { p.steps[0].proof += "x"; },
      [](Plan& p) { p.steps[0].touches.clear(); },
      [](Plan& p) { p.losses[0].what += "x"; },
      [](Plan& p) { p.losses[0].acceptance += "x"; },
      [](Plan& p) { p.world.set("members", Value::object()); },
  };
  std::set<std::string> hashes{hash};
  for (size_t i = 0; i < changes.size(); ++i) {
    Plan other = plan();
    changes[i](other);
    EXPECT_TRUE(hashes.insert(plan_hash(other)).second) << i;
  }
}

TEST(Plan, the_order_of_members_does_not_count) {
  Plan other = plan();
  other.steps[0].arguments = Value::object({{"grace", 10}, {"signal", "TERM"}});
  EXPECT_EQ(plan_hash(other), plan_hash(plan()));
  EXPECT_EQ(
      canonical_json(Value::object({{"b", Value::list({2, 1})}, {"a", Value::object({{"d", 1}, {"c", nullptr}})}})),
      R"({"a":{"c":null,"d":1},"b":[2,1]})");
}

TEST(Plan, survives_its_document) {
  for (const int indent : {0, 2}) {
    const auto document = codec::parse_value(codec::to_json(plan_value(plan()), indent));
    ASSERT_TRUE(document);
    const auto read = parse_plan(*document);
    ASSERT_TRUE(read) << read.error().to_string();
    EXPECT_TRUE(same_document(plan_value(*read), plan_value(plan())));
    EXPECT_EQ(plan_text(*read, {.details = true}), plan_text(plan(), {.details = true}));
    EXPECT_EQ(read->created, plan().created);
  }
}

TEST(Plan, the_uid_of_its_cluster_is_part_of_it_and_absent_where_there_is_none) {
  Value given = plan_value(plan());
  EXPECT_FALSE(given.find("clusterUid"));
  Plan with = plan();
  with.cluster_uid = "5f0c9a1e-7d42-4b8f-9c11-1e2d3c4b5a69";
  Value document = *codec::parse_value(codec::to_json(plan_value(with)));
  const auto read = parse_plan(document);
  ASSERT_TRUE(read) << read.error().to_string();
  EXPECT_EQ(read->cluster_uid, with.cluster_uid);
  EXPECT_EQ(read->key().name, "shop/shop-mysql");
  for (const Value& wrong : {Value(""), Value(7), Value(), Value("00000000-7d42-4b8f-9c11-1e2d3c4b5a69")}) {
    document.set("clusterUid", wrong);
    EXPECT_FALSE(parse_plan(document)) << codec::to_json(wrong);
  }
  given.set("clusterUid", "");
  EXPECT_FALSE(parse_plan(given));
}

TEST(Plan, odd_content_keeps_its_hash_through_the_document) {
  Plan odd = plan();
  odd.steps[0].arguments = Value::object({{"double", 1.0},
                                          {"small", -1},
                                          {"big", UINT64_MAX},
                                          {"fraction", 0.1},
                                          {"text", std::string("\0\n\t\"\\\xff\xc3\xa4", 8)},
                                          {"empty", Value::object()},
                                          {"none", Value::list()}});
  const auto read = parse_plan(*codec::parse_value(codec::to_json(plan_value(odd), 2)));
  ASSERT_TRUE(read) << read.error().to_string();
  EXPECT_EQ(plan_hash(*read), plan_hash(odd));
}

TEST(Plan, a_document_that_is_not_exactly_one_is_refused) {
  const auto refused = [](const Value& document) {
    const auto read = parse_plan(document);
    return !read && read.error().id == "operation.plan_damaged" && exit_code(read.error().error_class) == 9;
  };
  const Value good = plan_value(plan());
  for (const auto& [name, member] : good.members()) {
    Value without = Value::object(), wrong = good;
    for (const auto& [other, value] : good.members()) {
      if (other != name) without.set(other, value);
    }
    wrong.set(name, member.is_text() ? Value(7) : Value("?"));
    EXPECT_TRUE(refused(without)) << name;
    EXPECT_TRUE(refused(wrong)) << name;
  }
  Value more = good;
  more.set("extra", 1);
  EXPECT_TRUE(refused(more));
  Value changed = good;
  changed.set("verb", "bootstrap");
  EXPECT_TRUE(refused(changed)) << "another content under the old hash";
  EXPECT_TRUE(refused(Value()));
  EXPECT_TRUE(refused(Value::list()));
}

TEST(Plan, text_for_people) {
  const std::string hash = short_hash(plan());
  EXPECT_EQ(plan_text(plan()), "plan " + hash +
                                   ": repair of shop/shop-mysql, 3 steps, about 2m10s\n"
                                   "  1. Stop the server of shop-mysql-1  [shop-mysql-1, stop, about 5s]\n"
                                   "       undo:  Start it again\n"
                                   "  --- point of no return: from here on nothing is undone ---\n"
                                   "  2. Stop the server of shop-mysql-1  [shop-mysql-1, wipe, about 2m00s]\n"
                                   "       undo:  none\n"
                                   "  3. Stop the server of shop-mysql-1  [shop-mysql-1, start, about 5s]\n"
                                   "       undo:  none\n"
                                   "will be lost:\n"
                                   "  - 3 transactions only shop-mysql-1 has\n"
                                   "    to accept it: --accept=discard-diverged:shop-mysql-1@" +
                                   hash + "\n");
  Plan harmless = plan();
  harmless.losses.clear();
  EXPECT_TRUE(plan_text(harmless).ends_with("nothing is lost\n"));
  const std::string details = plan_text(plan(), {.details = true});
  EXPECT_NE(details.find("       needs: it is no primary\n"), std::string::npos);
  EXPECT_NE(details.find("       proof: its process is gone\n"), std::string::npos);
}

}  // namespace
}  // namespace holdfast::operation

#include "position/gtid_set.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <iterator>
#include <set>

#include "tests/support/property.h"

namespace holdfast::position {
namespace {

constexpr std::string_view kA = "11111111-1111-1111-1111-111111111111", kB = "2222abcd-2222-2222-2222-222222222222";

GtidSet set_of(std::string_view text) {
  auto set = GtidSet::parse(text);
  EXPECT_TRUE(set) << text << ": " << set.error().to_string();
  return set ? *set : GtidSet{};
}

std::string shown(std::string_view text) {
  return set_of(text).to_string(",");
}

std::string problem(std::string_view text) {
  auto set = GtidSet::parse(text);
  if (set) return "accepted as " + set->to_string(",");
  EXPECT_EQ(set.error().id, "position.invalid");
  EXPECT_EQ(set.error().error_class, ErrorClass::usage);
  return set.error().message;
}

TEST(GtidSet, TakesWhatServersPrint) {
  EXPECT_EQ(set_of(fmt::format("{}:1-3:7,\n{}:5", kA, kB)).to_string(), fmt::format("{}:1-3:7,\n{}:5", kA, kB));
  EXPECT_EQ(shown(""), "");
  EXPECT_EQ(shown(" \n "), "");
  EXPECT_EQ(shown(fmt::format("{}:1-3:tag_1:5-7", kA)), fmt::format("{}:1-3:tag_1:5-7", kA));
  EXPECT_EQ(shown(fmt::format("{}:tag:5-7", kA)), fmt::format("{}:tag:5-7", kA));
  EXPECT_EQ(shown(fmt::format("{}:1-9223372036854775806", kA)), fmt::format("{}:1-9223372036854775806", kA));
}

TEST(GtidSet, BringsAnyOrderIntoNormalForm) {
  EXPECT_EQ(shown(fmt::format(" {} : 7 : 1 - 2 : 3 , {}:1 ,\r\n{}:4-5:2-6", kB, kA, kB)),
            fmt::format("{}:1,{}:1-7", kA, kB));
  EXPECT_EQ(shown("2222ABCD-2222-2222-2222-222222222222:TAG:1:2"), fmt::format("{}:tag:1-2", kB));
  EXPECT_EQ(shown(fmt::format("{0}:b:1:a:2,{0}:5", kA)), fmt::format("{}:5:a:2:b:1", kA));
}

TEST(GtidSet, SaysWhatIsWrongAndWhere) {
  EXPECT_EQ(problem("x"), "GTID set: expected a UUID of 36 characters at byte 0, before 'x'");
  EXPECT_EQ(problem(kA), "GTID set: expected ':' and an interval after the UUID at byte 36, where it ends");
  EXPECT_EQ(problem(fmt::format("{}:3-1", kA)),
            "GTID set: an interval must not end before it begins at byte 39, before '1'");
  EXPECT_EQ(problem(fmt::format("{}:0", kA)),
            "GTID set: a transaction number must be 1 to 9223372036854775806 at byte 37, before '0'");
  for (const std::string tail : {":", ":1-", ":-1", ":1,", ":1,,", ":tag", ":tag:", ":1:tag", ":1 2", ":1;", ":1-2-3",
                                 ":9223372036854775807", ":99999999999999999999999", ":+1", ":1\x01"})
    EXPECT_NE(problem(std::string(kA) + tail).find(" at byte "), std::string::npos) << tail;
  EXPECT_NE(problem("," + std::string(kA) + ":1").find("at byte 0"), std::string::npos);
  EXPECT_NE(problem(fmt::format("{}:{}:1", kA, std::string(33, 't'))).find("at most 32"), std::string::npos);
  EXPECT_EQ(shown(fmt::format("{}:{}:1", kA, std::string(32, 't'))), fmt::format("{}:{}:1", kA, std::string(32, 't')));
}

TEST(GtidSet, CountsWithoutOverflow) {
  EXPECT_EQ(set_of(fmt::format("{}:1-3:7,{}:5", kA, kB)).count(), 5U);
  EXPECT_EQ(
      set_of(fmt::format("{0}:1-9223372036854775806:a:1-9223372036854775806:b:1-9223372036854775806", kA)).count(),
      UINT64_MAX);
}

TEST(GtidSet, KnowsSingleTransactions) {
  const GtidSet set = set_of(fmt::format("{}:1-3:7:tag:2", kA));
  const auto has = [&](std::string text) { return set.contains(*Gtid::parse(text)); };
  EXPECT_TRUE(has(fmt::format("{}:3", kA)));
  EXPECT_TRUE(has(fmt::format("{}:TAG:2", kA)));
  EXPECT_FALSE(has(fmt::format("{}:4", kA)));
  EXPECT_FALSE(has(fmt::format("{}:2", kB)));
  EXPECT_FALSE(has(fmt::format("{}:tag:3", kA)));
  EXPECT_EQ(Gtid::parse(fmt::format("{}:TAG:2", kA))->to_string(), fmt::format("{}:tag:2", kA));
  EXPECT_FALSE(Gtid::parse(fmt::format("{}:2-3", kA)));
}

TEST(GtidSet, TagsAreSourcesOfTheirOwn) {
  EXPECT_EQ(compare(set_of(fmt::format("{}:1", kA)), set_of(fmt::format("{}:t:1", kA))), Order::diverged);
}

TEST(GtidSet, TenThousandIntervalsTakeNoTime) {
  std::string odd(kA), even(kA);
  for (int i = 0; i < 10000; ++i) {
    odd += fmt::format(":{}", 4 * i + 1);
    even += fmt::format(":{}", 4 * i + 3);
  }
  const auto start = std::chrono::steady_clock::now();
  for (int i = 0; i < 20; ++i) {
    const GtidSet a = set_of(odd), b = set_of(even);
    EXPECT_EQ(a.unite(b).subtract(b), a);
    EXPECT_TRUE(a.intersect(b).empty());
    EXPECT_EQ(compare(a, b), Order::diverged);
    EXPECT_EQ(compare(a, a.unite(b)), Order::before);
  }
  // A quadratic step would take 10^8 turns in each of these.
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(5));
}

// A tiny universe, every operation against sets of single transactions.
using Model = std::set<Gtid>;

Gtid nth(int n) {
  static const Uuid uuids[] = {*Uuid::parse(kA), *Uuid::parse(kB)};
  return {uuids[n / 24 % 2], n / 12 % 2 == 1 ? "tag" : "", static_cast<uint64_t>(n % 12 + 1)};
}

Model any_model() {
  Model model;
  for (const int n : *rc::gen::container<std::vector<int>>(rc::gen::inRange(0, 48))) model.insert(nth(n));
  return model;
}

GtidSet built(const Model& model) {
  GtidSet set;
  for (const Gtid& gtid : model) set.add(gtid.uuid, gtid.tag, {gtid.number, gtid.number});
  return set;
}

template <class Operation>
Model by(Operation operation, const Model& a, const Model& b) {
  Model result;
  operation(a.begin(), a.end(), b.begin(), b.end(), std::inserter(result, result.end()));
  return result;
}
const auto difference = [](auto... x) { std::set_difference(x...); };
const auto intersection = [](auto... x) { std::set_intersection(x...); };
const auto the_union = [](auto... x) { std::set_union(x...); };

RC_GTEST_PROP(GtidSetLaws, AreThoseOfSets, ()) {
  const Model x = any_model(), y = any_model();
  const GtidSet a = built(x), b = built(y);
  RC_ASSERT(a.count() == x.size());
  RC_ASSERT(a.empty() == x.empty());
  RC_ASSERT(a.subtract(b) == built(by(difference, x, y)));
  RC_ASSERT(a.intersect(b) == built(by(intersection, x, y)));
  RC_ASSERT(a.unite(b) == built(by(the_union, x, y)));
  RC_ASSERT(a.contains(b) == std::includes(x.begin(), x.end(), y.begin(), y.end()));
  for (int n = 0; n < 48; ++n) RC_ASSERT(a.contains(nth(n)) == x.contains(nth(n)));
  RC_ASSERT(a.subtract(b).unite(a.intersect(b)) == a);
  RC_ASSERT(a.unite(b) == b.unite(a));
  RC_ASSERT(a.subtract(a).empty());
}

RC_GTEST_PROP(GtidSetLaws, PrintedAndReadAgain, ()) {
  const GtidSet a = built(any_model());
  RC_ASSERT(*GtidSet::parse(a.to_string()) == a);
  RC_ASSERT(*GtidSet::parse(a.to_string(",")) == a);
}

RC_GTEST_PROP(GtidSetLaws, AnyOrderOfWritingIsTheSameSet, ()) {
  Model x;
  std::string text;
  for (const int n : *rc::gen::container<std::vector<int>>(rc::gen::inRange(0, 48))) {
    x.insert(nth(n));
    text += (text.empty() ? "" : " , ") + nth(n).to_string();
  }
  RC_ASSERT(*GtidSet::parse(text) == built(x));
}

RC_GTEST_PROP(GtidSetLaws, CompareIsAnOrder, ()) {
  const Model x = any_model(), y = any_model(), z = any_model();
  const GtidSet a = built(x), b = built(by(the_union, x, y)), c = built(by(the_union, by(the_union, x, y), z));
  const GtidSet other = built(y);
  RC_ASSERT(compare(a, a) == Order::equal);
  RC_ASSERT(compare(a, other) == reversed(compare(other, a)));
  RC_ASSERT((compare(a, other) == Order::equal) == (x == y));
  RC_ASSERT(compare(a, b) == (x.size() == b.count() ? Order::equal : Order::before));
  if (compare(a, b) == Order::before && compare(b, c) == Order::before) RC_ASSERT(compare(a, c) == Order::before);
}

RC_GTEST_PROP(GtidSetLaws, LargeIntervalsJoinAndSplit, ()) {
  const auto edge = [] { return *rc::gen::inRange<uint64_t>(1, GtidSet::kLastNumber); };
  GtidSet a;
  for (int i = 0; i < 5; ++i) {
    const uint64_t x = edge(), y = edge();
    a.add(nth(0).uuid, "", {std::min(x, y), std::max(x, y)});
  }
  const uint64_t at = edge();
  GtidSet one;
  one.add(nth(0).uuid, "", {at, at});
  RC_ASSERT(a.unite(one).contains(one));
  RC_ASSERT(!a.subtract(one).contains(one));
  RC_ASSERT(a.unite(one).count() == a.subtract(one).count() + 1);
  RC_ASSERT(*GtidSet::parse(a.to_string()) == a);
}

}  // namespace
}  // namespace holdfast::position

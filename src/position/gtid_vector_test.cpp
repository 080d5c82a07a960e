#include "position/gtid_vector.h"

#include <algorithm>

#include "tests/support/property.h"

namespace holdfast::position {
namespace {

GtidVector vector_of(std::string_view text) {
  auto vector = GtidVector::parse(text);
  EXPECT_TRUE(vector) << text << ": " << vector.error().to_string();
  return vector ? *vector : GtidVector{};
}

GtidState state_of(std::string_view text) {
  auto state = GtidState::parse(text);
  EXPECT_TRUE(state) << text << ": " << state.error().to_string();
  return state ? *state : GtidState{};
}

Order vectors(std::string_view a, std::string_view b) {
  return compare(vector_of(a), vector_of(b));
}

Order states(std::string_view a, std::string_view b) {
  return compare(state_of(a), state_of(b));
}

TEST(GtidVector, ParsesAndPrints) {
  EXPECT_EQ(vector_of("5-2-7, 0-1-100\n").to_string(), "0-1-100,5-2-7");
  EXPECT_EQ(vector_of("").to_string(), "");
  EXPECT_EQ(vector_of("0-1-0,1-1-5").to_string(), "1-1-5");
  EXPECT_EQ(vector_of("4294967295-4294967295-18446744073709551615").to_string(),
            "4294967295-4294967295-18446744073709551615");
}

TEST(GtidVector, SaysWhatIsWrongAndWhere) {
  EXPECT_EQ(GtidVector::parse("0-1-5,0-2-7").error().message,
            "GTID position: domain 0 comes twice at byte 6, before '0-2-7'");
  for (const char* text : {"0", "0-", "0-1", "0-1-", "0-1-5,", ",0-1-5", "0-1-5 0-1-6", "-1-5", "4294967296-1-1",
                           "0-4294967296-1", "0-1-18446744073709551616", "0-1-5;", "a-1-5", "'0-1-5'"}) {
    auto vector = GtidVector::parse(text);
    ASSERT_FALSE(vector) << text;
    EXPECT_EQ(vector.error().id, "position.invalid");
    EXPECT_NE(vector.error().message.find(" at byte "), std::string::npos) << vector.error().message;
  }
}

TEST(GtidVector, RulesV1ToV4) {
  EXPECT_EQ(vectors("0-1-5", "0-1-7"), Order::before);
  EXPECT_EQ(vectors("0-1-5", "0-1-5"), Order::equal);
  EXPECT_EQ(vectors("0-1-5", "0-2-5"), Order::diverged);
  EXPECT_EQ(vectors("0-1-5", "0-2-7"), Order::incomparable);
  EXPECT_EQ(vectors("", "0-1-5"), Order::before);
  EXPECT_EQ(vectors("0-1-5", "0-1-5,1-1-1"), Order::before);
  EXPECT_EQ(vectors("0-1-5,1-1-2", "0-1-6,1-1-1"), Order::diverged);
  EXPECT_EQ(vectors("0-1-5,1-1-2", "0-2-6,1-1-1"), Order::incomparable);
  EXPECT_EQ(vectors("0-1-5,1-1-2", "0-2-6,1-2-2"), Order::diverged);
  EXPECT_EQ(vectors("0-1-5", "1-1-5"), Order::diverged);
}

TEST(GtidState, ParsesAndPrintsTheLastOfADomainLast) {
  EXPECT_EQ(state_of("0-2-150,0-1-100").to_string(), "0-2-150,0-1-100");
  EXPECT_EQ(state_of("0-3-7,1-1-1,0-1-100,0-2-150").to_string(), "0-1-100,0-3-7,0-2-150,1-1-1");
  EXPECT_EQ(state_of("0-2-150,0-1-100").last().to_string(), "0-1-100");
  EXPECT_FALSE(GtidState::parse("0-1-5,0-1-6"));
  EXPECT_EQ(GtidState::from(vector_of("0-1-5,2-3-9")).to_string(), "0-1-5,2-3-9");
}

TEST(GtidState, RulesS1ToS3) {
  EXPECT_EQ(states("0-1-100", "0-1-100,0-2-150"), Order::before);
  EXPECT_EQ(states("0-1-100", "0-2-150"), Order::diverged) << "a higher number of another server proves nothing";
  EXPECT_EQ(states("0-1-120", "0-1-100,0-2-120"), Order::diverged) << "the old primary went on alone";
  EXPECT_EQ(states("0-1-100", "0-1-99,0-2-100"), Order::diverged) << "the same number twice";
  EXPECT_EQ(states("0-1-100,0-2-150", "0-2-150,0-1-100"), Order::equal);
  EXPECT_EQ(states("0-1-5,1-1-9", "0-1-5,1-1-10"), Order::before);
  EXPECT_EQ(states("0-1-6,1-1-9", "0-1-5,1-1-10"), Order::diverged);
  EXPECT_TRUE(state_of("0-1-100,0-2-150").contains(vector_of("0-1-100")));
  EXPECT_FALSE(state_of("0-1-100,0-2-150").contains(vector_of("0-3-90")));
}

TEST(GtidState, ListsWhatAnotherLacks) {
  const auto missing = state_of("0-1-100,0-2-150,3-3-4").missing_from(state_of("0-1-98,0-2-150"));
  ASSERT_EQ(missing.size(), 2U);
  EXPECT_EQ(missing[0], (MissingRange{0, 1, 98, 100}));
  EXPECT_EQ(missing[0].to_string(), "0-1-99..0-1-100");
  EXPECT_EQ(missing[1].to_string(), "3-3-1..3-3-4");
  EXPECT_EQ((MissingRange{0, 1, 4, 5}).to_string(), "0-1-5");
}

TEST(GtidState, RecordsAsABinaryLogDoes) {
  GtidState state;
  for (const char* text : {"0-1-1", "0-1-2", "0-2-3", "1-1-1", "0-1-4"}) state.record(*MariaGtid::parse(text));
  EXPECT_EQ(state.to_string(), "0-2-3,0-1-4,1-1-1");
}

MariaGtid any_gtid() {
  return {*rc::gen::inRange<uint32_t>(0, 3), *rc::gen::inRange<uint32_t>(1, 4), *rc::gen::inRange<uint64_t>(1, 6)};
}

GtidState any_state() {
  GtidState state;
  for (int n = *rc::gen::inRange(0, 8); n > 0; --n) state.record(any_gtid());
  return state;
}

GtidVector any_vector() {
  GtidVector vector;
  for (int n = *rc::gen::inRange(0, 4); n > 0; --n) vector.set(any_gtid());
  return vector;
}

RC_GTEST_PROP(GtidStateLaws, PrintedAndReadAgain, ()) {
  const GtidState state = any_state();
  RC_ASSERT(*GtidState::parse(state.to_string()) == state);
  const GtidVector vector = any_vector();
  RC_ASSERT(*GtidVector::parse(vector.to_string()) == vector);
}

RC_GTEST_PROP(GtidStateLaws, CompareIsAnOrder, ()) {
  const GtidState a = any_state(), b = any_state(), c = any_state();
  RC_ASSERT(compare(a, a) == Order::equal);
  RC_ASSERT(compare(a, b) == reversed(compare(b, a)));
  const auto within = [](const GtidState& x, const GtidState& y) {
    return compare(x, y) == Order::before || compare(x, y) == Order::equal;
  };
  if (within(a, b) && within(b, c)) RC_ASSERT(within(a, c));
  const GtidState ab = a.merge(b), abc = ab.merge(c);
  RC_ASSERT(within(a, ab) && within(b, ab) && within(a, abc) && within(ab, abc));
  RC_ASSERT(ab == b.merge(a));
  RC_ASSERT(a.merge(a) == a);
  RC_ASSERT(compare(abc, a.merge(b.merge(c))) == Order::equal);
}

// Two servers that hold all numbers of each entry: the most a state can stand for.
RC_GTEST_PROP(GtidStateLaws, AgreeWithListsOfTransactions, ()) {
  const GtidState a = any_state(), b = any_state();
  const auto holds = [](const GtidState& state, const MariaGtid& gtid) {
    return std::ranges::any_of(state.entries(), [&](const MariaGtid& entry) {
      return entry.domain == gtid.domain && entry.server == gtid.server && gtid.seq <= entry.seq;
    });
  };
  bool a_more = false, b_more = false;
  size_t missing = 0;
  for (uint32_t domain = 0; domain < 3; ++domain) {
    for (uint32_t server = 1; server < 4; ++server) {
      for (uint64_t seq = 1; seq < 6; ++seq) {
        const MariaGtid gtid{domain, server, seq};
        RC_ASSERT(a.contains(gtid) == holds(a, gtid));
        a_more |= holds(a, gtid) && !holds(b, gtid);
        b_more |= holds(b, gtid) && !holds(a, gtid);
        missing += holds(a, gtid) && !holds(b, gtid) ? 1 : 0;
      }
    }
  }
  RC_ASSERT(compare(a, b) == order_of(a_more, b_more));
  size_t listed = 0;
  for (const MissingRange& range : a.missing_from(b)) listed += range.up_to_seq - range.after_seq;
  RC_ASSERT(listed == missing);
}

RC_GTEST_PROP(GtidVectorLaws, CompareIsAnOrder, ()) {
  const GtidVector a = any_vector(), b = any_vector(), c = any_vector();
  RC_ASSERT(compare(a, a) == Order::equal);
  RC_ASSERT(compare(a, b) == reversed(compare(b, a)));
  RC_ASSERT((compare(a, b) == Order::equal) == (a == b));
  if (compare(a, b) == Order::before && compare(b, c) == Order::before) RC_ASSERT(compare(a, c) == Order::before);
  // A vector never claims more than the states of the same transactions do.
  if (compare(a, b) == Order::before) RC_ASSERT(compare(GtidState::from(a), GtidState::from(b)) == Order::before);
}

}  // namespace
}  // namespace holdfast::position

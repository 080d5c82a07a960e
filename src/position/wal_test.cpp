#include "position/wal.h"

#include <map>
#include <set>
#include <utility>

#include "tests/support/property.h"

namespace holdfast::position {
namespace {

WalPosition at(uint32_t timeline, uint64_t end, std::vector<std::pair<uint32_t, uint64_t>> history = {}) {
  WalPosition position;
  position.system_identifier = "7000";
  position.timeline = timeline;
  position.end = Lsn{end};
  for (const auto& [from, lsn] : history) position.history.entries.push_back({from, Lsn{lsn}, ""});
  return position;
}

WalPosition writer(WalPosition position, bool wrote = true) {
  position.wrote = wrote;
  return position;
}

/// Both ways round.
Order relation(const WalPosition& a, const WalPosition& b) {
  EXPECT_EQ(compare(a, b), reversed(compare(b, a)));
  return compare(a, b);
}

TEST(Lsn, ParsesPrintsAndSubtracts) {
  EXPECT_EQ(Lsn::parse("16/B374D848")->value, 0x16B374D848U);
  EXPECT_EQ(Lsn::parse("16/b374d848")->to_string(), "16/B374D848");
  EXPECT_EQ(Lsn::parse("0/0")->to_string(), "0/0");
  EXPECT_EQ(Lsn::parse("1/0000002A")->to_string(), "1/2A");
  EXPECT_EQ(*Lsn::parse("1/0") - *Lsn::parse("0/FFFFFFFF"), 1);
  EXPECT_EQ(*Lsn::parse("0/FFFFFFFF") - *Lsn::parse("1/0"), -1);
  EXPECT_EQ(Lsn{UINT64_MAX} - Lsn{0}, INT64_MAX);
  for (const char* text :
       {"", "/", "1", "1/", "/1", "1/2/3", "123456789/0", "1/123456789", "1/0 ", " 1/0", "g/0", "-1/0"}) {
    ASSERT_FALSE(Lsn::parse(text)) << text;
    EXPECT_EQ(Lsn::parse(text).error().id, "position.invalid");
  }
  EXPECT_EQ(Lsn::parse("1x").error().message, "log position: expected '/' at byte 1, before 'x'");
}

TEST(TimelineHistory, ReadsAFile) {
  const auto history = TimelineHistory::parse(
      "# written by hand\n\n1\t0/5000000\tno recovery target specified\n  2\t0/6000140\tbefore 2026-11-21\r\n\n");
  ASSERT_TRUE(history) << history.error().to_string();
  ASSERT_EQ(history->entries.size(), 2U);
  EXPECT_EQ(history->entries[1].timeline, 2U);
  EXPECT_EQ(history->entries[1].at.to_string(), "0/6000140");
  EXPECT_EQ(history->entries[1].reason, "before 2026-11-21");
  EXPECT_EQ(history->to_string(), "1\t0/5000000\tno recovery target specified\n2\t0/6000140\tbefore 2026-11-21\n");
  EXPECT_TRUE(TimelineHistory::parse("")->entries.empty());
  EXPECT_EQ(TimelineHistory::parse("1\t0/5000000")->entries.size(), 1U);
}

TEST(TimelineHistory, RefusesWhatIsNone) {
  for (const char* text : {"x", "1", "1\t", "1\n0/5", "1\t0/5000000 \n1\t0/6000000\n", "2\t0/5\n1\t0/6\n", "0\t0/5\n",
                           "1\t0/6\n2\t0/5\n", "1\t0/5x\n", "4294967296\t0/5\n", "1,0/5"}) {
    const auto history = TimelineHistory::parse(text);
    ASSERT_FALSE(history) << text;
    EXPECT_EQ(history.error().id, "position.invalid");
  }
  EXPECT_EQ(TimelineHistory::parse("1\t0/5\n1\t0/6\n").error().message,
            "timeline history: timelines must increase at byte 6, before '1?0/6?'");
}

TEST(WalPosition, OneTimeline) {
  EXPECT_EQ(relation(at(1, 100), at(1, 100)), Order::equal);
  EXPECT_EQ(relation(at(1, 90), at(1, 100)), Order::before);
}

TEST(WalPosition, RuleP1) {
  WalPosition other = at(1, 100);
  other.system_identifier = "7001";
  EXPECT_EQ(relation(at(1, 100), other), Order::incomparable);
  EXPECT_EQ(relation(at(2, 100), at(1, 50)), Order::incomparable) << "no history";
  EXPECT_EQ(relation(at(0, 100), at(1, 50)), Order::incomparable);
  EXPECT_EQ(relation(at(2, 300, {{1, 100}, {2, 200}}), at(1, 50)), Order::incomparable) << "leads elsewhere";
  EXPECT_EQ(relation(at(4, 300, {{2, 100}, {1, 200}}), at(1, 50)), Order::incomparable);
  EXPECT_EQ(relation(at(4, 300, {{1, 200}, {2, 100}}), at(1, 50)), Order::incomparable);
  EXPECT_FALSE(fork_of(at(1, 100), other));
}

TEST(WalPosition, AnOldPrimaryAndItsSuccessor) {
  const WalPosition promoted = at(2, 150, {{1, 100}});
  EXPECT_EQ(relation(at(1, 90), promoted), Order::before);
  EXPECT_EQ(relation(at(1, 100), promoted), Order::before);
  EXPECT_EQ(relation(at(1, 101), promoted), Order::diverged) << "its log goes on past the fork";
  EXPECT_EQ(*fork_of(at(1, 101), promoted), (WalPoint{1, Lsn{100}}));
  EXPECT_EQ(path_after_fork(promoted, at(1, 101)), (std::vector<WalPoint>{{2, Lsn{150}}}));
  EXPECT_EQ(path_after_fork(at(1, 101), promoted), (std::vector<WalPoint>{{1, Lsn{101}}}));
}

TEST(WalPosition, JustPromotedHasNothingOfItsOwn) {
  EXPECT_EQ(relation(at(2, 100, {{1, 100}}), at(1, 120)), Order::before);
  EXPECT_EQ(relation(at(2, 100, {{1, 100}}), at(1, 100)), Order::equal);
  EXPECT_EQ(relation(at(2, 80, {{1, 100}}), at(1, 90)), Order::before) << "has not come to the fork yet";
  EXPECT_EQ(relation(at(2, 100, {{1, 100}}), at(3, 100, {{1, 100}})), Order::equal);
}

TEST(WalPosition, TwoPromotions) {
  EXPECT_EQ(relation(at(2, 150, {{1, 100}}), at(2, 150, {{1, 110}})), Order::diverged) << "the same number twice";
  EXPECT_EQ(relation(at(2, 150, {{1, 100}}), at(3, 150, {{1, 100}})), Order::diverged);
  EXPECT_EQ(relation(at(3, 150, {{1, 100}, {2, 120}}), at(2, 120, {{1, 100}})), Order::after);
  EXPECT_EQ(relation(at(3, 150, {{1, 100}, {2, 120}}), at(2, 121, {{1, 100}})), Order::diverged);
  EXPECT_EQ(relation(at(3, 150, {{1, 100}, {2, 100}}), at(3, 150, {{1, 100}})), Order::diverged);
  EXPECT_EQ(*fork_of(at(2, 150, {{1, 100}}), at(3, 150, {{1, 110}})), (WalPoint{1, Lsn{100}}));
  EXPECT_EQ(*fork_of(at(2, 150, {{1, 100}}), at(3, 150, {{1, 100}})), (WalPoint{1, Lsn{100}}));
}

TEST(WalPosition, RulesP4AndP5) {
  const WalPosition a = at(2, 150, {{1, 100}}), b = at(2, 170, {{1, 100}});
  EXPECT_EQ(relation(a, b), Order::before);
  EXPECT_EQ(relation(writer(a), writer(b)), Order::incomparable) << "promoted twice at one point";
  EXPECT_EQ(relation(writer(a), writer(b, false)), Order::incomparable) << "a writer behind its follower";
  EXPECT_EQ(relation(writer(a, false), writer(b)), Order::before);
  EXPECT_EQ(relation(writer(at(1, 90)), a), Order::incomparable) << "an older copy of the primary";
  EXPECT_EQ(relation(writer(at(1, 100)), a), Order::before) << "stopped cleanly, then its replica promoted";
  EXPECT_EQ(relation(writer(at(1, 110)), a), Order::diverged);
}

TEST(WalPosition, RuleP6) {
  WalPosition torn = at(1, 100);
  torn.minimum_recovery = Lsn{120};
  EXPECT_EQ(relation(torn, at(1, 130)), Order::before);
  EXPECT_EQ(relation(torn, at(1, 120)), Order::before);
  EXPECT_EQ(relation(torn, at(1, 110)), Order::incomparable);
  EXPECT_EQ(relation(torn, at(1, 90)), Order::incomparable);
  EXPECT_EQ(relation(torn, at(2, 150, {{1, 110}})), Order::diverged);
  EXPECT_EQ(relation(torn, torn), Order::equal);
  torn.minimum_recovery = Lsn{90};
  EXPECT_EQ(relation(torn, at(1, 100)), Order::equal) << "reached";
}

// Every position of a small tree of timelines, against the set of bytes each holds.
struct Tree {
  std::map<uint32_t, std::pair<uint32_t, uint64_t>> parents;  ///< timeline -> parent, fork

  WalPosition position(uint32_t timeline, uint64_t end) const {
    std::vector<std::pair<uint32_t, uint64_t>> history;
    for (uint32_t t = timeline; parents.contains(t); t = parents.at(t).first)
      history.insert(history.begin(), {parents.at(t).first, parents.at(t).second});
    return at(timeline, end, history);
  }
  static std::set<std::pair<uint32_t, uint64_t>> bytes(const WalPosition& position) {
    std::set<std::pair<uint32_t, uint64_t>> result;
    uint64_t byte = 0;
    for (const auto& entry : position.history.entries)
      for (; byte < entry.at.value && byte < position.end.value; ++byte) result.insert({entry.timeline, byte});
    for (; byte < position.end.value; ++byte) result.insert({position.timeline, byte});
    return result;
  }
};

Tree any_tree() {
  Tree tree;
  for (uint32_t timeline = 2; timeline < 6; ++timeline) {
    const auto parent = *rc::gen::inRange<uint32_t>(1, timeline);
    const uint64_t from = tree.parents.contains(parent) ? tree.parents.at(parent).second : 1;
    tree.parents[timeline] = {parent, *rc::gen::inRange<uint64_t>(from, from + 5)};
  }
  return tree;
}

WalPosition any_position(const Tree& tree) {
  return tree.position(*rc::gen::inRange<uint32_t>(1, 6), *rc::gen::inRange<uint64_t>(1, 20));
}

RC_GTEST_PROP(WalPositionLaws, AgreeWithTheBytesHeld, ()) {
  const Tree tree = any_tree();
  const WalPosition a = any_position(tree), b = any_position(tree);
  const auto x = Tree::bytes(a), y = Tree::bytes(b);
  const bool a_more = !std::includes(y.begin(), y.end(), x.begin(), x.end());
  const bool b_more = !std::includes(x.begin(), x.end(), y.begin(), y.end());
  RC_ASSERT(compare(a, b) == order_of(a_more, b_more));
  RC_ASSERT(path_after_fork(a, b).empty() == !a_more);
  // What both hold is what was written up to the fork.
  const auto fork = fork_of(a, b);
  size_t common = 0;
  for (const auto& byte : x) common += y.contains(byte) ? 1 : 0;
  RC_ASSERT((fork ? fork->at.value : 0) == common);
}

RC_GTEST_PROP(WalPositionLaws, CompareIsAnOrder, ()) {
  const Tree tree = any_tree();
  WalPosition a = any_position(tree), b = any_position(tree), c = any_position(tree);
  RC_ASSERT(compare(a, a) == Order::equal);
  RC_ASSERT(compare(a, b) == reversed(compare(b, a)));
  if (compare(a, b) == Order::before && compare(b, c) == Order::before) RC_ASSERT(compare(a, c) == Order::before);
  for (WalPosition* position : {&a, &b}) {
    if (*rc::gen::arbitrary<bool>()) position->wrote = *rc::gen::arbitrary<bool>();
    if (*rc::gen::arbitrary<bool>()) position->minimum_recovery = Lsn{*rc::gen::inRange<uint64_t>(1, 24)};
  }
  RC_ASSERT(compare(a, b) == reversed(compare(b, a)));
}

RC_GTEST_PROP(WalPositionLaws, PrintedAndReadAgain, ()) {
  const Lsn lsn{*rc::gen::arbitrary<uint64_t>()};
  RC_ASSERT(*Lsn::parse(lsn.to_string()) == lsn);
  const TimelineHistory history = any_position(any_tree()).history;
  RC_ASSERT(*TimelineHistory::parse(history.to_string()) == history);
}

}  // namespace
}  // namespace holdfast::position

#include "position/galera.h"

#include "tests/support/property.h"

namespace holdfast::position {
namespace {

constexpr std::string_view kUuid = "37bb872a-ad73-11e6-819f-f3b71d9c5ada";

GaleraPosition at(int64_t seqno, GaleraSource source = GaleraSource::live, std::string_view uuid = kUuid) {
  return {*Uuid::parse(uuid), seqno, source};
}

TEST(GaleraPosition, ParsesAndPrints) {
  const auto position =
      GaleraPosition::parse(" 37BB872A-ad73-11e6-819f-f3b71d9c5ada:345628\n", GaleraSource::recovered);
  ASSERT_TRUE(position) << position.error().to_string();
  EXPECT_EQ(position->to_string(), "37bb872a-ad73-11e6-819f-f3b71d9c5ada:345628");
  EXPECT_EQ(GaleraPosition::parse("00000000-0000-0000-0000-000000000000:-1", GaleraSource::grastate)->seqno, -1);
  const std::string uuid(kUuid);
  for (const std::string& text :
       {std::string(), uuid, uuid + ":", uuid + ":-2", uuid + ":--1", uuid + ":9223372036854775808", uuid + ":5,0-1-5",
        uuid + " :5", uuid.substr(1) + ":5", uuid + ":5x"}) {
    const auto wrong = GaleraPosition::parse(text, GaleraSource::log);
    ASSERT_FALSE(wrong) << text;
    EXPECT_EQ(wrong.error().id, "position.invalid");
  }
}

TEST(GaleraPosition, ProofAndHints) {
  for (const auto source : {GaleraSource::live, GaleraSource::grastate, GaleraSource::recovered})
    EXPECT_TRUE(at(5, source).proves()) << galera_source_name(source);
  for (const auto source : {GaleraSource::gcache, GaleraSource::log})
    EXPECT_FALSE(at(5, source).proves()) << galera_source_name(source);
  EXPECT_FALSE(at(-1, GaleraSource::grastate).proves()) << "it was running when it stopped";
  EXPECT_FALSE(at(5, GaleraSource::grastate, "00000000-0000-0000-0000-000000000000").proves());
  EXPECT_TRUE(at(0).proves());
}

TEST(GaleraPosition, ComparesWithinOneUuid) {
  EXPECT_EQ(compare(at(5), at(7)), Order::before);
  EXPECT_EQ(compare(at(7), at(7, GaleraSource::log)), Order::equal);
  EXPECT_EQ(compare(at(5), at(7, GaleraSource::live, "47bb872a-ad73-11e6-819f-f3b71d9c5ada")), Order::incomparable);
  EXPECT_EQ(compare(at(5), at(-1)), Order::incomparable);
  EXPECT_EQ(compare(at(-1), at(-1)), Order::incomparable);
}

RC_GTEST_PROP(GaleraPositionLaws, CompareIsAnOrder, ()) {
  const auto any = [] {
    return at(*rc::gen::inRange<int64_t>(-1, 6), GaleraSource::live,
              *rc::gen::element(std::string(kUuid), std::string("00000000-0000-0000-0000-000000000001"),
                                std::string("00000000-0000-0000-0000-000000000000")));
  };
  const GaleraPosition a = any(), b = any(), c = any();
  RC_ASSERT(compare(a, b) == reversed(compare(b, a)));
  if (compare(a, b) == Order::before && compare(b, c) == Order::before) RC_ASSERT(compare(a, c) == Order::before);
  RC_ASSERT((compare(a, a) == Order::equal) == a.defined());
  RC_ASSERT(*GaleraPosition::parse(a.to_string(), a.source) == a);
}

}  // namespace
}  // namespace holdfast::position

// What is said of each step while an operation runs.
#include "cli/steward_observer.h"

#include <gtest/gtest.h>

namespace holdfast::cli {
namespace {

using codec::Value;

std::string shown(const Value& result) {
  std::string text;
  const auto take = [&](std::string_view part) { text += part; };
  Output out(Streams{.out = take, .err = take}, {}, "repair");
  const operation::Step step{.id = "dump-m1", .proof = "it was read back"};
  StewardObserver(out, false)
      .step_event({.operation = "op", .type = operation::RecordType::step_done, .step = &step, .result = &result});
  return text;
}

TEST(StepsShown, OnlyWhatWasProvedIsSaidToBe) {
  EXPECT_NE(shown(Value::object({{"snapshot", "1a"}})).find("proved: it was read back"), std::string::npos);
  const std::string text = shown(Value::object({{"unproven", "no dump is kept: it hung"}}));
  EXPECT_EQ(text.find("read back"), std::string::npos) << text;
  EXPECT_NE(text.find("not verified: no dump is kept: it hung"), std::string::npos) << text;
  const std::string half = shown(Value::object({{"remark", "half of its pages were read"}}));
  EXPECT_NE(half.find("proved: it was read back"), std::string::npos) << half;
  EXPECT_NE(half.find("but: half of its pages were read"), std::string::npos) << half;
}

}  // namespace
}  // namespace holdfast::cli

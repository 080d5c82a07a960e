// The printed report never contradicts itself: no mark of health beside a member that an error names.
#include "cli/triage_view.h"

#include <gtest/gtest.h>

#include "tests/support/triage_world.h"

namespace holdfast::cli {
namespace {

using cluster::Engine;
using cluster::test::healthy;

std::string printed(const cluster::TriageReport& report) {
  std::string text;
  const auto take = [&](std::string_view part) { text += part; };
  Output out(Streams{.out = take, .err = take}, {}, "triage");
  print_triage(out, report, false);
  (void)out.finish({});
  return text;
}

std::string line_of(const std::string& text, const std::string& member) {
  const size_t at = text.find(member + " ", text.find("contents were"));
  if (at == std::string::npos) return {};
  const size_t begin = text.rfind('\n', at) + 1;
  return text.substr(begin, text.find('\n', at) - begin);
}

TEST(TriageView, AMemberThatAnErrorNamesHasNoMarkOfHealth) {
  auto w = healthy(Engine::galera);
  w[0].galera->size = 4;  // somebody joined whom nobody has described
  const auto report = w.report();
  ASSERT_TRUE(report.has("galera-size-mismatch"));
  ASSERT_FALSE(report.healthy);
  const std::string text = printed(report), line = line_of(text, "m0");
  EXPECT_NE(line.find("!"), std::string::npos) << text;
  EXPECT_NE(line.find("see galera-size-mismatch"), std::string::npos) << text;
  EXPECT_EQ(line.find("✓"), std::string::npos) << text;
  EXPECT_NE(line_of(text, "m1").find("✓"), std::string::npos) << text;
}

TEST(TriageView, HealthyMembersHaveTheirMark) {
  const std::string text = printed(healthy(Engine::mariadb).report());
  for (const char* member : {"m0", "m1", "m2"}) EXPECT_NE(line_of(text, member).find("✓"), std::string::npos) << text;
}

}  // namespace
}  // namespace holdfast::cli

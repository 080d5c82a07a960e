#include "cli/runbook.h"

#include <gtest/gtest.h>

#include <sstream>

#include "cli/parser.h"
#include "cluster/triage.h"

namespace holdfast::cli {
namespace {

TEST(Runbook, EveryDiagnosisHasAPageWithItsSections) {
  for (const auto& rule : cluster::all_rules()) {
    const std::string page(runbook_page(rule.id));
    ASSERT_FALSE(page.empty()) << rule.id;
    EXPECT_TRUE(page.starts_with("# " + std::string(rule.id) + "\n")) << rule.id;
    for (const char* section :
         {"What it means", "How it is found", "What is at risk", "Do this", "Do not", "Where it comes from"})
      EXPECT_NE(page.find(std::string("\n## ") + section + "\n"), std::string::npos) << rule.id << ": " << section;
  }
}

TEST(Runbook, TheIndexNamesEveryPage) {
  const std::string index(runbook_page("README"));
  for (const auto& rule : cluster::all_rules())
    EXPECT_NE(index.find("[`" + std::string(rule.id) + "`]"), std::string::npos) << rule.id;
}

/// Commands between backticks: at 03:00 they are copied, not read.
TEST(Runbook, CommandsOnThePagesAreOurs) {
  const Environment no_environment{std::map<std::string, std::string, std::less<>>{}};
  size_t commands = 0;
  for (const auto& rule : cluster::all_rules()) {
    const std::string page(runbook_page(rule.id));
    const std::string mark = "`holdfast ";
    for (size_t at = page.find(mark); at != std::string::npos; at = page.find(mark, at + 1)) {
      const size_t end = page.find('`', at + 1);
      std::istringstream words(page.substr(at + mark.size(), end - at - mark.size()));
      std::vector<std::string> args;
      for (std::string word; words >> word;) {
        if (word == "N") word = "1";  // placeholder of an ordinal
        if (word.find('|') == std::string::npos) args.push_back(word);
      }
      if (args.empty()) continue;
      auto parsed = parse(args, no_environment);
      EXPECT_TRUE(parsed) << rule.id << ": holdfast " << page.substr(at + mark.size(), end - at - mark.size()) << ": "
                          << (parsed ? "" : parsed.error().message);
      ++commands;
    }
  }
  EXPECT_GT(commands, 100u);
}

}  // namespace
}  // namespace holdfast::cli

#include "tests/integration/remedy.h"

#include <fmt/format.h>

#include <algorithm>
#include <sstream>

#include "cli/parser.h"

namespace holdfast::test {

std::string first_command(const std::string& remedy) {
  const std::string mark = "holdfast ";
  const size_t at = remedy.find(mark);
  if (at == std::string::npos) return {};
  size_t end = remedy.size();
  for (const char* after : {", ", "; ", " (", ") ", ")", " on ", " shows ", " again ", " or "})
    end = std::min(end, remedy.find(after, at));
  return remedy.substr(at + mark.size(), end - at - mark.size());
}

std::string wrong_remedies(const codec::Value& data) {
  const cli::Environment no_environment{std::map<std::string, std::string, std::less<>>{}};
  std::string wrong;
  for (const auto& d : data["diagnoses"].items()) {
    if (d["severity"].text() == "info") continue;
    std::istringstream text(first_command(d["remedy"].text()));
    std::vector<std::string> words;
    for (std::string word; text >> word;) words.push_back(word == "N" ? "1" : word);
    if (words.empty()) {
      wrong += fmt::format("{} names no command: {}\n", d["id"].text(), d["remedy"].text());
      continue;
    }
    const auto parsed = cli::parse(words, no_environment);
    if (!parsed) wrong += fmt::format("{}: {}: {}\n", d["id"].text(), d["remedy"].text(), parsed.error().message);
  }
  return wrong;
}

}  // namespace holdfast::test

#include "cli/verbs.h"

#include <map>

namespace holdfast::cli {

Verb find_verb(std::string_view path) {
  static const std::map<std::string_view, Verb> verbs = {
      {"completion", run_completion},
      {"docs", run_docs},
      {"help", run_help},
      {"version", run_version},
  };
  auto found = verbs.find(path);
  return found == verbs.end() ? nullptr : found->second;
}

}  // namespace holdfast::cli

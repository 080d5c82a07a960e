#include "cli/verbs.h"

#include <map>

namespace holdfast::cli {

Verb find_verb(std::string_view path) {
  static const std::map<std::string_view, Verb> verbs = {
      {"backup", run_backup},
      {"agent", run_agent},
      {"check", run_check},
      {"completion", run_completion},
      {"docs", run_docs},
      {"get status", run_get_status},
      {"dump", run_dump},
      {"get snapshots", run_get_snapshots},
      {"help", run_help},
      {"repo init", run_repo_init},
      {"restore", run_restore},
      {"lab down", run_lab_down},
      {"lab status", run_lab_status},
      {"lab up", run_lab_up},
      {"version", run_version},
  };
  auto found = verbs.find(path);
  return found == verbs.end() ? nullptr : found->second;
}

}  // namespace holdfast::cli

#include "cli/verbs.h"

#include <map>

namespace holdfast::cli {

Verb find_verb(std::string_view path) {
  static const std::map<std::string_view, Verb> verbs = {
      {"backup", run_backup},
      {"agent", run_agent},
      {"agent adopt", run_agent_adopt},
      {"agent release", run_agent_release},
      {"check", run_check},
      {"cluster accounts", run_cluster_accounts},
      {"cluster discover", run_cluster_discover},
      {"compare", run_compare},
      {"completion", run_completion},
      {"docs", run_docs},
      {"get status", run_get_status},
      {"triage", run_triage},
      {"repair", run_repair},
      {"bootstrap", run_bootstrap},
      {"inspect", run_inspect},
      {"explain", run_explain},
      {"dump", run_dump},
      {"get snapshots", run_get_snapshots},
      {"help", run_help},
      {"prune", run_prune},
      {"repo copy", run_repo_copy},
      {"repo init", run_repo_init},
      {"lab break", run_lab_break},
      {"restore", run_restore},
      {"lab down", run_lab_down},
      {"lab heal", run_lab_heal},
      {"lab load", run_lab_load},
      {"lab manifest", run_lab_manifest},
      {"lab status", run_lab_status},
      {"lab up", run_lab_up},
      {"lab wire", run_lab_wire},
      {"repo key add", run_repo_key_add},
      {"repo key list", run_repo_key_list},
      {"repo key remove", run_repo_key_remove},
      {"repo repair-index", run_repo_repair_index},
      {"repo stats", run_repo_stats},
      {"repo unlock", run_repo_unlock},
      {"export", run_export},
      {"get backups", run_get_backups},
      {"get policies", run_get_policies},
      {"get repositories", run_get_repositories},
      {"operations abandon", run_operations_abandon},
      {"operations list", run_operations_list},
      {"operations resume", run_operations_resume},
      {"operations show", run_operations_show},
      {"operations undo", run_operations_undo},
      {"pki init", run_pki_init},
      {"pki issue", run_pki_issue},
      {"pki show", run_pki_show},
      {"version", run_version},
  };
  auto found = verbs.find(path);
  return found == verbs.end() ? nullptr : found->second;
}

}  // namespace holdfast::cli

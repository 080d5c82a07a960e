// The functions behind the commands, one file each. A command of the table that has no function here is unknown to
// users.
#pragma once

#include <string_view>

#include "cli/context.h"

namespace holdfast::cli {

using Verb = Exit (*)(Context&);

Verb find_verb(std::string_view path);
inline bool has_verb(std::string_view path) {
  return find_verb(path) != nullptr;
}

Exit run_backup(Context&);
Exit run_agent(Context&);
Exit run_agent_adopt(Context&);
Exit run_agent_release(Context&);
Exit run_check(Context&);
Exit run_cluster_accounts(Context&);
Exit run_cluster_discover(Context&);
Exit run_compare(Context&);
Exit run_completion(Context&);
Exit run_docs(Context&);
Exit run_get_status(Context&);
Exit run_triage(Context&);
Exit run_repair(Context&);
Exit run_bootstrap(Context&);
Exit run_inspect(Context&);
Exit run_explain(Context&);
Exit run_dump(Context&);
Exit run_get_snapshots(Context&);
Exit run_help(Context&);
Exit run_prune(Context&);
Exit run_repo_copy(Context&);
Exit run_repo_init(Context&);
Exit run_lab_break(Context&);
Exit run_restore(Context&);
Exit run_lab_down(Context&);
Exit run_lab_heal(Context&);
Exit run_lab_load(Context&);
Exit run_lab_manifest(Context&);
Exit run_lab_status(Context&);
Exit run_lab_up(Context&);
Exit run_lab_wire(Context&);
Exit run_repo_key_add(Context&);
Exit run_repo_key_list(Context&);
Exit run_repo_key_remove(Context&);
Exit run_repo_repair_index(Context&);
Exit run_repo_stats(Context&);
Exit run_repo_unlock(Context&);
Exit run_export(Context&);
Exit run_get_backups(Context&);
Exit run_get_policies(Context&);
Exit run_get_repositories(Context&);
Exit run_operations_abandon(Context&);
Exit run_operations_list(Context&);
Exit run_operations_resume(Context&);
Exit run_operations_show(Context&);
Exit run_operations_undo(Context&);
Exit run_pki_init(Context&);
Exit run_pki_issue(Context&);
Exit run_pki_show(Context&);
Exit run_version(Context&);

/// `restore` with a cluster.
Exit restore_cluster(Context&);
Exit restore_over_sql(Context&);
Exit restore_member(Context&);

}  // namespace holdfast::cli

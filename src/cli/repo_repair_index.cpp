// holdfast repo repair-index.
#include <fmt/format.h>

#include "cli/progress.h"
#include "cli/repository_session.h"
#include "cli/verbs.h"
#include "repo/repair_index.h"

namespace holdfast::cli {

Exit run_repo_repair_index(Context& context) {
  const bool dry_run = context.options.flag("dry-run");
  RepositoryAccess access = TRY(repository_access(context));
  access.no_cache = true;  // what counts is what the store holds
  RepositorySession session = TRY(open_repository(context, access, dry_run ? LockNeed::shared : LockNeed::exclusive));
  repo::Repository& repository = *session.repository;
  repo::RepairReport report;
  {
    Progress progress(context.out, "reading pack headers");
    report = TRY(repo::repair_index(repository, context.options.flag("read-all-packs"), dry_run, context.stop));
  }
  for (const std::string& pack : report.unreadable) {
    context.out.add_error({ErrorClass::verification_failed, "repo.repair.pack", pack, "", {}});
  }
  context.out.set_data(codec::Value::object({{"repository", repository.store().location()},
                                             {"packs", report.packs},
                                             {"headers_read", report.headers_read},
                                             {"packs_added", report.packs_added},
                                             {"packs_missing", report.packs_missing},
                                             {"packs_unreadable", report.unreadable.size()},
                                             {"indexes_removed", report.indexes_removed},
                                             {"indexes_written", report.indexes_written},
                                             {"dryRun", dry_run}}));
  context.out.line(fmt::format("{} packs: {} {} the index, {} missing ones {} it; {} headers read", report.packs,
                               report.packs_added, dry_run ? "would join" : "joined", report.packs_missing,
                               dry_run ? "would leave" : "left", report.headers_read));
  if (report.packs_missing > 0)
    context.out.warning("repo.repair.missing",
                        fmt::format("{} packs of the index are not in the repository: what no other pack holds is lost "
                                    "unless they come back; holdfast check names the snapshots' damage",
                                    report.packs_missing));
  if (report.unreadable.empty()) return {};
  return fail(
      ErrorClass::verification_failed, "repo.repair.unreadable",
      fmt::format("{} packs cannot be read and are not in the index; what they held is lost unless another copy exists",
                  report.unreadable.size()),
      "bring the packs back from a copy of the repository and run it again; holdfast check names the snapshots' "
      "damage");
}

}  // namespace holdfast::cli

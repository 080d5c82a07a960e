// holdfast repo unlock.
#include <fmt/format.h>

#include "cli/repository_session.h"
#include "cli/verbs.h"
#include "repo/environment.h"

namespace holdfast::cli {

Exit run_repo_unlock(Context& context) {
  const bool all = context.options.flag("remove-all");
  RepositorySession session = TRY(open_repository(context, LockNeed::none));
  repo::Repository& repository = *session.repository;
  if (context.options.flag("dry-run")) {
    size_t count = 0;
    for (const repo::HeldLock& lock : TRY(repo::list_locks(repository))) {
      count += all || (lock.readable && repo::is_stale(lock.file, repo::now()));
    }
    context.out.line(fmt::format("would remove {} locks", count));
    return {};
  }
  const size_t removed = TRY(repo::remove_locks(repository, all));
  const auto left = TRY(repo::list_locks(repository));
  context.out.set_data(codec::Value::object({{"removed", removed}, {"left", left.size()}}));
  context.out.line(fmt::format("removed {} locks", removed));
  if (!left.empty()) {
    context.out.note(fmt::format(
        "{} locks are not stale and stay; --remove-all removes them too, if their owners are gone", left.size()));
  }
  return {};
}

}  // namespace holdfast::cli

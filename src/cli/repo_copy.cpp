// holdfast repo copy.
#include <fmt/format.h>

#include "base/units.h"
#include "cli/progress.h"
#include "cli/repository_session.h"
#include "cli/snapshot_view.h"
#include "cli/verbs.h"
#include "repo/copy.h"

namespace holdfast::cli {

Exit run_repo_copy(Context& context) {
  using codec::Value;
  const RepositoryAccess from = TRY(source_repository_access(context));
  const RepositoryAccess to = TRY(repository_access(context));
  RepositorySession source = TRY(open_repository(context, from, LockNeed::shared));
  RepositorySession destination =
      TRY(open_repository(context, to, context.options.flag("dry-run") ? LockNeed::shared : LockNeed::publish));
  if (source.repository->config().id == destination.repository->config().id) {
    return fail(ErrorClass::usage, "repo.copy.same", "source and destination are the same repository",
                "name two with --from-repo and -r");
  }
  const auto filter = snapshot_filter(context.options);
  std::vector<repo::Snapshot> snapshots;
  if (context.options.positionals().empty()) {
    snapshots = TRY(source.repository->load_snapshots());
    std::erase_if(snapshots, [&](const repo::Snapshot& snapshot) { return !filter(snapshot); });
  } else {
    for (const auto& name : context.options.positionals()) {
      snapshots.push_back(TRY(source.repository->find_snapshot(name, filter)));
    }
  }
  if (context.options.flag("dry-run")) {
    context.out.line(fmt::format("would copy up to {} snapshots", snapshots.size()));
    return {};
  }
  TRY_VOID(source.repository->load_index());
  TRY_VOID(destination.repository->load_index());
  const auto still_locked = [&]() -> Status {
    TRY_VOID(source.confirm());
    return destination.confirm();
  };
  Progress progress(context.out, "copying");
  const auto copied_or_not = repo::copy_snapshots(
      *source.repository, *destination.repository, snapshots, {}, [&](uint64_t total) { progress.set_total(total); },
      [&](uint64_t bytes) { progress.add_bytes(bytes); }, still_locked, destination.stop());
  if (!copied_or_not) return destination.explain(fail(copied_or_not.error()));
  const repo::CopyReport& report = *copied_or_not;
  Value::List copied, skipped;
  for (const auto& snapshot : report.copied) copied.push_back(snapshot_value(snapshot));
  for (const auto& snapshot : report.skipped) skipped.push_back(Value(snapshot.id.hex()));
  context.out.set_data(Value::object({{"source", source.repository->store().location()},
                                      {"repository", destination.repository->store().location()},
                                      {"copied", Value(std::move(copied))},
                                      {"skipped", Value(std::move(skipped))},
                                      {"blobs", report.blobs},
                                      {"bytes", report.bytes},
                                      {"bytes_stored", report.bytes_stored}}));
  for (const auto& snapshot : report.copied) {
    context.out.line(
        fmt::format("snapshot {} saved, copied from {}", snapshot.id.short_hex(), snapshot.original->short_hex()));
  }
  context.out.line(fmt::format("{} snapshots copied, {} were there already; {} sent, {} stored", report.copied.size(),
                               report.skipped.size(), human_size(report.bytes), human_size(report.bytes_stored)));
  return {};
}

}  // namespace holdfast::cli

// holdfast dump: one file of a snapshot to standard output.
#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>

#include "cli/progress.h"
#include "cli/repository_session.h"
#include "cli/snapshot_view.h"
#include "cli/verbs.h"
#include "repo/dump.h"
#include "repo/tree_access.h"
#include "sys/file.h"

namespace holdfast::cli {

Exit run_dump(Context& context) {
  const auto& names = context.options.positionals();
  RepositorySession session = TRY(open_repository(context, LockNeed::shared));
  repo::Repository& repository = *session.repository;
  const repo::Snapshot snapshot = TRY(repository.find_snapshot(names[0], snapshot_filter(context.options)));
  TRY_VOID(repository.load_index());
  repo::Codec codec(repository.master_key());
  const auto node = TRY(repo::find_node(repository, snapshot.tree, names[1], codec));
  if (!node || node->type != repo::NodeType::file) {
    return fail(ErrorClass::refused, "repo.path.not_found",
                fmt::format("snapshot {} holds no file {}", snapshot.id.short_hex(), names[1]),
                fmt::format("holdfast get snapshots {} -r {}", snapshot.id.short_hex(), repository.store().location()));
  }
  // A consumer that is slow to wake gets fewer, larger wake-ups. In a larger pipe the two sides meet more often, and
  // one spins for the pipe's lock while the other copies: 8 % of all processor time at 1 MiB. Fails harmlessly where
  // stdout is no pipe.
  (void)::fcntl(STDOUT_FILENO, F_SETPIPE_SZ, 256 << 10);
  Progress progress(context.out, "dumping " + names[1]);
  progress.set_total(node->size);
  const auto write = [&](ByteSpan bytes) -> Status {
    progress.add_bytes(bytes.size());
    return sys::write_all(STDOUT_FILENO, bytes).context("writing to standard output");
  };
  TRY_VOID(repo::dump_blobs(repository, node->content, write, {}, context.stop));
  context.out.set_data(
      codec::Value::object({{"snapshot", snapshot.id.hex()}, {"path", names[1]}, {"bytes", progress.bytes()}}));
  return {};
}

}  // namespace holdfast::cli

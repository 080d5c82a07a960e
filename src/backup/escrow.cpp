#include "backup/escrow.h"

#include <fmt/format.h>

#include <filesystem>
#include <mutex>

#include "repo/dump.h"
#include "repo/environment.h"
#include "repo/reference_walk.h"
#include "repo/stream_backup.h"

namespace holdfast::backup {

namespace {

/// A link to a directory (pg_wal on a disk of its own, a tablespace) would be kept as a link, without what it leads to.
Status refuse_data_elsewhere(const std::string& folder) {
  namespace fs = std::filesystem;
  std::error_code error, ignored;
  for (fs::recursive_directory_iterator it(folder, error), end; !error && it != end; it.increment(error))
    if (it->is_symlink(ignored) && fs::is_directory(it->path(), ignored))
      return fail(ErrorClass::refused, "escrow.data_elsewhere",
                  it->path().string() + " leads out of the data directory: a copy would lack what is there",
                  "keep a copy of it yourself, then repair with --no-escrow (the old directory stays)");
  if (error)
    return fail(ErrorClass::failed, "escrow.incomplete", fmt::format("{}: {}", folder, error.message()),
                "run as a user that may read it; nothing is replaced without a whole copy");
  return {};
}

}  // namespace

repo::Timestamp time_of_job(const std::string& job) {
  // "20261122T003000Z-0fa3c"
  if (job.size() >= 16 && job[8] == 'T' && job[15] == 'Z') {
    const std::string text = fmt::format("{}-{}-{}T{}:{}:{}Z", job.substr(0, 4), job.substr(4, 2), job.substr(6, 2),
                                         job.substr(9, 2), job.substr(11, 2), job.substr(13, 2));
    if (const auto time = repo::Timestamp::parse(text)) return *time;
  }
  return repo::now();
}

namespace {

repo::SnapshotOptions snapshot_options(const EscrowRequest& request) {
  repo::SnapshotOptions snapshot;
  snapshot.time = time_of_job(request.job);
  snapshot.program_version = request.program_version;
  snapshot.tags = {fmt::format("engine={}", cluster::engine_name(request.cluster.engine)),
                   "cluster=" + request.cluster.name.str(),
                   "namespace=" + request.cluster.ns,
                   "type=escrow",
                   "member=" + request.member,
                   "job=" + request.job};
  if (const auto* member = request.cluster.find(request.member))
    snapshot.tags.push_back(fmt::format("instance={}", member->ordinal));
  return snapshot;
}

}  // namespace

Result<EscrowReport> take_escrow(repo::Repository& repository, const EscrowRequest& request, TreeSource& source,
                                 repo::TreeBackupProgress& progress, const std::function<Status()>& may_commit,
                                 std::stop_token stop) {
  const std::string what = "keeping a copy of " + request.member;
  repo::StreamBackup backup(repository, {}, snapshot_options(request), stop);
  while (auto entry = TRY(source.next().context(what))) {
    const std::string path = entry->path.empty() ? request.folder : request.folder + "/" + entry->path;
    if (entry->node.type == repo::NodeType::file) {
      TRY(backup.add_file(path, std::move(entry->node), source.content(), &progress.bytes).context(what));
      ++progress.files;
    } else {
      TRY_VOID(backup.add_entry(path, std::move(entry->node)));
    }
  }
  const auto stored = TRY(backup.commit(may_commit).context(what));
  return read_back(repository, stored, std::move(stop));
}

Result<EscrowReport> take_escrow(repo::Repository& repository, const EscrowRequest& request,
                                 repo::TreeBackupProgress& progress, const std::function<Status()>& may_commit,
                                 std::stop_token stop) {
  TRY_VOID(refuse_data_elsewhere(request.folder));
  repo::TreeBackupOptions options;
  options.whole = true;
  auto stored = TRY(repo::back_up_trees(repository, {request.folder}, options, {}, snapshot_options(request), true,
                                        progress, may_commit, stop)
                        .context("keeping a copy of " + request.member));
  if (!stored.problems.empty())
    return fail(ErrorClass::failed, "escrow.incomplete",
                fmt::format("{} files of {} could not be read, the first: {}", stored.problems.size(), request.folder,
                            stored.problems[0]),
                "run as a user that may read them; nothing is replaced without a whole copy");
  return read_back(repository, stored.snapshot, std::move(stop));
}

Result<EscrowReport> read_back(repo::Repository& repository, const repo::Snapshot& snapshot, std::stop_token stop) {
  TRY_VOID(repository.reload_index());  // what was just written is in new index files
  EscrowReport report;
  report.snapshot = snapshot.id.hex();
  std::mutex mutex;
  std::vector<std::vector<repo::Id>> contents;
  const repo::Id roots[] = {snapshot.tree};
  TRY_VOID(repo::walk_trees(
      repository, roots,
      [&](const repo::Id&, const Result<repo::Tree>& tree) -> Status {
        if (!tree) return fail(tree.error());
        std::lock_guard lock(mutex);
        for (const auto& node : tree->nodes) {
          if (node.type != repo::NodeType::file) continue;
          ++report.files;
          if (!node.content.empty()) contents.push_back(node.content);
        }
        return {};
      },
      stop));
  for (const auto& content : contents)
    TRY_VOID(repo::dump_blobs(
                 repository, content,
                 [&](ByteSpan bytes) -> Status {
                   report.bytes += bytes.size();
                   return {};
                 },
                 {}, stop)
                 .context("reading the copy back"));
  return report;
}

}  // namespace holdfast::backup

// holdfast export: a backup's dump as a file, complete or not at all.
#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <filesystem>

#include "backup/kept.h"
#include "backup/restore_cluster.h"
#include "base/units.h"
#include "cli/cluster_options.h"
#include "cli/progress.h"
#include "cli/repository_session.h"
#include "cli/verbs.h"
#include "codec/gzip.h"
#include "engine/dump_scan.h"
#include "repo/dump.h"
#include "repo/tree_access.h"
#include "sys/file.h"
#include "sys/random_suffix.h"

namespace holdfast::cli {
namespace {

// A temporary file beside the target that becomes the target at the end; removed when it does not get there.
class Target {
 public:
  static Result<Target> open(const std::string& path) {
    Target target;
    target.path_ = path;
    target.temporary_ = fmt::format("{}.{}.part", path, sys::random_suffix());
    target.fd_ = TRY(sys::open_file(target.temporary_, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0600));
    return target;
  }
  Target(Target&&) = default;
  ~Target() {
    if (fd_) ::unlink(temporary_.c_str());
  }
  int fd() const { return fd_.get(); }
  Status publish() {
    if (::fsync(fd_.get()) != 0) return fail(sys::errno_error(errno, "fsync " + temporary_));
    if (::rename(temporary_.c_str(), path_.c_str()) != 0) return fail(sys::errno_error(errno, "rename to " + path_));
    fd_.reset();
    const auto slash = path_.rfind('/');
    return sys::sync_directory(slash == std::string::npos ? "." : slash == 0 ? "/" : path_.substr(0, slash));
  }

 private:
  Target() = default;
  std::string path_, temporary_;
  sys::Fd fd_;
};

/// The cluster's backup, or (-t diverged) the dump of the member -i names.
Result<backup::SnapshotChoice> chosen(repo::Repository& repository, const Options& options,
                                      const ClusterSelector& selector) {
  const std::string type = options.text("type");
  if (type != "diverged")
    return backup::choose_snapshot(repository, selector.ns, selector.cluster, cluster::parse_engine(selector.engine),
                                   options.text("snapshot"), type);
  if (options.text("instance").empty())
    return fail(ErrorClass::usage, "restore.no_member", "a dump of type diverged is of one member, and none is named",
                "-i MEMBER, by name or ordinal");
  auto copy = TRY(backup::choose_kept(repository, {selector.ns, selector.cluster, selector.engine,
                                                   options.text("instance"), options.text("snapshot"), type}));
  return backup::SnapshotChoice{std::move(copy.snapshot), copy.folder + "/" + copy.dump};
}

}  // namespace

Exit run_export(Context& context) {
  const Options& options = context.options;
  const std::string file = options.text("file");
  if (file.empty())
    return fail(ErrorClass::usage, "cli.missing_flag", "export: no file is named",
                "-o FILE; a name that ends in .gz is compressed");
  const ClusterSelector selector = cluster_selector(options);
  if (selector.cluster.empty())
    return fail(ErrorClass::usage, "cli.no_cluster", "no cluster is named", "name it with -c NAME");
  const auto start = std::chrono::steady_clock::now();
  RepositorySession session = TRY(open_repository(context, LockNeed::shared));
  repo::Repository& repository = *session.repository;
  const backup::SnapshotChoice choice = TRY(chosen(repository, options, selector));
  TRY_VOID(repository.load_index());
  repo::Codec codec(repository.master_key());
  const auto node = TRY(repo::find_node(repository, choice.snapshot.tree, choice.path, codec));
  if (!node)
    return fail(ErrorClass::verification_failed, "repo.path.not_found",
                fmt::format("{} is not in the snapshot's tree", choice.path));
  if (options.flag("dry-run")) {
    context.out.line(fmt::format("would write {} ({}) to {}", choice.path, human_size(node->size), file));
    return {};
  }
  Target target = TRY(Target::open(file));
  std::optional<codec::GzipWriter> gzip;
  const auto to_file = [&](ByteSpan bytes) { return sys::write_all(target.fd(), bytes); };
  if (file.ends_with(".gz")) gzip.emplace(to_file);
  engine::DumpScanner scanner(choice.path.ends_with("/pgdumpall.sql") ? engine::DumpFlavour::postgres
                                                                      : engine::DumpFlavour::mysql);
  Progress progress(context.out, "exporting " + choice.path);
  progress.set_total(node->size);
  TRY_VOID(repo::dump_blobs(
      repository, node->content,
      [&](ByteSpan bytes) -> Status {
        progress.add_bytes(bytes.size());
        scanner.feed(bytes);
        return gzip ? gzip->write(bytes) : to_file(bytes);
      },
      {}, context.stop));
  if (!scanner.complete())
    return fail(ErrorClass::verification_failed, "restore.incomplete_dump",
                fmt::format("the dump in snapshot {} ends before its end marker: part of it is missing, and {} is not "
                            "written",
                            choice.snapshot.id.short_hex(), file),
                fmt::format("holdfast get backups -c {} lists the others; what there is of this one: holdfast dump "
                            "{} {}",
                            selector.cluster, choice.snapshot.id.short_hex(), choice.path));
  if (gzip) TRY_VOID(gzip->finish());
  TRY_VOID(target.publish());
  std::error_code ignored;
  const uint64_t written = std::filesystem::file_size(file, ignored);
  context.out.set_data(codec::Value::object({{"outputFile", file},
                                             {"snapshot", choice.snapshot.id.hex()},
                                             {"path", choice.path},
                                             {"bytes", progress.bytes()},
                                             {"fileBytes", written}}));
  context.out.line(fmt::format("wrote {} of snapshot {} to {}: {}{} in {}", choice.path, choice.snapshot.id.short_hex(),
                               file, human_size(progress.bytes()),
                               gzip ? fmt::format(" ({} compressed)", human_size(written)) : "",
                               human_span(std::chrono::steady_clock::now() - start)));
  return {};
}

}  // namespace holdfast::cli

#include "backup/kept.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>

#include <filesystem>
#include <set>

#include "repo/file_metadata.h"
#include "repo/tree_access.h"
#include "sys/beneath.h"

namespace holdfast::backup {

using repo::Snapshot;

namespace {

bool is_kept(std::string_view type) {
  return type == "escrow" || type == "diverged";
}

std::string list_command(const KeptWanted& wanted) {
  return fmt::format("holdfast get backups{} -t all -o wide lists what there is",
                     wanted.cluster.empty() ? "" : " -c " + wanted.cluster);
}

Result<KeptCopy> copy_of(Snapshot snapshot) {
  KeptCopy copy;
  copy.type = snapshot.tag_value("type");
  copy.member = snapshot.tag_value("member");
  for (const auto& path : snapshot.paths) {
    if (copy.type == "escrow") copy.folder = path;
    if (copy.type == "diverged" && path.ends_with(".sql")) {
      const auto slash = path.rfind('/');
      copy.folder = path.substr(0, slash);
      copy.dump = path.substr(slash + 1);
    }
  }
  if (copy.folder.empty())
    return fail(ErrorClass::refused, "restore.wrong_snapshot",
                fmt::format("snapshot {} holds neither a data directory nor a dump", snapshot.id.short_hex()),
                "holdfast get snapshots");
  copy.snapshot = std::move(snapshot);
  return copy;
}

/// Of the one named by its id.
Status check_named(const Snapshot& snapshot, const KeptWanted& wanted) {
  const std::string id = snapshot.id.short_hex();
  const std::string type(snapshot.tag_value("type"));
  const std::string its_cluster = fmt::format("{}/{}", snapshot.tag_value("namespace"), snapshot.tag_value("cluster"));
  if (!is_kept(type) || (!wanted.type.empty() && type != wanted.type))
    return fail(ErrorClass::refused, "restore.wrong_snapshot",
                fmt::format("snapshot {} is {}, not a copy that a repair kept{}", id,
                            type.empty() ? "none of a cluster" : "of type " + type,
                            wanted.type.empty() ? "" : " of type " + wanted.type),
                list_command(wanted));
  if ((!wanted.cluster.empty() && snapshot.tag_value("cluster") != wanted.cluster) ||
      (!wanted.ns.empty() && snapshot.tag_value("namespace") != wanted.ns) ||
      (!wanted.engine.empty() && snapshot.tag_value("engine") != wanted.engine))
    return fail(ErrorClass::refused, "restore.wrong_cluster",
                fmt::format("snapshot {} is of {} ({})", id, its_cluster, snapshot.tag_value("engine")),
                list_command(wanted));
  if (!is_of_member(snapshot, wanted.member))
    return fail(ErrorClass::refused, "restore.wrong_member",
                fmt::format("snapshot {} is of {}, not of member {}", id, snapshot.tag_value("member"), wanted.member),
                list_command(wanted));
  return {};
}

}  // namespace

bool is_of_member(const Snapshot& snapshot, const std::string& member) {
  const std::string_view name = snapshot.tag_value("member");
  if (name.empty() || member.empty()) return false;
  const std::string_view ordinal = snapshot.tag_value("instance");
  if (name == member || ordinal == member) return true;
  return ordinal.empty() && member.find_first_not_of("0123456789") == std::string::npos && name.ends_with("-" + member);
}

Result<KeptCopy> choose_kept(repo::Repository& repository, const KeptWanted& wanted) {
  auto all = TRY(repository.load_snapshots());
  const bool latest = wanted.snapshot == "latest";
  bool is_job = false;
  for (const auto& snapshot : all) is_job = is_job || (!latest && snapshot.tag_value("job") == wanted.snapshot);
  if (!latest && !is_job) {
    auto snapshot = TRY(repository.find_snapshot(wanted.snapshot));
    TRY_VOID(check_named(snapshot, wanted));
    return copy_of(std::move(snapshot));
  }
  if (latest && wanted.cluster.empty())
    return fail(ErrorClass::usage, "cli.no_cluster", "of which cluster the newest copy is wanted was not said",
                "name it with -c NAME");
  const std::string type = wanted.type.empty() ? "escrow" : wanted.type;
  const Snapshot* newest = nullptr;
  std::set<std::string> others;
  for (const auto& snapshot : all) {
    const std::string its_type(snapshot.tag_value("type"));
    if (!is_kept(its_type) || (is_job && snapshot.tag_value("job") != wanted.snapshot)) continue;
    if ((!wanted.cluster.empty() && snapshot.tag_value("cluster") != wanted.cluster) ||
        (!wanted.ns.empty() && snapshot.tag_value("namespace") != wanted.ns) ||
        (!wanted.engine.empty() && snapshot.tag_value("engine") != wanted.engine))
      continue;
    if (its_type != type || !is_of_member(snapshot, wanted.member)) {
      others.insert(
          fmt::format("{} (-i {} -t {})", snapshot.tag_value("member"), snapshot.tag_value("member"), its_type));
      continue;
    }
    if (!newest || !snapshot.time.before(newest->time)) newest = &snapshot;
  }
  if (newest) return copy_of(*newest);
  std::string there;
  for (const auto& other : others) there += (there.empty() ? "there is: " : ", ") + other;
  return fail(
      ErrorClass::refused, "repo.snapshot.not_found",
      fmt::format("no {} of member {}{} is in the repository", type == "escrow" ? "copy of the data directory" : "dump",
                  wanted.member, is_job ? " of operation " + wanted.snapshot : " of " + wanted.cluster),
      there.empty() ? list_command(wanted) : there);
}

Result<repo::RestoreResult> restore_kept(repo::Repository& repository, const KeptCopy& copy, const std::string& into,
                                         const repo::RestoreOptions& options, repo::RestoreProgress& progress,
                                         std::stop_token stop) {
  std::error_code error;
  if (std::filesystem::exists(into, error)) {
    const bool empty = std::filesystem::is_directory(into, error) && std::filesystem::is_empty(into, error);
    if (error || !empty)
      return fail(ErrorClass::refused, "restore.not_empty", into + " is not an empty directory",
                  "name one that does not exist yet");
  }
  repo::Codec codec(repository.master_key());
  const auto node = TRY(repo::find_node(repository, copy.snapshot.tree, copy.folder, codec));
  if (!node || !node->subtree)
    return fail(ErrorClass::verification_failed, "repo.path.not_found",
                fmt::format("{} is not in the snapshot's tree", copy.folder), "holdfast check --read-data");
  repo::Snapshot part = copy.snapshot;
  part.tree = *node->subtree;
  auto result = TRY(repo::restore_tree(repository, part, into, options, progress, std::move(stop)));
  if (options.dry_run) return result;
  const sys::Fd place = TRY(sys::open_directory(into, false));
  const sys::Fd fd = sys::open_beneath(place.get(), "", O_RDONLY | O_DIRECTORY);
  struct stat info{};
  if (!fd || ::fstat(fd.get(), &info) != 0) {
    result.problems.push_back("the mode of " + into + " could not be set");
  } else if (!copy.dump.empty()) {  // it holds the hashes of passwords
    if (::fchmod(fd.get(), 0700) != 0) result.problems.push_back("the mode of " + into + " could not be set");
  } else {  // a server refuses a data directory that others may read
    repo::apply_metadata(fd.get(), into, *node, result.problems, info);
  }
  return result;
}

}  // namespace holdfast::backup

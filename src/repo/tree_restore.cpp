#include "repo/tree_restore.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <deque>
#include <ranges>

#include "repo/file_metadata.h"
#include "repo/restore_files.h"
#include "repo/restore_place.h"
#include "repo/tree_access.h"

namespace holdfast::repo {
namespace {

// A directory of the snapshot and its place. It is made, with those above it, when the first thing is put into it.
struct Level {
  Level* up = nullptr;
  std::string path;     // below the place, and below the top of the snapshot
  bool wanted = false;  // its own metadata is restored, and what stands in its way is replaced
  enum class State { unknown, fresh, existing, blocked } state = State::unknown;
  Tree tree{};
  size_t next = 0;  // of the tree's nodes
};

class Restore {
 public:
  Restore(Repository& repository, const RestorePlace& place, const RestoreOptions& options, RestoreProgress& progress,
          std::stop_token stop)
      : repository_(repository),
        place_(place),
        options_(options),
        includes_(options.includes),
        excludes_(options.excludes),
        stop_(stop),
        codec_(repository.master_key()),
        files_(repository, place, options.sparse, progress, result_, stop) {}

  Result<RestoreResult> run(const Snapshot& snapshot) {
    TRY_VOID(walk(snapshot.tree));
    if (options_.dry_run) return std::move(result_);
    TRY_VOID(files_.write());
    for (auto it = directories_.rbegin(); it != directories_.rend(); ++it) finish_directory(it->first, it->second);
    if (options_.verify) TRY_VOID(files_.verify());
    return std::move(result_);
  }

 private:
  Status walk(const Id& tree);
  Status enter(const Node& node, Level&& below);
  Status add_entry(Node&& node, Level& here, const std::string& path);
  Status prepare(Level& level, const Node* node);
  Status prepare_one(Level& level, const Node* node);
  void finish_directory(const std::string& path, const Node& node);
  bool keep_existing(const struct stat& now, const Node& node) const;

  Repository& repository_;
  const RestorePlace& place_;
  const RestoreOptions options_;
  const PathFilter includes_, excludes_;
  const std::stop_token stop_;
  Codec codec_;
  RestorePlace::Near near_;
  std::deque<Level> levels_;                               // that the walk is in; does not move them
  std::vector<std::pair<std::string, Node>> directories_;  // parents before children
  RestoreResult result_;
  RestoreFiles files_;
};

// Calls itself nowhere: a snapshot may be deeper than a stack.
Status Restore::walk(const Id& tree) {
  levels_.push_back({.state = Level::State::existing});
  levels_.back().tree = TRY(load_tree(repository_, tree, codec_).context("directory /"));
  while (!levels_.empty()) {
    if (stop_.stop_requested()) return fail(ErrorClass::interrupted, "interrupted", "stopped");
    Level& here = levels_.back();
    if (here.next == here.tree.nodes.size() || here.state == Level::State::blocked) {
      levels_.pop_back();
      continue;
    }
    Node& node = here.tree.nodes[here.next++];
    const std::string path = here.path.empty() ? node.name : here.path + "/" + node.name;
    if (!excludes_.empty() && excludes_.matches("/" + path)) continue;
    const bool wanted = here.wanted || includes_.empty() || includes_.matches("/" + path);
    if (node.type == NodeType::dir) {
      TRY_VOID(enter(node, {.up = &here, .path = path, .wanted = wanted}));
    } else if (wanted) {
      TRY_VOID(add_entry(std::move(node), here, path));
    }
  }
  return {};
}

Status Restore::enter(const Node& node, Level&& below) {
  if (!node.subtree) return damaged("directory /" + below.path + " has no tree");
  if (below.wanted) {
    TRY_VOID(prepare(below, &node));
    if (below.state == Level::State::blocked) return {};
    ++result_.directories;
    // One that exists keeps what it has under "never".
    if (below.state == Level::State::fresh || options_.overwrite != Overwrite::never) {
      Node metadata = node;
      metadata.subtree.reset();
      directories_.emplace_back(below.path, std::move(metadata));
    }
  }
  below.tree = TRY(load_tree(repository_, *node.subtree, codec_).context("directory /" + below.path));
  levels_.push_back(std::move(below));
  return {};
}

Status Restore::prepare(Level& level, const Node* node) {
  std::vector<Level*> unknown;
  for (Level* at = &level; at->state == Level::State::unknown; at = at->up) unknown.push_back(at);
  for (Level* at : unknown | std::views::reverse) TRY_VOID(prepare_one(*at, at == &level ? node : nullptr));
  return {};
}

// Makes the directory, or finds it. Only what is selected itself (`node`) may replace something else in its place.
Status Restore::prepare_one(Level& level, const Node* node) {
  if (level.up->state == Level::State::blocked) {
    level.state = Level::State::blocked;
    return {};
  }
  if (level.up->state != Level::State::fresh) {
    const auto now = place_.look(near_, level.path);
    if (now && S_ISDIR(now->st_mode)) {
      level.state = Level::State::existing;
      if (node && !options_.dry_run) place_.open_up(near_, level.path, *now);
      return {};
    }
    if (now && (!node || keep_existing(*now, *node))) {
      level.state = Level::State::blocked;
      result_.problems.push_back(fmt::format("{}: is not a directory and is kept ({}); nothing below it was restored",
                                             place_.full(level.path),
                                             node ? "--overwrite" : "it is not part of the selection"));
      return {};
    }
    if (now && !options_.dry_run) TRY_VOID(place_.remove(near_, level.path));
  }
  level.state = Level::State::fresh;  // nobody else may enter it until it is whole
  return options_.dry_run ? Status() : place_.make_directory(near_, level.path, 0700);
}

Status Restore::add_entry(Node&& node, Level& here, const std::string& path) {
  if (node.type == NodeType::socket || node.type == NodeType::irregular) {  // mean nothing without their maker
    ++result_.skipped;
    return {};
  }
  TRY_VOID(prepare(here, nullptr));
  if (here.state == Level::State::blocked) return {};
  const auto now = here.state == Level::State::fresh ? std::nullopt : place_.look(near_, path);
  if (now && keep_existing(*now, node)) {
    ++result_.skipped;
    return {};
  }
  if (now && S_ISDIR(now->st_mode)) {
    result_.problems.push_back(place_.full(path) + ": a directory is in the way");
    return {};
  }
  const bool is_file = node.type == NodeType::file;
  if (options_.dry_run) {
    (is_file ? result_.files : result_.others) += 1;
    result_.bytes += is_file ? node.size : 0;
    return {};
  }
  if (is_file) {
    files_.add(std::move(node), path, here.state == Level::State::fresh);
    return {};
  }
  if (auto put = place_.put_special(near_, path, node, result_.problems); put) {
    ++result_.others;
  } else {
    result_.problems.push_back(put.error().message);
  }
  return {};
}

bool Restore::keep_existing(const struct stat& now, const Node& node) const {
  if (options_.overwrite == Overwrite::always) return false;
  if (options_.overwrite == Overwrite::never) return true;
  const Timestamp mtime{now.st_mtim.tv_sec, static_cast<int32_t>(now.st_mtim.tv_nsec), 0};
  if (options_.overwrite == Overwrite::if_newer) return !mtime.before(node.mtime);
  return node.type == NodeType::file && S_ISREG(now.st_mode) && static_cast<uint64_t>(now.st_size) == node.size &&
         mtime.same_instant(node.mtime);
}

void Restore::finish_directory(const std::string& path, const Node& node) {
  const sys::Fd fd = place_.open_directory(path);
  struct stat info{};
  if (!fd || ::fstat(fd.get(), &info) != 0) {
    result_.problems.push_back(fmt::format("{}: {}", place_.full(path), std::strerror(errno)));
    return;
  }
  apply_metadata(fd.get(), place_.full(path), node, result_.problems, info);
}

}  // namespace

Result<RestoreResult> restore_tree(Repository& repository, const Snapshot& snapshot, const std::string& target,
                                   const RestoreOptions& options, RestoreProgress& progress, std::stop_token stop) {
  std::string directory = target;
  while (directory.size() > 1 && directory.ends_with('/')) directory.pop_back();
  const RestorePlace place = TRY(RestorePlace::open(directory, !options.dry_run));
  return Restore(repository, place, options, progress, std::move(stop)).run(snapshot);
}

}  // namespace holdfast::repo

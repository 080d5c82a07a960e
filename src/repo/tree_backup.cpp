#include "repo/tree_backup.h"

#include <fmt/format.h>

#include <algorithm>
#include <deque>
#include <list>
#include <mutex>
#include <thread>

#include "base/log.h"
#include "crypto/sha256.h"
#include "repo/environment.h"
#include "repo/file_node.h"
#include "repo/format/chunker.h"
#include "repo/source_directory.h"
#include "repo/tree_access.h"
#include "repo/tree_targets.h"
#include "sys/file.h"

namespace holdfast::repo {
namespace {

constexpr size_t kWholeFile = kMaxChunk;  // files below this size are read in one piece
constexpr size_t kHeldOpen = 256;         // directories above the one that is walked; further ones are opened again

// A directory in the making. Its tree is stored once the walk has left it and all its files and directories are stored;
// whoever finishes last does that.
struct Directory {
  Directory* parent = nullptr;  // not finished before this one is
  std::list<Directory>::iterator self;
  size_t place = 0;  // index of this directory's node in parent->nodes
  std::vector<Node> nodes;
  std::vector<char> kept;  // per node: 1 if it is part of the tree
  const Tree* old = nullptr;
  std::atomic<size_t> unfinished{1};
  std::optional<Id> old_id;
};

// A directory that the walk is in. How deep a tree is its owner decides, so nothing here calls itself.
struct Level {
  SourceDirectory source;
  Directory* directory;
  dev_t device;
  std::vector<std::string> names;
  size_t next = 0;  // of `names`
  Tree old;
};

class TreeBackup {
 public:
  TreeBackup(Repository& repository, TargetPlan plan, const TreeBackupOptions& options, const SaverOptions& saver,
             TreeBackupProgress& progress, std::stop_token stop)
      : repository_(repository),
        options_(options),
        filter_(options.excludes),
        plan_(std::move(plan)),
        problems_(plan_.problems),
        saver_(repository, saver, stop),
        chunker_(repository.config().polynomial),
        codec_(repository.master_key()),
        progress_(progress),
        stop_(std::move(stop)) {}

  void use_parent(const Snapshot& parent) {
    parent_start_ = parent.summary ? parent.summary->backup_start : parent.time;
    parent_tree_ = parent.tree;
  }
  Result<Id> run();
  Status flush() { return saver_.flush(); }

  SnapshotSummary summary() const {
    SnapshotSummary summary = counts_;
    summary.data_blobs = saver_.stats().data_blobs;
    summary.tree_blobs = saver_.stats().tree_blobs;
    summary.data_added = saver_.stats().bytes_added;
    summary.data_added_packed = saver_.stats().bytes_packed;
    return summary;
  }
  std::vector<std::string> take_problems() { return std::move(problems_); }
  size_t stored_targets() const { return stored_targets_; }

 private:
  Status walk_planned(const PlannedName& planned, Directory& directory);
  Status walk_target(SourceDirectory& above, const std::string& name, Directory& directory);
  Status add_entry(SourceDirectory& source, const std::string& name, Directory& directory, dev_t device);
  Status enter(SourceDirectory& source, struct stat info, const std::string& name, Directory& directory);
  Status leave();
  Status add_file(const SourceDirectory& source, struct stat info, const std::string& name, Directory& directory);
  Status add_small_file(sys::Fd fd, const std::string& path, size_t place, Directory& directory);
  Directory& make_directory(Directory* parent, size_t place, const Node* old);
  Tree old_tree(const Directory& directory);
  Status finish_one(Directory* directory, BlobSaver::Worker* worker);
  Directory* stored(Directory& directory, const Id& id);
  static std::string encode(const Directory& directory);

  static size_t reserve_node(Directory& directory, Node node) {
    directory.nodes.push_back(std::move(node));
    directory.kept.push_back(1);
    return directory.nodes.size() - 1;
  }
  const Node* old_node(const Directory& directory, const std::string& name) const {
    if (!directory.old) return nullptr;
    const auto& nodes = directory.old->nodes;
    auto at = std::lower_bound(nodes.begin(), nodes.end(), name,
                               [](const Node& n, const std::string& s) { return n.name < s; });
    return at != nodes.end() && at->name == name ? &*at : nullptr;
  }
  bool unchanged(const Node& now, const Node& old) const;
  void problem(const std::string& what) {
    log(LogLevel::info, "{}", what);
    std::lock_guard lock(problems_mutex_);
    problems_.push_back(what);
  }

  Repository& repository_;
  const TreeBackupOptions options_;
  const PathFilter filter_;
  const TargetPlan plan_;
  std::optional<Timestamp> parent_start_;
  std::optional<Id> parent_tree_;
  Id root_id_;

  // The walk's own; used by the walking thread only.
  std::deque<Level> levels_;  // does not move them: their `old` is referred to
  NameCache names_;
  SnapshotSummary counts_;
  size_t stored_targets_ = 0;

  std::mutex problems_mutex_;
  std::vector<std::string> problems_;  // guarded by problems_mutex_

  std::mutex directories_mutex_;
  std::list<Directory> directories_;  // those in the making; guarded by directories_mutex_

  BlobSaver saver_;
  const Chunker chunker_;
  Codec codec_;
  TreeBackupProgress& progress_;
  const std::stop_token stop_;
};

bool TreeBackup::unchanged(const Node& now, const Node& old) const {
  if (old.type != NodeType::file || !old.error.empty()) return false;
  if (now.size != old.size || now.inode != old.inode || !now.mtime.same_instant(old.mtime) ||
      !now.ctime.same_instant(old.ctime)) {
    return false;
  }
  // Changed while or after the parent snapshot read it: equal times prove nothing then. Two seconds cover the coarsest
  // file system clocks.
  if (!parent_start_ || now.ctime.seconds + 2 > parent_start_->seconds) return false;
  return std::all_of(old.content.begin(), old.content.end(),
                     [&](const Id& id) { return repository_.index().contains(BlobType::data, id); });
}

std::string TreeBackup::encode(const Directory& directory) {
  std::vector<const Node*> sorted;
  for (size_t i = 0; i < directory.nodes.size(); ++i) {
    if (directory.kept[i]) sorted.push_back(&directory.nodes[i]);
  }
  std::sort(sorted.begin(), sorted.end(), [](const Node* a, const Node* b) { return a->name < b->name; });
  std::string entries;
  for (const Node* node : sorted) {
    if (!entries.empty()) entries += ',';
    append_node(entries, *node);
  }
  return tree_text(entries);
}

// The directory whose node stands at `place` of `parent`.
Directory& TreeBackup::make_directory(Directory* parent, size_t place, const Node* old) {
  std::lock_guard lock(directories_mutex_);
  const auto self = directories_.emplace(directories_.end());
  self->self = self;
  self->parent = parent;
  self->place = place;
  if (old && old->subtree) self->old_id = old->subtree;
  if (parent) ++parent->unfinished;
  return *self;
}

// What the parent snapshot has of it. One that cannot be read costs speed, not correctness.
Tree TreeBackup::old_tree(const Directory& directory) {
  if (!directory.old_id) return {};
  auto tree = load_tree(repository_, *directory.old_id, codec_);
  return tree ? std::move(*tree) : Tree();
}

// Whoever calls it does not touch the directory any more. The last one stores it, and those above it of which it was
// the last one.
Status TreeBackup::finish_one(Directory* directory, BlobSaver::Worker* worker) {
  while (directory && directory->unfinished.fetch_sub(1) == 1) {
    auto text = std::make_shared<std::string>(encode(*directory));
    if (!worker) {
      auto id = std::make_shared<Id>();
      BlobSaver::Task task;
      task.type = BlobType::tree;
      task.plain = as_bytes(*text);
      task.keep = text;
      task.id = id.get();
      task.done = [this, directory, id](BlobSaver::Worker& on) { return finish_one(stored(*directory, *id), &on); };
      return saver_.submit(std::move(task));
    }
    directory = stored(*directory, TRY(worker->save_now(BlobType::tree, as_bytes(*text))));
  }
  return {};
}

// Ends a directory whose tree is stored: the one above it, of which it was a part that was not finished.
Directory* TreeBackup::stored(Directory& directory, const Id& id) {
  Directory* parent = directory.parent;
  (parent ? parent->nodes[directory.place].subtree.emplace() : root_id_) = id;
  std::lock_guard lock(directories_mutex_);
  directories_.erase(directory.self);
  return parent;
}

// A target, and all below it.
Status TreeBackup::walk_target(SourceDirectory& above, const std::string& name, Directory& directory) {
  TRY_VOID(add_entry(above, name, directory, 0));
  while (!levels_.empty()) {
    if (stop_.stop_requested()) return fail(ErrorClass::interrupted, "interrupted", "stopped");
    Level& here = levels_.back();
    TRY_VOID(here.next == here.names.size()
                 ? leave()
                 : add_entry(here.source, here.names[here.next++], *here.directory, here.device));
  }
  return {};
}

Status TreeBackup::add_entry(SourceDirectory& source, const std::string& name, Directory& directory, dev_t device) {
  const bool target = levels_.empty();
  if (!target && !filter_.empty()) {
    std::string absolute = source.path_of(name);
    if (!absolute.starts_with('/')) absolute.insert(0, "/");
    if (filter_.matches(absolute)) return {};
  }
  const auto info = source.look(name);
  if (!info) {
    problem(info.error().message);
    return {};
  }
  if (!target && options_.one_file_system && info->st_dev != device && S_ISDIR(info->st_mode)) return {};
  if (S_ISSOCK(info->st_mode)) return {};  // means nothing without its process; restic leaves sockets out as well
  if (S_ISREG(info->st_mode)) return add_file(source, *info, name, directory);
  if (S_ISDIR(info->st_mode)) return enter(source, *info, name, directory);

  Node node = node_from_stat(*info, name, names_);
  node.xattrs = source.xattrs(name);
  if (node.type == NodeType::symlink) {
    auto target = source.link_target(name, info->st_size);
    if (!target) {
      problem(target.error().message);
      return {};
    }
    node.link_target = std::move(*target);
  }
  reserve_node(directory, std::move(node));
  return {};
}

Status TreeBackup::enter(SourceDirectory& source, struct stat info, const std::string& name, Directory& directory) {
  auto inside = source.enter(name, info);
  Node node = node_from_stat(info, name, names_);
  node.xattrs = inside ? inside->xattrs() : source.xattrs(name);
  const Node* old = old_node(directory, name);
  (old && old->type == NodeType::dir ? counts_.dirs_unmodified : counts_.dirs_new) += 1;
  Directory& child = make_directory(&directory, reserve_node(directory, std::move(node)), old);
  auto names = inside ? inside->names() : fail(inside.error());
  if (!names) {
    problem(names.error().message);
    return finish_one(&child, nullptr);
  }
  if (levels_.size() >= kHeldOpen) source.let_go();
  // Room for all: workers write into nodes while the walk goes on, so they must not move.
  child.nodes.reserve(names->size());
  child.kept.reserve(names->size());
  Level& level = levels_.emplace_back(std::move(*inside), &child, info.st_dev, std::move(*names));
  level.old = old_tree(child);
  child.old = &level.old;
  return {};
}

Status TreeBackup::leave() {
  const Level left = std::move(levels_.back());
  levels_.pop_back();
  if (levels_.size() >= kHeldOpen)
    if (auto back = levels_.back().source.take_back(left.source); !back) problem(back.error().message);
  left.directory->old = nullptr;
  return finish_one(left.directory, nullptr);
}

Status TreeBackup::add_file(const SourceDirectory& source, struct stat info, const std::string& name,
                            Directory& directory) {
  const Node* old = old_node(directory, name);
  Node node = node_from_stat(info, name, names_);
  ++counts_.total_files_processed;
  if (old && unchanged(node, *old)) {
    node.xattrs = source.xattrs(name);
    node.content = old->content;
    counts_.files_unmodified += 1;
    counts_.total_bytes_processed += node.size;
    progress_.bytes += node.size;
    progress_.files += 1;
    reserve_node(directory, std::move(node));
    return {};
  }
  auto fd = source.open_file(name, info);
  if (!fd) {
    problem(fd.error().message);
    return {};
  }
  const std::string path = source.path_of(name);
  node = node_from_stat(info, name, names_);
  if (auto xattrs = read_xattrs(fd->get(), path)) node.xattrs = std::move(*xattrs);
  (old ? counts_.files_changed : counts_.files_new) += 1;
  progress_.files += 1;
  const uint64_t size = node.size;
  const size_t place = reserve_node(directory, std::move(node));
  if (size < kWholeFile) return add_small_file(std::move(*fd), path, place, directory);

  ++directory.unfinished;
  const auto bytes = read_descriptor(fd->get());
  const std::vector<Id> hint = old && old->type == NodeType::file ? old->content : std::vector<Id>{};
  uint64_t before = progress_.bytes;
  auto queued = queue_stream(repository_, saver_, *bytes, hint, &progress_.bytes,
                             [this, &directory, place, path](Result<StoredStream>&& stored, BlobSaver::Worker* worker) {
                               if (stored) {
                                 directory.nodes[place].content = std::move(stored->content);
                                 directory.nodes[place].size = stored->size;
                               } else {
                                 problem(fmt::format("{}: {}", path, stored.error().message));
                                 directory.kept[place] = 0;
                               }
                               return finish_one(&directory, worker);
                             });
  counts_.total_bytes_processed += progress_.bytes - before;
  return queued;
}

// Reads a file in one piece and queues its chunks.
Status TreeBackup::add_small_file(sys::Fd fd, const std::string& path, size_t place, Directory& directory) {
  auto bytes = std::make_shared<Buffer>();
  Node& node = directory.nodes[place];
  bytes->resize(node.size + 1);  // one byte more than known tells a file that grew
  for (size_t have = 0;;) {
    auto got = sys::read_full(fd.get(), {bytes->data() + have, bytes->size() - have});
    if (!got) {
      problem(fmt::format("{}: {}", path, got.error().message));
      directory.kept[place] = 0;
      return {};
    }
    have += *got;
    if (have < bytes->size()) {
      bytes->resize(have);
      break;
    }
    bytes->resize(bytes->size() * 2);
  }
  fd.reset();
  node.size = bytes->size();
  progress_.bytes += bytes->size();
  counts_.total_bytes_processed += bytes->size();

  ByteSpan rest = *bytes;
  std::vector<ByteSpan> chunks;
  while (!rest.empty()) {
    const size_t cut = *chunker_.next_cut(rest, true);
    chunks.push_back(rest.first(cut));
    rest = rest.subspan(cut);
  }
  node.content.resize(chunks.size());
  for (size_t i = 0; i < chunks.size(); ++i) {
    ++directory.unfinished;
    BlobSaver::Task task;
    task.plain = chunks[i];
    task.keep = bytes;
    task.id = &node.content[i];
    task.done = [this, &directory](BlobSaver::Worker& worker) { return finish_one(&directory, &worker); };
    TRY_VOID(saver_.submit(std::move(task)));
  }
  return {};
}

Status TreeBackup::walk_planned(const PlannedName& planned, Directory& directory) {
  const Tree old = old_tree(directory);
  directory.old = &old;
  const auto& below = directory.parent ? planned.below : plan_.roots;
  directory.nodes.reserve(below.size());
  directory.kept.reserve(below.size());
  for (const auto& [name, next] : below) {
    struct stat info{};
    if (next.target) {
      auto source = SourceDirectory::open(next.above(), info);
      if (!source) {
        problem(source.error().message);
        continue;
      }
      const size_t before = directory.nodes.size();
      TRY_VOID(walk_target(*source, name, directory));
      stored_targets_ += directory.nodes.size() - before;
      continue;
    }
    auto source = SourceDirectory::open(next.path, info);
    if (!source) {
      problem(source.error().message);
      continue;
    }
    Node node = node_from_stat(info, name, names_);
    node.xattrs = source->xattrs();
    const Node* old_child = old_node(directory, name);
    TRY_VOID(walk_planned(next, make_directory(&directory, reserve_node(directory, std::move(node)), old_child)));
  }
  directory.old = nullptr;
  return finish_one(&directory, nullptr);
}

Result<Id> TreeBackup::run() {
  Directory& root = make_directory(nullptr, 0, nullptr);
  root.old_id = parent_tree_;
  const PlannedName top;
  Status walked;
  std::thread([&] {
    take_own_working_directory();
    walked = walk_planned(top, root);
  }).join();
  // Tasks hold references to this object: wait for them whatever the walk said.
  const Status drained = saver_.drain();
  TRY_VOID(Status(walked));
  TRY_VOID(Status(drained));
  return root_id_;
}

}  // namespace

Result<TreeBackupResult> back_up_trees(Repository& repository, const std::vector<std::string>& targets,
                                       const TreeBackupOptions& options, const SaverOptions& saver,
                                       SnapshotOptions snapshot_options, bool publish, TreeBackupProgress& progress,
                                       const std::function<Status()>& still_locked, std::stop_token stop) {
  const Environment environment = Environment::of_process();
  TargetPlan plan = TRY(plan_targets(targets));
  Snapshot snapshot;
  snapshot.hostname = snapshot_options.hostname.empty() ? environment.host : snapshot_options.hostname;
  snapshot.paths = plan.absolute_paths;
  TreeBackup backup(repository, std::move(plan), options, saver, progress, stop);
  std::optional<Snapshot> parent;
  if (snapshot_options.parent) {
    parent = TRY(repository.find_snapshot(snapshot_options.parent->hex()));
  } else {
    for (Snapshot& candidate : TRY(repository.load_snapshots())) {
      if (candidate.hostname == snapshot.hostname && candidate.paths == snapshot.paths &&
          candidate.time.before(snapshot_options.time)) {
        parent = std::move(candidate);
      }
    }
  }
  if (parent) {
    backup.use_parent(*parent);
    snapshot.parent = parent->id;
  }
  snapshot.tree = TRY(backup.run());
  TreeBackupResult result;
  result.problems = backup.take_problems();
  publish = publish && (result.problems.empty() || !options.whole);
  if (backup.stored_targets() == 0) {
    return fail(ErrorClass::refused, "backup.no_target",
                result.problems.empty() ? "there is nothing to back up" : result.problems.front(),
                "check the path of --tree");
  }
  snapshot.time = snapshot_options.time;
  snapshot.username = environment.user;
  snapshot.uid = environment.uid;
  snapshot.gid = environment.gid;
  snapshot.excludes = options.excludes;
  snapshot.tags = snapshot_options.tags;
  snapshot.program_version = snapshot_options.program_version;
  if (publish && still_locked) TRY_VOID(still_locked());
  if (publish) TRY_VOID(backup.flush());
  snapshot.summary = backup.summary();
  snapshot.summary->backup_start = snapshot_options.time;
  snapshot.summary->backup_end = now();
  if (publish) {
    if (still_locked) TRY_VOID(still_locked());
    Codec codec(repository.master_key());
    snapshot.id =
        TRY(repository.save(ObjectType::snapshot, snapshot_text(snapshot), codec).context("writing the snapshot"));
  }
  result.snapshot = std::move(snapshot);
  return result;
}

}  // namespace holdfast::repo

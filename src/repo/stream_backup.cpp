#include "repo/stream_backup.h"

#include <fmt/format.h>

#include <algorithm>
#include <climits>

#include "crypto/sha256.h"
#include "repo/environment.h"
#include "repo/tree_access.h"

namespace holdfast::repo {
namespace {

std::string absolute(const std::vector<std::string>& parts) {
  std::string path;
  for (const auto& part : parts) path += "/" + part;
  return path;
}

}  // namespace

StreamBackup::StreamBackup(Repository& repository, const SaverOptions& saver, SnapshotOptions options,
                           std::stop_token stop)
    : repository_(repository), options_(std::move(options)), saver_(repository, saver, std::move(stop)) {}

// The blobs of the newest file at that path: a guess that content confirms, so any snapshot will do.
Result<std::vector<Id>> StreamBackup::parent_content(const std::string& path) {
  Codec codec(repository_.master_key());
  std::optional<Snapshot> parent;
  if (options_.parent) {
    parent = TRY(repository_.find_snapshot(options_.parent->hex()));
  } else {
    for (Snapshot& snapshot : TRY(repository_.load_snapshots())) {
      const bool has_path = std::find(snapshot.paths.begin(), snapshot.paths.end(), path) != snapshot.paths.end();
      if (has_path) parent = std::move(snapshot);
    }
  }
  if (!parent) return std::vector<Id>{};
  auto node = find_node(repository_, parent->tree, path, codec);
  // A parent that cannot be read costs speed, not correctness.
  if (!node || !*node || (*node)->type != NodeType::file) return std::vector<Id>{};
  parent_used_ = parent->id;
  return std::move((*node)->content);
}

Result<StoredStream> StreamBackup::add(const std::string& path, ByteSource& source, std::atomic<uint64_t>* progress) {
  const auto parts = split_path(path);
  if (parts.empty() || std::find(parts.begin(), parts.end(), "..") != parts.end()) {
    return fail(ErrorClass::usage, "backup.path", fmt::format("\"{}\" is not a path for a stream", path),
                "name it like --path ns/app/dump.sql");
  }
  if (path.size() >= PATH_MAX)
    return fail(
        ErrorClass::usage, "backup.path",
        fmt::format("the path of the stream has {} bytes; at most {} can be restored", path.size(), PATH_MAX - 1),
        "name it like --path ns/app/dump.sql");
  for (const File& file : files_) {
    const size_t shared = std::min(file.path.size(), parts.size());
    if (std::equal(parts.begin(), parts.begin() + static_cast<ptrdiff_t>(shared), file.path.begin())) {
      return fail(ErrorClass::usage, "backup.path", fmt::format("{} is in the way of {}", absolute(file.path), path));
    }
  }
  const auto parent = TRY(parent_content(absolute(parts)));
  StoredStream stored = TRY(store_stream(repository_, saver_, source, parent, progress));
  files_.push_back({parts, stored});
  return stored;
}

Status StreamBackup::add_entry(const std::string& path, Node node) {
  auto parts = split_path(path);
  if (parts.empty() || std::find(parts.begin(), parts.end(), "..") != parts.end())
    return fail(ErrorClass::usage, "backup.path", fmt::format("\"{}\" is not a path of a tree", path));
  if (roots_.empty() || !path.starts_with(roots_.back() + "/")) roots_.push_back(absolute(parts));
  files_.push_back({std::move(parts), {}, std::move(node)});
  return {};
}

Result<StoredStream> StreamBackup::add_file(const std::string& path, Node node, ByteSource& source,
                                            std::atomic<uint64_t>* progress) {
  StoredStream stored = TRY(store_stream(repository_, saver_, source, {}, progress));
  TRY_VOID(add_entry(path, std::move(node)));
  files_.back().stream = stored;
  return stored;
}

// Stores the directory that holds files_[first, last), whose paths agree in their first `depth` parts.
Result<Id> StreamBackup::store_directory(size_t first, size_t last, size_t depth) {
  const Environment environment = Environment::of_process();
  std::vector<Node> nodes;
  for (size_t i = first; i < last;) {
    const std::string& name = files_[i].path[depth];
    size_t next = i + 1;
    while (next < last && files_[next].path[depth] == name) ++next;
    Node node;
    node.mtime = node.atime = node.ctime = options_.time;
    node.uid = environment.uid;
    node.gid = environment.gid;
    const bool itself = files_[i].path.size() == depth + 1;
    const bool described = itself && files_[i].node;
    if (described) node = *files_[i].node;
    node.name = name;
    if (itself && !(described && node.type == NodeType::dir)) {
      if (!described) node.mode = 0644;
      node.size = files_[i].stream.size;
      node.content = files_[i].stream.content;
    } else {
      node.type = NodeType::dir;
      if (!described) node.mode = kModeDir | 0755;
      node.subtree = TRY(store_directory(described ? i + 1 : i, next, depth + 1));
    }
    nodes.push_back(std::move(node));
    i = next;
  }
  const std::string text = tree_text(nodes);
  Id id{crypto::sha256(as_bytes(text))};
  BlobSaver::Task task;
  task.type = BlobType::tree;
  task.plain = as_bytes(text);
  task.id = &id;
  task.id_known = true;
  TRY_VOID(saver_.submit(std::move(task)));
  TRY_VOID(saver_.drain());
  return id;
}

Result<Snapshot> StreamBackup::commit(const std::function<Status()>& still_locked) {
  std::sort(files_.begin(), files_.end(), [](const File& a, const File& b) { return a.path < b.path; });
  const Environment environment = Environment::of_process();
  Snapshot snapshot;
  snapshot.time = options_.time;
  snapshot.parent = parent_used_;
  snapshot.tree = TRY(store_directory(0, files_.size(), 0));
  snapshot.paths = roots_;
  for (const File& file : files_)
    if (!file.node) snapshot.paths.push_back(absolute(file.path));
  snapshot.hostname = options_.hostname.empty() ? environment.host : options_.hostname;
  snapshot.username = environment.user;
  snapshot.uid = environment.uid;
  snapshot.gid = environment.gid;
  snapshot.tags = options_.tags;
  snapshot.program_version = options_.program_version;
  if (still_locked) TRY_VOID(still_locked());
  TRY_VOID(saver_.flush());

  SnapshotSummary summary;
  summary.backup_start = options_.time;
  summary.backup_end = now();
  for (const File& file : files_) {
    summary.total_bytes_processed += file.stream.size;
    (file.stream.predicted_bytes == file.stream.size && file.stream.size > 0 ? summary.files_unmodified
     : parent_used_                                                          ? summary.files_changed
                                                                             : summary.files_new) += 1;
  }
  summary.total_files_processed = files_.size();
  summary.data_blobs = saver_.stats().data_blobs;
  summary.tree_blobs = saver_.stats().tree_blobs;
  summary.data_added = saver_.stats().bytes_added;
  summary.data_added_packed = saver_.stats().bytes_packed;
  snapshot.summary = summary;
  if (still_locked) TRY_VOID(still_locked());
  Codec codec(repository_.master_key());
  snapshot.id =
      TRY(repository_.save(ObjectType::snapshot, snapshot_text(snapshot), codec).context("writing the snapshot"));
  return snapshot;
}

}  // namespace holdfast::repo

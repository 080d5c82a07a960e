// A snapshot made of streams: dumps and other bytes that never were files, at paths of their own.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "repo/blob_saver.h"
#include "repo/byte_source.h"
#include "repo/format/tree.h"
#include "repo/stream_saver.h"

namespace holdfast::repo {

struct SnapshotOptions {
  Timestamp time;  ///< start of the job
  std::vector<std::string> tags;
  std::string hostname;      ///< empty: this host's
  std::optional<Id> parent;  ///< whose blobs predict the cuts; found by path when empty
  std::string program_version;
};

class StreamBackup {
 public:
  /// The repository's index must be loaded; the caller holds a shared lock.
  StreamBackup(Repository& repository, const SaverOptions& saver, SnapshotOptions options, std::stop_token stop);

  /// Stores the whole stream at `path` ("ns/app/dump.sql"). Nothing is visible before commit(). `progress` may be null.
  Result<StoredStream> add(const std::string& path, ByteSource& source, std::atomic<uint64_t>* progress = nullptr);

  /// The same of a file of a tree that is elsewhere, at `folder`/`path`, with what is known of it (content and size are
  /// found here). Its directory is added before it.
  Result<StoredStream> add_file(const std::string& path, Node node, ByteSource& source,
                                std::atomic<uint64_t>* progress = nullptr);
  /// A directory, a link or another entry without content of such a tree. The tree's own directory comes first.
  Status add_entry(const std::string& path, Node node);

  /// Makes everything durable, then publishes the snapshot: packs, index, snapshot, in this order. A stream whose
  /// producer turned out to have failed is dropped by never calling this. `still_locked` (may be empty) is asked before
  /// the index and before the snapshot become visible.
  Result<Snapshot> commit(const std::function<Status()>& still_locked = {});

  /// Replaces the tags: some are known only when a stream has ended. Call before commit().
  void set_tags(std::vector<std::string> tags) { options_.tags = std::move(tags); }

  const SaverStats& stats() const { return saver_.stats(); }

 private:
  struct File {
    std::vector<std::string> path;
    StoredStream stream;
    std::optional<Node> node;  ///< of a tree: all but content and subtree
  };
  Result<std::vector<Id>> parent_content(const std::string& path);
  Result<Id> store_directory(size_t first, size_t last, size_t depth);

  Repository& repository_;
  SnapshotOptions options_;
  BlobSaver saver_;
  std::vector<File> files_;
  std::vector<std::string> roots_;  ///< of trees: paths of the snapshot
  std::optional<Id> parent_used_;
};

}  // namespace holdfast::repo

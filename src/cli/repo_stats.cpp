// holdfast repo stats.
#include <fmt/format.h>

#include <mutex>
#include <unordered_map>

#include "base/units.h"
#include "cli/progress.h"
#include "cli/repository_session.h"
#include "cli/snapshot_view.h"
#include "cli/verbs.h"
#include "repo/reference_walk.h"

namespace holdfast::cli {
namespace {

// What lies at and below a directory.
struct Sums {
  uint64_t bytes = 0, files = 0;
  std::vector<repo::Id> below;
  bool complete = false;
};

const Sums& complete(std::unordered_map<repo::Id, Sums>& trees, const repo::Id& root) {
  // Without recursion: a stored directory may be as deep as somebody liked.
  std::vector<repo::Id> open{root};
  while (!open.empty()) {
    Sums& sums = trees[open.back()];
    bool waiting = false;
    for (const repo::Id& id : sums.below) {
      if (!sums.complete && !trees[id].complete) {
        open.push_back(id);
        waiting = true;
      }
    }
    if (waiting) continue;
    if (!sums.complete) {
      for (const repo::Id& id : sums.below) {
        sums.bytes += trees[id].bytes;
        sums.files += trees[id].files;
      }
      sums.complete = true;
    }
    open.pop_back();
  }
  return trees[root];
}

}  // namespace

Exit run_repo_stats(Context& context) {
  using codec::Value;
  RepositorySession session = TRY(open_repository(context, LockNeed::shared));
  repo::Repository& repository = *session.repository;
  auto snapshots = TRY(repository.load_snapshots());
  const auto filter = snapshot_filter(context.options);
  std::erase_if(snapshots, [&](const repo::Snapshot& snapshot) { return !filter(snapshot); });
  TRY_VOID(repository.load_index());
  uint64_t stored_packs = 0, stored_bytes = 0;
  for (const repo::ObjectRef& pack : TRY(repository.list(repo::ObjectType::pack))) {
    ++stored_packs;
    stored_bytes += pack.size;
  }

  const repo::BlobIndex& index = repository.index();
  repo::EntrySet used(index.entries().size());
  std::unordered_map<repo::Id, Sums> trees;
  std::mutex mutex;
  std::vector<repo::Id> roots;
  for (const auto& snapshot : snapshots) roots.push_back(snapshot.tree);
  {
    Progress progress(context.out, "counting");
    TRY_VOID(repo::walk_trees(
        repository, roots,
        [&](const repo::Id& id, const Result<repo::Tree>& tree) -> Status {
          if (!tree) return std::unexpected(tree.error());
          Sums sums;
          if (const auto at = index.position(repo::BlobType::tree, id)) used.insert(*at);
          for (const repo::Node& node : tree->nodes) {
            ++sums.files;
            sums.bytes += node.type == repo::NodeType::file ? node.size : 0;
            if (node.subtree) sums.below.push_back(*node.subtree);
            for (const repo::Id& blob : node.content) {
              if (const auto at = index.position(repo::BlobType::data, blob)) used.insert(*at);
            }
          }
          progress.add_items();
          std::lock_guard lock(mutex);
          trees[id] = std::move(sums);
          return {};
        },
        context.stop));
  }
  uint64_t restore_bytes = 0, restore_files = 0;
  for (const repo::Id& root : roots) {
    const Sums& sums = complete(trees, root);
    restore_bytes += sums.bytes;
    restore_files += sums.files;
  }
  uint64_t blobs = 0, tree_blobs = 0, plain = 0, packed = 0;
  for (size_t i = 0; i < index.entries().size(); ++i) {
    if (!used.contains(i)) continue;
    const auto& entry = index.entries()[i];
    ++blobs;
    tree_blobs += entry.type() == repo::BlobType::tree;
    packed += entry.length;
    plain += entry.raw_length ? entry.raw_length : entry.length - crypto::kSealOverhead;
  }
  const double ratio = packed == 0 ? 1 : static_cast<double>(plain) / static_cast<double>(packed);
  context.out.set_data(Value::object({{"repository", repository.store().location()},
                                      {"snapshots_count", snapshots.size()},
                                      {"restore_size", restore_bytes},
                                      {"restore_entries", restore_files},
                                      {"total_blob_count", blobs},
                                      {"tree_blob_count", tree_blobs},
                                      {"total_uncompressed_size", plain},
                                      {"total_size", packed},
                                      {"compression_ratio", ratio},
                                      {"packs", stored_packs},
                                      {"packs_bytes", stored_bytes},
                                      {"indexed_blobs", index.entries().size()}}));
  Output& out = context.out;
  out.line(fmt::format("snapshots          {}", snapshots.size()));
  out.line(fmt::format("restored size      {} in {} entries", human_size(restore_bytes), restore_files));
  out.line(fmt::format("distinct data      {} in {} blobs ({} trees)", human_size(plain), blobs, tree_blobs));
  out.line(fmt::format("stored as          {} (compressed {:.2f}x, deduplicated {:.2f}x)", human_size(packed), ratio,
                       plain == 0 ? 1.0 : static_cast<double>(restore_bytes) / static_cast<double>(plain)));
  out.line(fmt::format("packs              {} in {}", stored_packs, human_size(stored_bytes)));
  return {};
}

}  // namespace holdfast::cli

#include "repo/copy.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "repo/blob_fetch.h"
#include "repo/index_objects.h"
#include "repo/parallel.h"
#include "repo/reference_walk.h"

namespace holdfast::repo {
namespace {

constexpr uint32_t kReadGap = 128 * 1024;
constexpr uint32_t kReadLength = 4 * 1024 * 1024;

const Id& origin(const Snapshot& snapshot) {
  return snapshot.original ? *snapshot.original : snapshot.id;
}

bool same_backup(const Snapshot& a, const Snapshot& b) {
  return a.time.same_instant(b.time) && a.tree == b.tree && a.paths == b.paths && a.hostname == b.hostname &&
         a.username == b.username && a.uid == b.uid && a.gid == b.gid && a.excludes == b.excludes && a.tags == b.tags;
}

}  // namespace

Result<CopyReport> copy_snapshots(Repository& source, Repository& destination, const std::vector<Snapshot>& snapshots,
                                  const SaverOptions& saver_options, const std::function<void(uint64_t)>& on_total,
                                  const std::function<void(uint64_t)>& on_bytes,
                                  const std::function<Status()>& still_locked, std::stop_token stop) {
  CopyReport report;
  std::multimap<Id, Snapshot> there;
  for (Snapshot& snapshot : TRY(destination.load_snapshots())) {
    const Id key = origin(snapshot);
    there.emplace(key, std::move(snapshot));
  }
  std::vector<const Snapshot*> todo;
  std::vector<Id> roots;
  for (const Snapshot& snapshot : snapshots) {
    const auto [from, to] = there.equal_range(origin(snapshot));
    if (std::any_of(from, to, [&](const auto& other) { return same_backup(other.second, snapshot); })) {
      report.skipped.push_back(snapshot);
      continue;
    }
    todo.push_back(&snapshot);
    roots.push_back(snapshot.tree);
  }

  // What they need and the destination lacks, by pack.
  const BlobIndex& index = source.index();
  EntrySet wanted(index.entries().size());
  std::atomic<uint64_t> total{0}, blobs{0};
  const auto want = [&](BlobType type, const Id& id) -> Status {
    const auto at = index.position(type, id);
    if (!at)
      return damaged(
          fmt::format("{} blob {} is in no index of {}", blob_type_name(type), id.hex(), source.store().location()));
    if (destination.index().contains(type, id) || !wanted.insert(*at)) return {};
    const auto& entry = index.entries()[*at];
    total += entry.raw_length ? entry.raw_length : entry.length - crypto::kSealOverhead;
    ++blobs;
    return {};
  };
  TRY_VOID(walk_trees(
      source, roots,
      [&](const Id& id, const Result<Tree>& tree) -> Status {
        if (!tree) return std::unexpected(tree.error());
        TRY_VOID(want(BlobType::tree, id));
        for (const Node& node : tree->nodes) {
          for (const Id& blob : node.content) TRY_VOID(want(BlobType::data, blob));
        }
        return {};
      },
      stop));
  if (on_total) on_total(total);

  const PackTable table(index);
  BlobSaver saver(destination, saver_options, stop);
  const unsigned threads =
      source.store().is_remote() ? std::max(cpu_threads(), source.store().connections()) : cpu_threads();
  struct Reader {
    explicit Reader(const crypto::SealKey& key) : codec(key) {}
    Codec codec;
    Buffer raw;
  };
  TRY_VOID(parallel_for(
      index.packs().size(), threads, [&] { return std::make_unique<Reader>(source.master_key()); },
      [&](size_t pack, std::unique_ptr<Reader>& reader) -> Status {
        std::vector<WantedBlob> list;
        for (const uint32_t at : table.positions(static_cast<uint32_t>(pack))) {
          const auto& entry = index.entries()[at];
          if (!wanted.contains(at)) continue;
          list.push_back({index.packs()[pack],
                          {entry.id, entry.type(), entry.offset, entry.length, entry.raw_length},
                          list.size()});
        }
        for (const Fetch& fetch : plan_fetches(std::move(list), kReadGap, kReadLength)) {
          // The blobs of one read share its memory until the last of them is stored.
          struct Held {
            Buffer bytes;
            std::vector<Id> ids;
          };
          auto held = std::make_shared<Held>();
          held->bytes.resize(plain_size(fetch));
          TRY_VOID(run_fetch(source, fetch, reader->codec, reader->raw, {held->bytes.data(), held->bytes.size()}));
          for (const auto& item : fetch.items) held->ids.push_back(item.blob.id);
          size_t at = 0;
          for (size_t i = 0; i < fetch.items.size(); ++i) {
            const uint64_t size = fetch.items[i].blob.plain_length();
            BlobSaver::Task task;
            task.type = fetch.items[i].blob.type;
            task.plain = held->bytes.span(at, size);
            at += size;
            task.id = &held->ids[i];
            task.id_known = true;
            task.keep = held;
            TRY_VOID(saver.submit(std::move(task)));
            if (on_bytes) on_bytes(size);
          }
        }
        return {};
      }));
  TRY_VOID(saver.flush());
  report.blobs = blobs;
  report.bytes = total;
  report.bytes_stored = saver.stats().bytes_packed;

  if (still_locked) TRY_VOID(still_locked());
  Codec codec(destination.master_key());
  for (const Snapshot* snapshot : todo) {
    if (stop.stop_requested()) return fail(ErrorClass::interrupted, "interrupted", "stopped");
    Snapshot copy = *snapshot;
    copy.original = origin(*snapshot);
    copy.parent.reset();  // an id of the other repository
    copy.id = TRY(destination.save(ObjectType::snapshot, snapshot_text(copy), codec).context("writing the snapshot"));
    report.copied.push_back(std::move(copy));
  }
  return report;
}

}  // namespace holdfast::repo

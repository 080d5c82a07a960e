#include "repo/prune.h"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <memory>
#include <mutex>
#include <unordered_map>
#include <unordered_set>

#include "crypto/sha256.h"
#include "repo/blob_fetch.h"
#include "repo/environment.h"
#include "repo/format/pack_header.h"
#include "repo/pack_writer.h"
#include "repo/parallel.h"

namespace holdfast::repo {
namespace {

constexpr int64_t kRusticKeep = 23 * 3600;  // rustic's --keep-delete
constexpr size_t kSmallIndex = 10'000;      // blobs; index objects below this are joined when there are many
constexpr size_t kManySmallIndexes = 16;
constexpr uint32_t kReadGap = 128 * 1024;  // unused bytes read over rather than asking again
constexpr uint32_t kReadLength = 8 * 1024 * 1024;
constexpr size_t kGroupBytes = 16 * 1024 * 1024;  // plain bytes proved together

unsigned store_threads(Repository& repository) {
  return repository.store().is_remote() ? std::max(cpu_threads(), repository.store().connections()) : cpu_threads();
}

Status stopped(const std::stop_token& stop) {
  if (stop.stop_requested()) return fail(ErrorClass::interrupted, "interrupted", "stopped");
  return {};
}

void phase(const PruneHooks& hooks, const char* name, uint64_t bytes = 0) {
  if (hooks.on_phase) hooks.on_phase(name, bytes);
}

std::unexpected<Error> cannot_read(const Error& error) {
  if (error.error_class != ErrorClass::verification_failed && error.id != store::kNotFound)
    return std::unexpected(error);
  return fail(ErrorClass::verification_failed, "repo.prune.damaged",
              fmt::format("{}; nothing was removed, because what snapshots need is not known", error.to_string()),
              "holdfast check --read-data names what is damaged");
}

// A bit at the first index entry of every blob that a snapshot needs.
Result<std::unique_ptr<EntrySet>> used_blobs(Repository& repository, std::span<const Id> roots,
                                             const std::stop_token& stop) {
  const BlobIndex& index = repository.index();
  auto used = std::make_unique<EntrySet>(index.entries().size());
  auto walked = walk_trees(
      repository, roots,
      [&](const Id& id, const Result<Tree>& tree) -> Status {
        if (!tree) return std::unexpected(tree.error());
        used->insert(*index.position(BlobType::tree, id));
        for (const Node& node : tree->nodes) {
          for (const Id& blob : node.content) {
            const auto at = index.position(BlobType::data, blob);
            if (!at) return damaged(fmt::format("data blob {} of tree {} is in no index", blob.hex(), id.short_hex()));
            used->insert(*at);
          }
        }
        return {};
      },
      stop);
  if (!walked) return cannot_read(walked.error());
  return used;
}

// Which index objects are written anew, and what becomes of the packs that are in none.
class IndexPlan {
 public:
  IndexPlan(Repository& repository, PrunePlan& plan, const PruneLimits& limits)
      : repository_(repository), plan_(plan), limits_(limits) {}

  Status run(const std::vector<ObjectRef>& stored) {
    const Timestamp time = now();
    std::unordered_set<Id> indexed(repository_.index().packs().begin(), repository_.index().packs().end());
    std::unordered_map<Id, uint64_t> orphans;
    for (const ObjectRef& pack : stored) {
      if (!indexed.contains(pack.id)) orphans.emplace(pack.id, pack.size);
    }
    choose_rewrites();
    // Old marks: those of packs that are gone or used again are dropped, those long enough ago are carried out.
    for (size_t i = 0; i < plan_.indexes.size(); ++i) {
      for (const MarkedPack& marked : plan_.indexes[i].marked) {
        const auto mark = parse_mark(marked);
        if (mark && !orphans.contains(mark->id)) {
          if (!indexed.contains(mark->id)) rewrite_[i] = true;  // the pack is gone
          kept_marks_[i].push_back(marked);
          continue;
        }
        // A mark without time is as old as anything; one that cannot be read is not ours to judge.
        // A backup of rustic may use what rustic has marked, until its own time for that is over.
        const int64_t grace = std::max(limits_.orphan_grace_seconds, mark && mark->has_blobs ? kRusticKeep : 0);
        const bool due = mark && (!mark->time || time.seconds - mark->time->seconds >= grace);
        if (mark) orphans_bytes_[mark->id] = orphans[mark->id];
        if (mark) orphans.erase(mark->id);
        if (due) {
          plan_.orphans.push_back(mark->id);
          rewrite_[i] = true;
        } else {
          kept_marks_[i].push_back(marked);
          ++plan_.decision.stats.orphans_waiting;
        }
      }
    }
    for (const auto& [id, size] : orphans) {
      if (limits_.orphan_grace_seconds == 0) {
        orphans_bytes_[id] = size;
        plan_.orphans.push_back(id);
      } else {
        plan_.marks.push_back(mark_pack(id, size, time, {}));
        ++plan_.decision.stats.orphans_waiting;
      }
    }
    std::sort(plan_.orphans.begin(), plan_.orphans.end());
    plan_.orphans.erase(std::unique(plan_.orphans.begin(), plan_.orphans.end()), plan_.orphans.end());
    plan_.decision.stats.orphans_removed = plan_.orphans.size();
    for (const Id& id : plan_.orphans) plan_.decision.stats.orphans_bytes += orphans_bytes_[id];
    for (size_t i = 0; i < plan_.indexes.size(); ++i) {
      if (!rewrite_[i]) continue;
      plan_.rewrite.push_back(i);
      for (const MarkedPack& marked : kept_marks_[i]) {
        const auto mark = parse_mark(marked);
        // Of a pack that is neither stored nor indexed nothing is left to mark.
        if (!mark || indexed.contains(mark->id) || orphans_bytes_.contains(mark->id)) plan_.marks.push_back(marked);
      }
    }
    return {};
  }

 private:
  void choose_rewrites() {
    rewrite_.assign(plan_.indexes.size(), false);
    kept_marks_.resize(plan_.indexes.size());
    size_t small = 0;
    for (size_t i = 0; i < plan_.indexes.size(); ++i) {
      for (const uint32_t pack : plan_.indexes[i].packs) {
        if (plan_.decision.packs[pack].action != PackAction::keep) rewrite_[i] = true;
      }
      small += plan_.indexes[i].blobs < kSmallIndex;
    }
    if (small < kManySmallIndexes) return;
    for (size_t i = 0; i < plan_.indexes.size(); ++i) {
      if (plan_.indexes[i].blobs < kSmallIndex) rewrite_[i] = true;
    }
  }

  Repository& repository_;
  PrunePlan& plan_;
  const PruneLimits& limits_;
  std::vector<bool> rewrite_;
  std::vector<std::vector<MarkedPack>> kept_marks_;
  std::unordered_map<Id, uint64_t> orphans_bytes_;
};

// Copies the used blobs of the packs to be rewritten into new packs.
class Repack {
 public:
  Repack(Repository& repository, const PrunePlan& plan, const PackTable& table, const PruneLimits& limits,
         const PruneHooks& hooks, IndexWriter& index)
      : repository_(repository), plan_(plan), table_(table), limits_(limits), hooks_(hooks), index_(index) {}

  Status run(const std::stop_token& stop) {
    std::mutex mutex;
    std::vector<std::shared_ptr<Worker>> workers;
    TRY_VOID(parallel_for(
        plan_.decision.repack.size(), store_threads(repository_),
        [&] {
          auto worker = std::make_shared<Worker>(repository_, index_, limits_.pack_size);
          std::lock_guard lock(mutex);
          workers.push_back(worker);
          return worker;
        },
        [&](size_t i, std::shared_ptr<Worker>& worker) -> Status {
          TRY_VOID(stopped(stop));
          return copy_pack(plan_.decision.repack[i], *worker);
        }));
    for (size_t i = 1; i < workers.size(); ++i) TRY_VOID(workers[0]->writer.adopt(workers[i]->writer));
    return workers.empty() ? Status{} : workers[0]->writer.finish();
  }

 private:
  struct Worker {
    Worker(Repository& repository, IndexWriter& index, size_t pack_size)
        : codec(repository.master_key()), writer(repository, index, pack_size) {}
    Codec codec;
    PackWriter writer;
    Buffer raw, plain;
  };

  Status copy_pack(uint32_t number, Worker& worker) {
    const Id& pack = repository_.index().packs()[number];
    std::vector<WantedBlob> wanted;
    for (const uint32_t at : table_.positions(number)) {
      if (!plan_.decision.copies->contains(at)) continue;
      const auto& entry = repository_.index().entries()[at];
      wanted.push_back({pack, {entry.id, entry.type(), entry.offset, entry.length, entry.raw_length}, wanted.size()});
    }
    for (const Fetch& fetch : plan_fetches(std::move(wanted), kReadGap, kReadLength)) {
      auto got = repository_.store().get(object_key(ObjectType::pack, pack), fetch.offset, fetch.length, worker.raw);
      if (!got) return cannot_read(got.error());
      TRY_VOID(copy_blobs(fetch, worker));
      if (hooks_.on_bytes) hooks_.on_bytes(fetch.length);
    }
    return {};
  }

  Status copy_blobs(const Fetch& fetch, Worker& worker) {
    for (size_t next = 0; next < fetch.items.size();) {
      size_t last = next, bytes = 0;
      while (last < fetch.items.size() &&
             (last == next || bytes + fetch.items[last].blob.plain_length() <= kGroupBytes)) {
        bytes += fetch.items[last++].blob.plain_length();
      }
      worker.plain.resize(bytes);
      std::vector<ByteSpan> messages;
      size_t at = 0;
      for (size_t i = next; i < last; ++i) {
        const PackedBlob& blob = fetch.items[i].blob;
        const MutableByteSpan plain(worker.plain.data() + at, blob.plain_length());
        at += plain.size();
        const auto opened = Repository::decode_blob(blob, sealed_bytes(fetch, blob, worker), plain, worker.codec);
        if (!opened) return broken(fetch, blob, opened.error().message);
        messages.push_back(plain);
      }
      std::vector<crypto::Digest> digests(messages.size());
      crypto::sha256_many(messages, digests);
      for (size_t i = next; i < last; ++i) {
        const PackedBlob& blob = fetch.items[i].blob;
        if (digests[i - next] != blob.id.bytes) return broken(fetch, blob, "content does not match its id");
        const bool compress = repository_.config().version >= 2 && !blob.compressed() && !messages[i - next].empty() &&
                              (blob.type == BlobType::tree || limits_.repack_uncompressed);
        TRY_VOID(compress ? worker.writer.add_plain(blob.type, blob.id, messages[i - next])
                          : worker.writer.add_sealed(blob, sealed_bytes(fetch, blob, worker)));
      }
      next = last;
    }
    return {};
  }

  static ByteSpan sealed_bytes(const Fetch& fetch, const PackedBlob& blob, const Worker& worker) {
    return worker.raw.span(blob.offset - fetch.offset, blob.length);
  }
  static std::unexpected<Error> broken(const Fetch& fetch, const PackedBlob& blob, const std::string& why) {
    return fail(ErrorClass::verification_failed, "repo.prune.damaged",
                fmt::format("blob {} in pack {}: {}; nothing was removed", blob.id.hex(), fetch.pack.hex(), why),
                "holdfast check --read-data names what is damaged");
  }

  Repository& repository_;
  const PrunePlan& plan_;
  const PackTable& table_;
  const PruneLimits& limits_;
  const PruneHooks& hooks_;
  IndexWriter& index_;
};

}  // namespace

Status remove_objects(Repository& repository, ObjectType type, const std::vector<Id>& ids, const PruneHooks& hooks,
                      const std::stop_token& stop) {
  const unsigned threads = std::max(2u, repository.store().connections());
  return parallel_for(
      ids.size(), threads, [] { return 0; },
      [&](size_t i, int&) -> Status {
        TRY_VOID(stopped(stop));
        if (hooks.may_remove) TRY_VOID(hooks.may_remove());
        return repository.remove(type, ids[i]);
      });
}

bool PrunePlan::changes_anything() const {
  return !rewrite.empty() || !marks.empty() || !orphans.empty() || !decision.repack.empty();
}

Result<PrunePlan> plan_prune(Repository& repository, const std::vector<Id>& forgotten, const PruneLimits& limits,
                             const PruneHooks& hooks, std::stop_token stop) {
  PrunePlan plan;
  // Packs first: one that a program without locks adds from now on is not even looked at. Snapshots before the index:
  // whatever they need is in it.
  phase(hooks, "packs");
  const std::vector<ObjectRef> stored = TRY(repository.list(ObjectType::pack));
  phase(hooks, "snapshots");
  for (const ObjectRef& object : TRY(repository.list(ObjectType::snapshot))) plan.snapshots.push_back(object.id);
  std::sort(plan.snapshots.begin(), plan.snapshots.end());
  auto snapshots = repository.load_snapshots();
  if (!snapshots) return cannot_read(snapshots.error());
  std::vector<Id> roots;
  for (const Snapshot& snapshot : *snapshots) {
    if (!std::binary_search(forgotten.begin(), forgotten.end(), snapshot.id)) roots.push_back(snapshot.tree);
  }
  phase(hooks, "index");
  plan.indexes = TRY(load_index_objects(repository));
  for (const IndexObject& object : plan.indexes) {
    if (!object.error) continue;
    return fail(ErrorClass::verification_failed, "repo.prune.damaged",
                fmt::format("index {}: {}; nothing was removed", object.id.hex(), object.error->to_string()),
                "holdfast repo repair-index");
  }
  phase(hooks, "trees");
  const auto used = TRY(used_blobs(repository, roots, stop));
  phase(hooks, "decisions");
  const BlobIndex& index = repository.index();
  std::unordered_map<Id, uint64_t> sizes;
  sizes.reserve(stored.size());
  for (const ObjectRef& pack : stored) sizes.emplace(pack.id, pack.size);
  std::vector<std::optional<uint64_t>> by_number(index.packs().size());
  for (size_t i = 0; i < by_number.size(); ++i) {
    if (const auto at = sizes.find(index.packs()[i]); at != sizes.end()) by_number[i] = at->second;
  }
  const PackTable table(index);
  plan.decision = TRY(decide_packs(index, table, *used, by_number, repository.config().version, limits));
  TRY_VOID(IndexPlan(repository, plan, limits).run(stored));
  return plan;
}

Status run_prune(Repository& repository, const PrunePlan& plan, const PruneLimits& limits, const PruneHooks& hooks,
                 std::stop_token stop) {
  const BlobIndex& index = repository.index();
  const PackTable table(index);
  IndexWriter writer(repository);
  phase(hooks, "rewriting packs", plan.decision.stats.repacked.bytes);
  TRY_VOID(Repack(repository, plan, table, limits, hooks, writer).run(stop));

  phase(hooks, "index");
  TRY_VOID(stopped(stop));
  std::vector<bool> written(index.packs().size(), false);
  for (const size_t i : plan.rewrite) {
    for (const uint32_t pack : plan.indexes[i].packs) {
      if (written[pack] || plan.decision.packs[pack].action != PackAction::keep) continue;
      written[pack] = true;
      TRY_VOID(writer.add(index.packs()[pack], table.blobs(pack)));
    }
  }
  writer.add_marks(plan.marks);
  TRY_VOID(writer.flush());

  // Everything new is durable. From here on things go.
  if (hooks.still_locked) TRY_VOID(hooks.still_locked());
  for (const ObjectRef& snapshot : TRY(repository.list(ObjectType::snapshot))) {
    if (std::binary_search(plan.snapshots.begin(), plan.snapshots.end(), snapshot.id)) continue;
    return fail(
        ErrorClass::conflict, "repo.prune.concurrent",
        fmt::format(
            "snapshot {} appeared during the prune: a program writes without taking a lock; no pack was removed",
            snapshot.id.short_hex()),
        "run the prune again when no program writes");
  }
  const auto fresh = writer.written();
  std::vector<Id> old_indexes, old_packs = plan.orphans;
  for (const size_t i : plan.rewrite) {
    // The same packs in the same order would give the same text, but never the same object: each is sealed anew.
    if (std::find(fresh.begin(), fresh.end(), plan.indexes[i].id) == fresh.end())
      old_indexes.push_back(plan.indexes[i].id);
  }
  TRY_VOID(remove_objects(repository, ObjectType::index, old_indexes, hooks, stop));
  phase(hooks, "removing packs");
  for (size_t i = 0; i < plan.decision.packs.size(); ++i) {
    const PackFacts& pack = plan.decision.packs[i];
    if (pack.present && (pack.action == PackAction::remove || pack.action == PackAction::repack)) {
      old_packs.push_back(index.packs()[i]);
    }
  }
  return remove_objects(repository, ObjectType::pack, old_packs, hooks, stop);
}

}  // namespace holdfast::repo

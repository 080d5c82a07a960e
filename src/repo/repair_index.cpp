#include "repo/repair_index.h"

#include <fmt/format.h>

#include <algorithm>
#include <mutex>
#include <optional>
#include <unordered_map>
#include <unordered_set>

#include "repo/format/pack_header.h"
#include "repo/index_objects.h"
#include "repo/index_writer.h"
#include "repo/parallel.h"

namespace holdfast::repo {
namespace {

constexpr uint64_t kFirstRead = 4096;  // enough for the header of about 100 blobs

struct Found {
  Id id;
  std::optional<uint32_t> number;  // the index's entries are right
  std::vector<PackedBlob> blobs;   // otherwise: from the header
  bool readable = true;
};

}  // namespace

Result<std::vector<PackedBlob>> read_pack_header(Repository& repository, const Id& pack, uint64_t size, Codec& codec) {
  const std::string key = object_key(ObjectType::pack, pack);
  Buffer tail;
  uint64_t length = std::min(size, kFirstRead);
  TRY_VOID(repository.store().get(key, size - length, length, tail));
  if (length < 4) return damaged(key + " is too short for a pack");
  const uint64_t needed = uint64_t{TRY(pack_header_length(tail.span().last(4), size))} + 4;
  if (needed > length) {
    length = needed;
    TRY_VOID(repository.store().get(key, size - length, length, tail));
  }
  auto header = codec.sealer.open_in_place({tail.data() + (length - needed), needed - 4});
  if (!header) return damaged(fmt::format("{}: header: {}", key, header.error().message));
  auto blobs = TRY(decode_pack_header(*header));
  if (pack_size(blobs) != size) return damaged(key + ": its header does not account for all of its bytes");
  return blobs;
}

Result<RepairReport> repair_index(Repository& repository, bool read_all, bool dry_run, std::stop_token stop) {
  RepairReport report;
  const auto stored = TRY(repository.list(ObjectType::pack));
  const auto objects = TRY(load_index_objects(repository));
  const BlobIndex& index = repository.index();
  const PackTable table(index);
  report.packs = stored.size();

  std::unordered_map<Id, uint32_t> numbers;
  for (size_t i = 0; i < index.packs().size(); ++i) numbers.emplace(index.packs()[i], static_cast<uint32_t>(i));
  std::unordered_set<Id> marked;
  for (const IndexObject& object : objects) {
    for (const MarkedPack& mark : object.marked) {
      if (const auto parsed = parse_mark(mark)) marked.insert(parsed->id);
    }
  }
  std::vector<Found> packs(stored.size());
  std::mutex mutex;
  const unsigned threads = std::max(cpu_threads(), repository.store().connections());
  TRY_VOID(parallel_for(
      stored.size(), threads, [&] { return Codec(repository.master_key()); },
      [&](size_t i, Codec& codec) -> Status {
        if (stop.stop_requested()) return fail(ErrorClass::interrupted, "interrupted", "stopped");
        Found& found = packs[i];
        found.id = stored[i].id;
        const auto at = numbers.find(found.id);
        if (at != numbers.end() && !read_all && pack_size(table.blobs(at->second)) == stored[i].size) {
          found.number = at->second;
          return {};
        }
        if (at == numbers.end() && !read_all && marked.contains(found.id)) {
          found.readable = false;  // stays marked, not indexed
          return {};
        }
        auto blobs = read_pack_header(repository, found.id, stored[i].size, codec);
        if (!blobs && blobs.error().error_class == ErrorClass::unavailable)
          return std::unexpected(std::move(blobs).error());
        std::lock_guard lock(mutex);
        ++report.headers_read;
        if (!blobs) {
          found.readable = false;
          report.unreadable.push_back(fmt::format("pack {}: {}", found.id.hex(), blobs.error().to_string()));
          return {};
        }
        if (at != numbers.end() && table.blobs(at->second) == *blobs) {
          found.number = at->second;
        } else {
          found.blobs = std::move(*blobs);
          ++report.packs_added;
        }
        return {};
      }));

  std::vector<bool> right(index.packs().size(), false);
  for (const Found& found : packs) {
    if (found.number) right[*found.number] = true;
  }
  std::unordered_set<Id> present;
  for (const ObjectRef& pack : stored) present.insert(pack.id);
  for (const Id& pack : index.packs()) report.packs_missing += !present.contains(pack);

  // Objects that name only right packs stay as they are, unless nothing is trusted.
  std::vector<const IndexObject*> replaced;
  for (const IndexObject& object : objects) {
    const bool wrong = object.error || std::any_of(object.packs.begin(), object.packs.end(),
                                                   [&](uint32_t pack) { return !right[pack]; });
    if (wrong || read_all) replaced.push_back(&object);
  }
  report.indexes_removed = replaced.size();
  if (dry_run || (replaced.empty() && report.packs_added == 0)) return report;

  IndexWriter writer(repository);
  std::vector<bool> written(index.packs().size(), false);
  for (const IndexObject* object : replaced) {
    for (const uint32_t pack : object->packs) {
      if (!right[pack] || written[pack]) continue;
      written[pack] = true;
      TRY_VOID(writer.add(index.packs()[pack], table.blobs(pack)));
    }
    std::vector<MarkedPack> marks;
    for (const MarkedPack& mark : object->marked) {
      const auto parsed = parse_mark(mark);
      if (parsed && (!present.contains(parsed->id) || read_all)) continue;
      marks.push_back(mark);
    }
    writer.add_marks(std::move(marks));
  }
  for (const Found& found : packs) {
    if (!found.number && found.readable) TRY_VOID(writer.add(found.id, found.blobs));
  }
  TRY_VOID(writer.flush());
  report.indexes_written = writer.written().size();
  for (const IndexObject* object : replaced) TRY_VOID(repository.remove(ObjectType::index, object->id));
  return report;
}

}  // namespace holdfast::repo

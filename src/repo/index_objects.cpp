#include "repo/index_objects.h"

#include <algorithm>

#include "repo/parallel.h"

namespace holdfast::repo {

Result<std::vector<IndexObject>> load_index_objects(Repository& repository) {
  const auto names = TRY(repository.list(ObjectType::index));
  std::vector<IndexObject> objects(names.size());
  const unsigned threads = std::max(cpu_threads(), repository.store().connections());
  TRY_VOID(parallel_for(
      names.size(), threads, [&] { return Codec(repository.master_key()); },
      [&](size_t i, Codec& codec) -> Status {
        IndexObject& object = objects[i];
        object.id = names[i].id;
        auto text = repository.load(ObjectType::index, object.id, codec);
        if (!text && text.error().error_class == ErrorClass::unavailable) return std::unexpected(text.error());
        if (!text) {
          object.error = std::move(text).error();
          return {};
        }
        auto parsed = parse_index(
            as_text(*text),
            [&](PackContents&& pack) {
              object.packs.push_back(repository.index().load_pack(pack.id, pack.blobs));
              object.blobs += pack.blobs.size();
            },
            [&](MarkedPack&& marked) { object.marked.push_back(std::move(marked)); });
        if (!parsed) object.error = std::move(parsed).error();
        return {};
      }));
  repository.index().finish_loading();
  return objects;
}

PackTable::PackTable(const BlobIndex& index) : index_(index), first_(index.packs().size() + 1, 0) {
  const auto entries = index.entries();
  for (const auto& entry : entries) ++first_[entry.pack() + 1];
  for (size_t i = 1; i < first_.size(); ++i) first_[i] += first_[i - 1];
  order_.resize(entries.size());
  std::vector<size_t> next(first_.begin(), first_.end() - 1);
  for (size_t i = 0; i < entries.size(); ++i) order_[next[entries[i].pack()]++] = static_cast<uint32_t>(i);
  for (size_t pack = 0; pack + 1 < first_.size(); ++pack) {
    std::sort(order_.begin() + static_cast<ptrdiff_t>(first_[pack]),
              order_.begin() + static_cast<ptrdiff_t>(first_[pack + 1]),
              [&](uint32_t a, uint32_t b) { return entries[a].offset < entries[b].offset; });
  }
}

std::vector<PackedBlob> PackTable::blobs(uint32_t pack) const {
  std::vector<PackedBlob> list;
  for (const uint32_t at : positions(pack)) {
    const auto& entry = index_.entries()[at];
    list.push_back({entry.id, entry.type(), entry.offset, entry.length, entry.raw_length});
  }
  return list;
}

}  // namespace holdfast::repo

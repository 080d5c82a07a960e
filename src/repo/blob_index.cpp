#include "repo/blob_index.h"

#include <algorithm>
#include <bit>

namespace holdfast::repo {
namespace {

bool by_id(const BlobIndex::Entry& a, const BlobIndex::Entry& b) {
  const uint64_t pa = a.id.prefix(), pb = b.id.prefix();
  if (pa != pb) return pa < pb;
  if (a.id != b.id) return a.id < b.id;
  if (a.type() != b.type()) return a.type() < b.type();
  return a.pack_and_type != b.pack_and_type ? a.pack_and_type < b.pack_and_type : a.offset < b.offset;
}

bool same_place(const BlobIndex::Entry& a, const BlobIndex::Entry& b) {
  return a.id == b.id && a.pack_and_type == b.pack_and_type && a.offset == b.offset && a.length == b.length &&
         a.raw_length == b.raw_length;
}

}  // namespace

uint32_t BlobIndex::load_pack(const Id& pack, std::span<const PackedBlob> blobs) {
  MutexLock lock(load_mutex_);
  const auto [at, is_new] = pack_numbers_.try_emplace(pack, static_cast<uint32_t>(packs_.size()));
  const uint32_t number = at->second;
  if (is_new) {
    packs_.push_back(pack);
  } else {
    repeated_packs_ = true;
  }
  for (const auto& blob : blobs) {
    Entry entry{blob.id, number << 1 | static_cast<uint32_t>(blob.type), blob.offset, blob.length, blob.raw_length};
    entries_.append(ByteSpan(reinterpret_cast<const uint8_t*>(&entry), sizeof entry));
  }
  return number;
}

void BlobIndex::finish_loading() {
  auto* first = reinterpret_cast<Entry*>(entries_.data());
  size_t count = entries_.size() / sizeof(Entry);
  std::sort(first, first + count, by_id);
  if (repeated_packs_) {
    count = static_cast<size_t>(std::unique(first, first + count, same_place) - first);
    entries_.resize(count * sizeof(Entry));
  }
  pack_numbers_ = {};
  entries_.shrink();
  packs_.shrink_to_fit();
  first = reinterpret_cast<Entry*>(entries_.data());
  // About 16 entries a bucket: a lookup touches one bucket bound and a few neighbouring entries.
  bucket_bits_ = count < 32 ? 0 : static_cast<unsigned>(std::bit_width(count / 16)) - 1;
  buckets_.assign((size_t{1} << bucket_bits_) + 1, static_cast<uint32_t>(count));
  size_t next = 0;
  for (size_t i = 0; i < count; ++i) {
    const size_t bucket = bucket_bits_ == 0 ? 0 : first[i].id.prefix() >> (64 - bucket_bits_);
    while (next <= bucket) buckets_[next++] = static_cast<uint32_t>(i);
  }
}

std::optional<size_t> BlobIndex::position(BlobType type, const Id& id) const {
  if (buckets_.empty()) return std::nullopt;
  const size_t bucket = bucket_bits_ == 0 ? 0 : id.prefix() >> (64 - bucket_bits_);
  const auto all = entries();
  const Entry wanted{id, static_cast<uint32_t>(type), 0, 0, 0};
  const auto from = all.begin() + buckets_[bucket], to = all.begin() + buckets_[bucket + 1];
  const auto at = std::lower_bound(from, to, wanted, by_id);
  if (at == to || at->id != id || at->type() != type) return std::nullopt;
  return static_cast<size_t>(at - all.begin());
}

std::optional<BlobLocation> BlobIndex::find(BlobType type, const Id& id) const {
  if (const auto at = position(type, id)) {
    const Entry& entry = entries()[*at];
    return BlobLocation{packs_[entry.pack()], {entry.id, entry.type(), entry.offset, entry.length, entry.raw_length}};
  }
  MutexLock lock(added_mutex_);
  const auto at = added_.find(Key{id, type});
  return at == added_.end() ? std::nullopt : at->second;
}

std::vector<BlobLocation> BlobIndex::copies(BlobType type, const Id& id) const {
  std::vector<BlobLocation> all;
  const auto known = entries();
  for (size_t at = position(type, id).value_or(known.size());
       at < known.size() && known[at].id == id && known[at].type() == type; ++at) {
    const Entry& entry = known[at];
    all.push_back({packs_[entry.pack()], {entry.id, type, entry.offset, entry.length, entry.raw_length}});
  }
  MutexLock lock(added_mutex_);
  const auto at = added_.find(Key{id, type});
  if (at != added_.end() && at->second) all.push_back(*at->second);
  return all;
}

bool BlobIndex::contains(BlobType type, const Id& id) const {
  if (position(type, id)) return true;
  MutexLock lock(added_mutex_);
  return added_.contains(Key{id, type});
}

bool BlobIndex::claim(BlobType type, const Id& id) {
  if (position(type, id)) return false;
  MutexLock lock(added_mutex_);
  return added_.try_emplace(Key{id, type}).second;
}

void BlobIndex::add_pack(const Id& pack, std::span<const PackedBlob> blobs) {
  MutexLock lock(added_mutex_);
  for (const auto& blob : blobs) added_[Key{blob.id, blob.type}] = BlobLocation{pack, blob};
}

}  // namespace holdfast::repo

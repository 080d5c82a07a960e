#include "repo/pack_writer.h"

#include "crypto/sha256.h"

namespace holdfast::repo {
namespace {

constexpr size_t kMaxBlobsInPack = 50'000;  // keeps the header far below its 16 MiB limit

}  // namespace

PackWriter::PackWriter(Repository& repository, IndexWriter& index, size_t pack_size)
    : repository_(repository),
      index_(index),
      pack_size_(pack_size),
      sealer_(repository.master_key()),
      proof_(repository.master_key()),
      data_(codec::ZstdProfile::stream, true),
      tree_(codec::ZstdProfile::small) {}

Status PackWriter::add_sealed(const PackedBlob& blob, ByteSpan sealed) {
  OpenPack& pack = open_[static_cast<size_t>(blob.type)];
  PackedBlob placed = blob;
  placed.offset = static_cast<uint32_t>(pack.bytes.size());
  pack.bytes.append(sealed);
  pack.blobs.push_back(placed);
  return store_if_full(pack);
}

Status PackWriter::add_plain(BlobType type, const Id& id, ByteSpan plain) {
  OpenPack& pack = open_[static_cast<size_t>(type)];
  codec::ZstdCompressor* compressor = type == BlobType::tree ? &tree_ : &data_;
  if (repository_.config().version < 2) compressor = nullptr;
  TRY_VOID(append_blob(pack, type, id, plain, {.compressor = compressor, .sealer = sealer_, .proof = &proof_}));
  return store_if_full(pack);
}

Status PackWriter::adopt(PackWriter& other) {
  for (const size_t type : {0, 1}) {
    OpenPack& from = other.open_[type];
    if (from.empty()) continue;
    append_pack(open_[type], from);
    from = OpenPack{};
    TRY_VOID(store_if_full(open_[type]));
  }
  bytes_stored_ += other.bytes_stored_;
  packs_stored_ += other.packs_stored_;
  return {};
}

Status PackWriter::finish() {
  for (OpenPack& pack : open_) {
    if (!pack.empty()) TRY_VOID(store(pack));
  }
  return {};
}

Status PackWriter::store_if_full(OpenPack& pack) {
  if (pack.bytes.size() < pack_size_ && pack.blobs.size() < kMaxBlobsInPack) return {};
  return store(pack);
}

Status PackWriter::store(OpenPack& pack) {
  close_pack(pack, sealer_);
  const Id id{crypto::sha256(pack.bytes)};
  TRY_VOID(repository_.store()
               .put(object_key(ObjectType::pack, id), pack.bytes, {.sha256 = id.bytes})
               .context("writing a pack"));
  bytes_stored_ += pack.bytes.size();
  ++packs_stored_;
  TRY_VOID(index_.add(id, pack.blobs));
  pack.bytes.clear();
  pack.blobs.clear();
  return {};
}

}  // namespace holdfast::repo

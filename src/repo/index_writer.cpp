#include "repo/index_writer.h"

#include <utility>

namespace holdfast::repo {

Status IndexWriter::add(const Id& pack, std::span<const PackedBlob> blobs) {
  std::string full;
  {
    std::lock_guard lock(mutex_);
    const auto now = std::chrono::steady_clock::now();
    if (packs_.empty()) {
      first_ = now;
    } else {
      packs_ += ',';
    }
    append_index_pack(packs_, pack, blobs);
    blobs_ += blobs.size();
    if (blobs_ < kMaxBlobs && now - first_ < kMaxAge) return {};
    full = std::exchange(packs_, {});
    blobs_ = 0;
  }
  return write(std::move(full));
}

Status IndexWriter::flush() {
  std::string rest;
  {
    std::lock_guard lock(mutex_);
    rest = std::exchange(packs_, {});
    blobs_ = 0;
  }
  return rest.empty() ? Status{} : write(std::move(rest));
}

Status IndexWriter::write(std::string packs) {
  Codec codec(repository_.master_key());
  const Id id = TRY(repository_.save(ObjectType::index, index_text(packs, {}), codec).context("writing the index"));
  std::lock_guard lock(mutex_);
  written_.push_back(id);
  return {};
}

std::vector<Id> IndexWriter::written() const {
  std::lock_guard lock(mutex_);
  return written_;
}

}  // namespace holdfast::repo

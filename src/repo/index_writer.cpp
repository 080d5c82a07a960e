#include "repo/index_writer.h"

#include <utility>

namespace holdfast::repo {

Status IndexWriter::add(const Id& pack, std::span<const PackedBlob> blobs) {
  std::string full;
  {
    MutexLock lock(mutex_);
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
  return write(std::move(full), {});
}

void IndexWriter::add_marks(std::vector<MarkedPack> marks) {
  MutexLock lock(mutex_);
  for (MarkedPack& mark : marks) marks_.push_back(std::move(mark));
}

Status IndexWriter::flush() {
  std::string rest;
  std::vector<MarkedPack> marks;
  {
    MutexLock lock(mutex_);
    rest = std::exchange(packs_, {});
    marks = std::exchange(marks_, {});
    blobs_ = 0;
  }
  return rest.empty() && marks.empty() ? Status{} : write(std::move(rest), marks);
}

Status IndexWriter::write(std::string packs, const std::vector<MarkedPack>& marks) {
  Codec codec(repository_.master_key());
  const Id id = TRY(repository_.save(ObjectType::index, index_text(packs, marks), codec).context("writing the index"));
  MutexLock lock(mutex_);
  written_.push_back(id);
  return {};
}

std::vector<Id> IndexWriter::written() const {
  MutexLock lock(mutex_);
  return written_;
}

}  // namespace holdfast::repo

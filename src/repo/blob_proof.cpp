#include "repo/blob_proof.h"

#include <fmt/format.h>

#include <cstring>

namespace holdfast::repo {

Status BlobProof::check(const PackedBlob& blob, ByteSpan sealed, ByteSpan plain) {
  const auto unreadable = [&](const std::string& why) {
    return fail(ErrorClass::bug, "repo.blob.unreadable",
                fmt::format("blob {} cannot be read back as it was written ({}); nothing of it was stored",
                            blob.id.short_hex(), why),
                "run the same command again; if it fails again, test this machine's memory, and report it");
  };
  if (blob.plain_length() != plain.size()) return unreadable("its length differs");
  opened_.resize(plain.size());
  const Status opened = Repository::decode_blob(blob, sealed, {opened_.data(), opened_.size()}, codec_);
  if (!opened) return unreadable(opened.error().message);
  if (!plain.empty() && std::memcmp(opened_.data(), plain.data(), plain.size()) != 0)
    return unreadable("its content differs");
  return {};
}

}  // namespace holdfast::repo

// Blobs: the pieces a repository is made of, and where one lies.
#pragma once

#include <cstdint>

#include "crypto/seal.h"
#include "repo/format/id.h"

namespace holdfast::repo {

enum class BlobType : uint8_t { data = 0, tree = 1 };

inline const char* blob_type_name(BlobType type) {
  return type == BlobType::data ? "data" : "tree";
}

/// One blob inside a pack.
struct PackedBlob {
  Id id;
  BlobType type = BlobType::data;
  uint32_t offset = 0;      ///< in the pack
  uint32_t length = 0;      ///< stored: nonce, (compressed) bytes, MAC
  uint32_t raw_length = 0;  ///< plain bytes of a compressed blob; 0 = stored as it is

  bool compressed() const { return raw_length != 0; }
  /// Plain bytes in either case.
  uint32_t plain_length() const {
    return compressed() ? raw_length : length - static_cast<uint32_t>(crypto::kSealOverhead);
  }
  bool operator==(const PackedBlob&) const = default;
};

}  // namespace holdfast::repo

// A local copy of a remote repository's indexes, snapshots and tree packs, as they are stored (sealed).
//
// Safe to delete at any time and never trusted: everything read from it is hashed against its name first. Failing to
// write costs speed, never the work.
#pragma once

#include <optional>
#include <span>
#include <string>

#include "base/bytes.h"
#include "repo/format/id.h"

namespace holdfast::repo {

class Cache {
 public:
  /// Objects live in `directory` (one per repository, named by the repository's id), made when first written.
  explicit Cache(std::string directory) : directory_(std::move(directory)) {}

  /// The object's bytes if they are there and hash to `id`; a damaged file is removed.
  std::optional<Buffer> read(const char* kind, const Id& id) const;
  /// Bytes [offset, offset + length) of an object, not hashed: for tree packs, whose blobs carry hashes of their own.
  std::optional<Buffer> read_range(const char* kind, const Id& id, uint64_t offset, uint64_t length) const;
  void write(const char* kind, const Id& id, ByteSpan bytes) const;
  void remove(const char* kind, const Id& id) const;
  /// Removes what the repository no longer has; `present` is sorted.
  void keep_only(const char* kind, std::span<const Id> present) const;

 private:
  std::string path(const char* kind, const Id& id) const;
  const std::string directory_;
};

}  // namespace holdfast::repo

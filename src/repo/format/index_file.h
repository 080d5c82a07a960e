// Index objects: which pack holds which blobs.
#pragma once

#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "repo/format/blob.h"
#include "repo/format/timestamp.h"

namespace holdfast::repo {

struct PackContents {
  Id id;
  std::vector<PackedBlob> blobs;
};

/// A pack that rustic's prune marked for deletion. Kept word for word when an index is rewritten.
struct MarkedPack {
  std::string json;
};

/// What a mark says.
struct PackMark {
  Id id;
  std::optional<Timestamp> time;  ///< when it was marked
  bool has_blobs = false;         ///< rustic's own: the pack was in an index before; ours mark packs that were in none
};
/// Nothing for a mark without an id.
std::optional<PackMark> parse_mark(const MarkedPack& marked);
/// A mark as rustic writes it, for a pack of `size` bytes.
MarkedPack mark_pack(const Id& pack, uint64_t size, const Timestamp& time, std::span<const PackedBlob> blobs);

/// Calls `visit` for each pack of an index; packs of rustic's `packs_to_delete` go to `marked`, which may be empty.
/// Malformed text is "repo.index.format" (verification_failed).
Status parse_index(std::string_view json, const std::function<void(PackContents&&)>& visit,
                   const std::function<void(MarkedPack&&)>& marked = {});

/// Appends one pack's entry, as in the "packs" array.
void append_index_pack(std::string& json, const Id& pack, std::span<const PackedBlob> blobs);

/// The index's text from entries made by append_index_pack(), joined by commas.
std::string index_text(std::string_view packs, std::span<const MarkedPack> marked);

}  // namespace holdfast::repo

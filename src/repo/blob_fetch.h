// Reading blobs in bulk: neighbours in a pack come with one read, and their hashes are checked interleaved.
#pragma once

#include <span>
#include <vector>

#include "repo/repository.h"

namespace holdfast::repo {

/// One read from one pack, covering some blobs of it (in offset order, perhaps with small gaps).
struct Fetch {
  Id pack;
  uint32_t offset = 0;
  uint32_t length = 0;
  struct Item {
    PackedBlob blob;
    size_t tag = 0;  ///< the caller's number for it
  };
  std::vector<Item> items;
};

struct WantedBlob {
  Id pack;
  PackedBlob blob;
  size_t tag = 0;
};

/// Joins blobs of the same pack whose gap is at most `max_gap` bytes into reads of at most `max_length` bytes. The
/// fetches come in the order of their lowest tag.
std::vector<Fetch> plan_fetches(std::vector<WantedBlob> wanted, uint32_t max_gap, uint32_t max_length);

/// Reads one fetch and decodes its blobs: plain[i] becomes the bytes of items[i]; MAC, size and SHA-256 are checked.
/// A damaged blob is "repo.object.damaged" naming blob and pack. `scratch` keeps its memory between calls.
Status run_fetch(Repository& repository, const Fetch& fetch, Codec& codec, Buffer& scratch, std::span<Buffer> plain);

/// What of `fetch`'s raw bytes (already read) is wrong is told by the same error.
Status decode_fetch(const Fetch& fetch, MutableByteSpan raw, Codec& codec, std::span<Buffer> plain);

}  // namespace holdfast::repo

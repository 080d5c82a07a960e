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

/// Plain bytes of all items together.
size_t plain_size(const Fetch& fetch);

/// Lets the store read a fetch ahead, if it can.
void expect_fetch(Repository& repository, const Fetch& fetch);

/// Reads one fetch and decodes its blobs one after the other into `plain` (plain_size() bytes); MAC, size and SHA-256
/// are checked. A blob that this pack does not give is read from another pack that holds it, and the damage reported to
/// the repository; where there is none, it is "repo.object.damaged" naming blob and pack. `scratch` keeps its memory
/// between calls.
Status run_fetch(Repository& repository, const Fetch& fetch, Codec& codec, Buffer& scratch, MutableByteSpan plain);

/// The same for bytes of the pack that were read before.
Status decode_fetch(const Fetch& fetch, ByteSpan raw, Codec& codec, MutableByteSpan plain);

}  // namespace holdfast::repo

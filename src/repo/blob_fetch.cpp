#include "repo/blob_fetch.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>

#include "crypto/sha256.h"

namespace holdfast::repo {

std::vector<Fetch> plan_fetches(std::vector<WantedBlob> wanted, uint32_t max_gap, uint32_t max_length) {
  std::sort(wanted.begin(), wanted.end(), [](const WantedBlob& a, const WantedBlob& b) {
    if (a.pack != b.pack) return a.pack < b.pack;
    return a.blob.offset != b.blob.offset ? a.blob.offset < b.blob.offset : a.tag < b.tag;
  });
  std::vector<Fetch> fetches;
  for (const WantedBlob& want : wanted) {
    const uint64_t end = uint64_t{want.blob.offset} + want.blob.length;
    if (!fetches.empty()) {
      Fetch& last = fetches.back();
      const uint64_t last_end = uint64_t{last.offset} + last.length;
      if (last.pack == want.pack && want.blob.offset <= last_end + max_gap && end - last.offset <= max_length) {
        last.length = static_cast<uint32_t>(std::max(last_end, end) - last.offset);
        last.items.push_back({want.blob, want.tag});
        continue;
      }
    }
    fetches.push_back({want.pack, want.blob.offset, want.blob.length, {{want.blob, want.tag}}});
  }
  const auto first_tag = [](const Fetch& fetch) {
    size_t lowest = SIZE_MAX;
    for (const auto& item : fetch.items) lowest = std::min(lowest, item.tag);
    return lowest;
  };
  std::sort(fetches.begin(), fetches.end(),
            [&](const Fetch& a, const Fetch& b) { return first_tag(a) < first_tag(b); });
  return fetches;
}

size_t plain_size(const Fetch& fetch) {
  size_t size = 0;
  for (const auto& item : fetch.items) size += item.blob.plain_length();
  return size;
}

Status decode_fetch(const Fetch& fetch, ByteSpan raw, Codec& codec, MutableByteSpan plain) {
  const size_t count = fetch.items.size();
  const auto broken = [&](const PackedBlob& blob, const std::string& why) {
    return damaged(fmt::format("blob {} in pack {}: {}", blob.id.short_hex(), fetch.pack.hex(), why));
  };
  std::vector<ByteSpan> messages(count);
  for (size_t i = 0; i < count; ++i) {
    const PackedBlob& blob = fetch.items[i].blob;
    const MutableByteSpan out = plain.first(blob.plain_length());
    plain = plain.subspan(out.size());
    // The same blob may be wanted twice: the second takes the first's result.
    if (i > 0 && fetch.items[i - 1].blob == blob) {
      std::memcpy(out.data(), messages[i - 1].data(), out.size());
    } else {
      auto decoded = Repository::decode_blob(blob, raw.subspan(blob.offset - fetch.offset, blob.length), out, codec);
      if (!decoded) return broken(blob, decoded.error().message);
    }
    messages[i] = out;
  }
  std::vector<crypto::Digest> digests(count);
  crypto::sha256_many(messages, digests);
  for (size_t i = 0; i < count; ++i) {
    if (digests[i] != fetch.items[i].blob.id.bytes) return broken(fetch.items[i].blob, "content does not match its id");
  }
  return {};
}

void expect_fetch(Repository& repository, const Fetch& fetch) {
  repository.store().expect(object_key(ObjectType::pack, fetch.pack), fetch.offset, fetch.length);
}

namespace {

Status read_fetch(Repository& repository, const Fetch& fetch, Codec& codec, Buffer& scratch, MutableByteSpan plain) {
  auto got = repository.store().view(object_key(ObjectType::pack, fetch.pack), fetch.offset, fetch.length, scratch);
  if (!got && (got.error().id == store::kNotFound || got.error().id == store::kShortRead)) {
    return damaged(fmt::format("pack {}: {}", fetch.pack.hex(), got.error().message));
  }
  const store::ObjectView raw = TRY(std::move(got));
  return decode_fetch(fetch, raw.bytes, codec, plain);
}

Status read_other_copy(Repository& repository, const Id& pack, const PackedBlob& blob, Error broken, Codec& codec,
                       Buffer& scratch, MutableByteSpan plain) {
  for (const BlobLocation& other : repository.index().copies(blob.type, blob.id)) {
    if (other.pack == pack || other.blob.plain_length() != plain.size()) continue;
    const Fetch one{other.pack, other.blob.offset, other.blob.length, {{other.blob, 0}}};
    const Status read = read_fetch(repository, one, codec, scratch, plain);
    if (!read && !Repository::is_damage(read.error())) return read;
    if (!read) continue;
    repository.report_damage(pack, broken);
    return {};
  }
  return std::unexpected(std::move(broken));
}

}  // namespace

Status run_fetch(Repository& repository, const Fetch& fetch, Codec& codec, Buffer& scratch, MutableByteSpan plain) {
  Status done = read_fetch(repository, fetch, codec, scratch, plain);
  if (done || !Repository::is_damage(done.error())) return done;
  // Blob by blob: what this pack does not give may be in another one, too.
  for (const auto& item : fetch.items) {
    const MutableByteSpan out = plain.first(item.blob.plain_length());
    plain = plain.subspan(out.size());
    const Fetch one{fetch.pack, item.blob.offset, item.blob.length, {item}};
    Status read = fetch.items.size() == 1 ? done : read_fetch(repository, one, codec, scratch, out);
    if (!read && Repository::is_damage(read.error()))
      read = read_other_copy(repository, fetch.pack, item.blob, std::move(read).error(), codec, scratch, out);
    TRY_VOID(std::move(read));
  }
  return {};
}

}  // namespace holdfast::repo

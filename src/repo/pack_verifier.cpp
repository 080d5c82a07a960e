#include "repo/pack_verifier.h"

#include <fmt/format.h>

#include <algorithm>

#include "crypto/sha256.h"
#include "repo/format/pack_header.h"

namespace holdfast::repo {

VerifyBudget VerifyBudget::for_threads(unsigned threads) {
  if (threads <= 2) return {};
  if (threads <= 4) return {.group = 24 * 1024 * 1024};
  return {.section = 4 * 1024 * 1024, .group = 4 * 1024 * 1024};
}

PackVerifier::PackVerifier(Repository& repository, VerifyBudget budget)
    : repository_(repository), budget_(budget), codec_(repository.master_key()) {}

Result<PackVerifier::Outcome> PackVerifier::verify(const Id& pack, uint64_t size, std::span<const PackedBlob> blobs) {
  Outcome outcome;
  outcome.problems = TRY(read_once(pack, size, blobs, outcome.bytes_read));
  if (outcome.problems.empty()) return outcome;
  // A cable or a cache may have lied once; a disk that lost the bytes says so again.
  auto again = TRY(read_once(pack, size, blobs, outcome.bytes_read));
  outcome.unstable = again.empty();
  outcome.problems = std::move(again);
  return outcome;
}

// Cuts the pack into sections along blob bounds; the last one reaches to the end of the file.
std::vector<PackVerifier::Section> PackVerifier::plan(uint64_t size, std::span<const PackedBlob> blobs) const {
  if (size <= budget_.section) return {{0, size, 0, blobs.size()}};
  std::vector<Section> sections;
  Section open{0, 0, 0, 0};
  const auto grow_to = [&](uint64_t end) {
    while (end - open.offset > budget_.section && open.first == open.last) {  // no blob in it: cut anywhere
      sections.push_back({open.offset, budget_.section, open.first, open.first});
      open.offset += budget_.section;
    }
    open.length = end - open.offset;
  };
  for (size_t i = 0; i < blobs.size(); ++i) {
    const uint64_t begin = blobs[i].offset, end = std::min<uint64_t>(begin + blobs[i].length, size);
    if (end - open.offset > budget_.section && begin > open.offset && open.last > open.first) {
      open.length = begin - open.offset;
      sections.push_back(open);
      open = {begin, 0, i, i};
    }
    open.last = i + 1;
    open.length = std::max(open.length, end - open.offset);
  }
  if (open.last > open.first) {
    sections.push_back(open);
    open = {open.offset + open.length, 0, blobs.size(), blobs.size()};
  }
  grow_to(size);
  if (open.length > 0) sections.push_back(open);
  return sections;
}

Result<std::vector<std::string>> PackVerifier::read_once(const Id& pack, uint64_t size,
                                                         std::span<const PackedBlob> blobs, uint64_t& bytes_read) {
  std::vector<std::string> problems;
  // Blobs that lie elsewhere than one after the other from the start are told by the header's comparison; those that do
  // not even fit are left out here.
  std::vector<PackedBlob> inside;
  uint64_t previous = 0;
  for (const PackedBlob& blob : blobs) {
    if (uint64_t{blob.offset} + blob.length > size || blob.offset < previous) {
      problems.push_back(fmt::format("blob {} cannot lie at byte {} of it", blob.id.short_hex(), blob.offset));
      continue;
    }
    previous = uint64_t{blob.offset} + blob.length;
    inside.push_back(blob);
  }
  const std::string key = object_key(ObjectType::pack, pack);
  const auto sections = plan(size, inside);
  crypto::Sha256 running;
  crypto::Digest name{};
  store::ObjectView raw;
  for (const Section& section : sections) {
    auto got = repository_.store().view(key, section.offset, section.length, raw_);
    if (!got) {
      if (got.error().error_class == ErrorClass::unavailable) return std::unexpected(std::move(got).error());
      problems.push_back(got.error().to_string());
      return problems;
    }
    raw = std::move(*got);
    bytes_read += raw.bytes.size();
    const bool whole = sections.size() == 1;
    if (!whole) running.update(raw.bytes);
    verify_blobs(section, raw.bytes, inside, whole, name, problems);
  }
  if (sections.size() != 1) name = running.finish();
  if (name != pack.bytes) {
    problems.insert(problems.begin(), "its content does not match its name");
  }
  if (blobs.empty()) return problems;
  if (sections.size() == 1) {
    verify_header(raw.bytes, size, blobs, problems);
    return problems;
  }
  const uint64_t guess = std::min<uint64_t>(size, pack_size(blobs) - (inside.empty() ? 0 : previous));
  auto got = repository_.store().get(key, size - guess, guess, header_);
  if (!got) {
    if (got.error().error_class == ErrorClass::unavailable) return std::unexpected(std::move(got).error());
    problems.push_back(got.error().to_string());
    return problems;
  }
  verify_header(header_, size, blobs, problems);
  return problems;
}

// The blobs of one section, opened in groups and hashed side by side. If the section is the `whole` pack, it joins the
// first group, so that its long hash fills one lane while the blobs' hashes fill the others.
void PackVerifier::verify_blobs(const Section& section, ByteSpan raw, std::span<const PackedBlob> blobs, bool whole,
                                crypto::Digest& name, std::vector<std::string>& problems) {
  std::vector<ByteSpan> messages;
  std::vector<const PackedBlob*> owners;
  std::vector<crypto::Digest> digests;
  size_t next = section.first;
  bool hash_whole = whole;
  do {
    size_t last = next, bytes = 0;
    while (last < section.last && (last == next || bytes + blobs[last].plain_length() <= budget_.group)) {
      bytes += blobs[last++].plain_length();
    }
    plain_.resize(bytes);
    messages.clear();
    owners.clear();
    if (hash_whole) messages.push_back(raw);
    size_t at = 0;
    for (; next < last; ++next) {
      const PackedBlob& blob = blobs[next];
      const ByteSpan sealed = raw.subspan(blob.offset - section.offset, blob.length);
      const MutableByteSpan plain(plain_.data() + at, blob.plain_length());
      at += plain.size();
      const Status opened = Repository::decode_blob(blob, sealed, plain, codec_);
      if (!opened) {
        problems.push_back(fmt::format("{} blob {} at byte {}: {}", blob_type_name(blob.type), blob.id.hex(),
                                       blob.offset, opened.error().message));
        continue;
      }
      messages.push_back(plain);
      owners.push_back(&blob);
    }
    digests.resize(messages.size());
    crypto::sha256_many(messages, digests);
    const size_t skip = hash_whole ? 1 : 0;
    if (hash_whole) name = digests[0];
    hash_whole = false;
    for (size_t i = 0; i < owners.size(); ++i) {
      if (digests[i + skip] == owners[i]->id.bytes) continue;
      problems.push_back(fmt::format("{} blob {} at byte {}: content does not match its id",
                                     blob_type_name(owners[i]->type), owners[i]->id.hex(), owners[i]->offset));
    }
  } while (next < section.last);
}

// `tail`: the end of the pack, at least as long as a right header with its length field.
void PackVerifier::verify_header(ByteSpan tail, uint64_t size, std::span<const PackedBlob> blobs,
                                 std::vector<std::string>& problems) {
  if (tail.size() < 4) {
    problems.push_back("it is too short for a pack");
    return;
  }
  const auto length = pack_header_length(tail.last(4), size);
  if (!length) {
    problems.push_back(length.error().message);
    return;
  }
  if (uint64_t{*length} + 4 > tail.size()) {
    problems.push_back(fmt::format("pack header: {} bytes long, the index says otherwise", *length));
    return;
  }
  Buffer sealed = Buffer::copy_of(tail.subspan(tail.size() - 4 - *length, *length));
  const auto text = codec_.sealer.open_in_place({sealed.data(), sealed.size()});
  if (!text) {
    problems.push_back("pack header: " + text.error().message);
    return;
  }
  const auto named = decode_pack_header(*text);
  if (!named) {
    problems.push_back(named.error().message);
    return;
  }
  if (!std::equal(named->begin(), named->end(), blobs.begin(), blobs.end())) {
    problems.push_back("its header and the index name different blobs");
  }
}

}  // namespace holdfast::repo

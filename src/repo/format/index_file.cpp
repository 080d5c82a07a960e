#include "repo/format/index_file.h"

#include <fmt/format.h>

#include <iterator>

#include "codec/json_reader.h"

namespace holdfast::repo {
namespace {

using codec::JsonReader;

Id read_id(JsonReader& reader) {
  const auto id = Id::parse(reader.string_view());
  if (!id) reader.reject("not an id");
  return id.value_or(Id{});
}

uint32_t read_u32(JsonReader& reader) {
  const uint64_t value = reader.unsigned_integer();
  if (value > UINT32_MAX) reader.reject("a number beyond 32 bits");
  return static_cast<uint32_t>(value);
}

PackedBlob read_blob(JsonReader& reader) {
  PackedBlob blob;
  bool has_id = false, has_type = false;
  reader.enter_object();
  while (auto key = reader.next_key()) {
    if (*key == "id") {
      blob.id = read_id(reader);
      has_id = true;
    } else if (*key == "type") {
      const auto type = reader.string_view();
      if (type != "data" && type != "tree") reader.reject("unknown blob type");
      blob.type = type == "tree" ? BlobType::tree : BlobType::data;
      has_type = true;
    } else if (*key == "offset") {
      blob.offset = read_u32(reader);
    } else if (*key == "length") {
      blob.length = read_u32(reader);
    } else if (*key == "uncompressed_length") {
      blob.raw_length = read_u32(reader);
    } else {
      reader.skip();
    }
  }
  if (!has_id || !has_type || blob.length < crypto::kSealOverhead) reader.reject("an incomplete blob");
  if (blob.length > UINT32_MAX - blob.offset) reader.reject("a blob beyond 4 GiB");
  return blob;
}

PackContents read_pack(JsonReader& reader) {
  PackContents pack;
  bool has_id = false;
  reader.enter_object();
  while (auto key = reader.next_key()) {
    if (*key == "id") {
      pack.id = read_id(reader);
      has_id = true;
    } else if (*key == "blobs") {
      if (reader.null()) continue;
      reader.enter_array();
      while (reader.next_element()) pack.blobs.push_back(read_blob(reader));
    } else {
      reader.skip();
    }
  }
  if (!has_id) reader.reject("a pack without id");
  return pack;
}

}  // namespace

Status parse_index(std::string_view json, const std::function<void(PackContents&&)>& visit,
                   const std::function<void(MarkedPack&&)>& marked) {
  JsonReader reader(json);
  reader.enter_object();
  while (auto key = reader.next_key()) {
    if (*key == "packs") {
      if (reader.null()) continue;
      reader.enter_array();
      while (reader.next_element()) {
        PackContents pack = read_pack(reader);
        if (reader.ok()) visit(std::move(pack));
      }
    } else if (*key == "packs_to_delete") {
      if (reader.null()) continue;
      reader.enter_array();
      while (reader.next_element()) {
        std::string text(reader.raw());
        if (reader.ok() && marked) marked(MarkedPack{std::move(text)});
      }
    } else {
      reader.skip();  // "supersedes" of old versions, and what others may add
    }
  }
  if (!reader.finished()) {
    return fail(ErrorClass::verification_failed, "repo.index.format", "index: " + reader.problem(),
                "holdfast repo repair-index -r REPO");
  }
  return {};
}

std::optional<PackMark> parse_mark(const MarkedPack& marked) {
  PackMark mark;
  bool has_id = false;
  JsonReader reader(marked.json);
  reader.enter_object();
  while (auto key = reader.next_key()) {
    if (*key == "id") {
      mark.id = read_id(reader);
      has_id = true;
    } else if (*key == "time") {
      if (!reader.null()) mark.time = Timestamp::parse(reader.string_view());
    } else if (*key == "blobs") {
      if (reader.null()) continue;
      reader.enter_array();
      while (reader.next_element()) {
        mark.has_blobs = true;
        reader.skip();
      }
    } else {
      reader.skip();
    }
  }
  if (!reader.finished() || !has_id) return std::nullopt;
  return mark;
}

MarkedPack mark_pack(const Id& pack, uint64_t size, const Timestamp& time, std::span<const PackedBlob> blobs) {
  MarkedPack marked;
  append_index_pack(marked.json, pack, blobs);
  marked.json.pop_back();
  marked.json += fmt::format(R"(,"time":"{}","size":{}}})", time.to_string(), size);
  return marked;
}

void append_index_pack(std::string& json, const Id& pack, std::span<const PackedBlob> blobs) {
  auto out = std::back_inserter(json);
  fmt::format_to(out, R"({{"id":"{}","blobs":[)", pack.hex());
  bool first = true;
  for (const auto& blob : blobs) {
    fmt::format_to(out, R"({}{{"id":"{}","type":"{}","offset":{},"length":{})", first ? "" : ",", blob.id.hex(),
                   blob_type_name(blob.type), blob.offset, blob.length);
    if (blob.compressed()) fmt::format_to(out, R"(,"uncompressed_length":{})", blob.raw_length);
    json += '}';
    first = false;
  }
  json += "]}";
}

std::string index_text(std::string_view packs, std::span<const MarkedPack> marked) {
  std::string text = R"({"packs":[)";
  text += packs;
  text += ']';
  if (!marked.empty()) {
    text += R"(,"packs_to_delete":[)";
    for (size_t i = 0; i < marked.size(); ++i) {
      if (i > 0) text += ',';
      text += marked[i].json;
    }
    text += ']';
  }
  return text + '}';
}

}  // namespace holdfast::repo

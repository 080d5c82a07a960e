#include "repo/format/config.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "codec/base64.h"
#include "codec/go_json.h"
#include "codec/json_reader.h"
#include "repo/format/chunker.h"

namespace holdfast::repo {
namespace {

using codec::JsonReader;

Buffer read_base64(JsonReader& reader) {
  auto bytes = codec::from_base64(reader.string_view());
  if (!bytes) reader.reject("not base64");
  return bytes ? std::move(*bytes) : Buffer{};
}

template <size_t N>
void read_key_part(JsonReader& reader, std::array<uint8_t, N>& part) {
  const Buffer bytes = read_base64(reader);
  if (bytes.size() != N || std::all_of(bytes.data(), bytes.data() + bytes.size(), [](uint8_t b) { return b == 0; })) {
    reader.reject("not a key");
    return;
  }
  std::copy_n(bytes.data(), N, part.begin());
}

std::unexpected<Error> bad(const char* id, std::string what) {
  return fail(ErrorClass::verification_failed, id, std::move(what));
}

}  // namespace

Result<Config> parse_config(std::string_view json) {
  Config config;
  config.version = 0;
  bool has_id = false;
  JsonReader reader(json);
  reader.enter_object();
  while (auto key = reader.next_key()) {
    if (*key == "version") {
      config.version = static_cast<unsigned>(reader.unsigned_integer());
    } else if (*key == "id") {
      const auto id = Id::parse(reader.string_view());
      if (!id) reader.reject("not an id");
      config.id = id.value_or(Id{});
      has_id = true;
    } else if (*key == "chunker_polynomial") {
      const auto text = reader.string_view();
      const auto [end, problem] = std::from_chars(text.data(), text.data() + text.size(), config.polynomial, 16);
      if (problem != std::errc{} || end != text.data() + text.size()) reader.reject("not a polynomial");
    } else {
      reader.skip();
    }
  }
  if (!reader.finished() || !has_id) return bad("repo.config.format", "config: " + reader.problem());
  if (config.version != 1 && config.version != 2) {
    return fail(ErrorClass::refused, "repo.config.version",
                fmt::format("repository version {} is not one Holdfast knows (1, 2)", config.version),
                "use a newer Holdfast for this repository");
  }
  if (!is_chunker_polynomial(config.polynomial)) {
    return bad("repo.config.format", "config: the chunker polynomial is not irreducible");
  }
  return config;
}

std::string config_text(const Config& config) {
  return fmt::format(R"({{"version":{},"id":"{}","chunker_polynomial":"{:x}"}})", config.version, config.id.hex(),
                     config.polynomial);
}

Result<KeyFile> parse_key_file(std::string_view json) {
  KeyFile file;
  bool is_scrypt = false;
  JsonReader reader(json);
  reader.enter_object();
  while (auto key = reader.next_key()) {
    if (*key == "created") {
      file.created = Timestamp::parse(reader.string_view()).value_or(Timestamp{});
    } else if (*key == "username") {
      file.username = reader.string();
    } else if (*key == "hostname") {
      file.hostname = reader.string();
    } else if (*key == "kdf") {
      is_scrypt = reader.string_view() == "scrypt";
    } else if (*key == "N") {
      file.cost.n = reader.unsigned_integer();
    } else if (*key == "r") {
      file.cost.r = reader.unsigned_integer();
    } else if (*key == "p") {
      file.cost.p = reader.unsigned_integer();
    } else if (*key == "salt") {
      file.salt = read_base64(reader);
    } else if (*key == "data") {
      file.sealed_key = read_base64(reader);
    } else {
      reader.skip();
    }
  }
  if (!reader.finished()) return bad("repo.key.format", "key file: " + reader.problem());
  if (!is_scrypt || file.salt.empty() || file.sealed_key.empty()) {
    return bad("repo.key.format", "key file: no scrypt key in it");
  }
  return file;
}

std::string key_file_text(const KeyFile& file) {
  std::string text = fmt::format(R"({{"created":"{}","username":)", file.created.to_string());
  codec::append_json_string(text, file.username);
  text += R"(,"hostname":)";
  codec::append_json_string(text, file.hostname);
  return text + fmt::format(R"(,"kdf":"scrypt","N":{},"r":{},"p":{},"salt":"{}","data":"{}"}})", file.cost.n,
                            file.cost.r, file.cost.p, codec::to_base64(file.salt), codec::to_base64(file.sealed_key));
}

Result<crypto::SealKey> parse_master_key(std::string_view json) {
  crypto::SealKey key;
  int parts = 0;
  JsonReader reader(json);
  reader.enter_object();
  while (auto member = reader.next_key()) {
    if (*member == "mac") {
      reader.enter_object();
      while (auto part = reader.next_key()) {
        if (*part == "k") {
          read_key_part(reader, key.mac_k);
          ++parts;
        } else if (*part == "r") {
          read_key_part(reader, key.mac_r);
          ++parts;
        } else {
          reader.skip();
        }
      }
    } else if (*member == "encrypt") {
      read_key_part(reader, key.encrypt);
      ++parts;
    } else {
      reader.skip();
    }
  }
  if (!reader.finished() || parts != 3) return bad("repo.key.format", "master key: " + reader.problem());
  return key;
}

std::string master_key_text(const crypto::SealKey& key) {
  return fmt::format(R"({{"mac":{{"k":"{}","r":"{}"}},"encrypt":"{}"}})", codec::to_base64(key.mac_k),
                     codec::to_base64(key.mac_r), codec::to_base64(key.encrypt));
}

}  // namespace holdfast::repo

#include "tests/cli_support/repo_forge.h"

#include <algorithm>
#include <filesystem>
#include <stdexcept>

#include "codec/base64.h"
#include "codec/hex.h"
#include "codec/zstd.h"
#include "crypto/random.h"
#include "crypto/scrypt.h"
#include "crypto/sha256.h"
#include "sys/file.h"

namespace holdfast::test {
namespace {

constexpr uint64_t kCheapN = 16;

std::string write_named(const std::string& repository, const std::string& folder, ByteSpan body) {
  const auto id = codec::to_hex(crypto::sha256(body));
  if (!sys::publish_file(repository + "/" + folder + "/" + id, body, 0600))
    throw std::runtime_error("cannot write " + folder);
  return id;
}

/// The base64 string after `"name":` in `json`, decoded into `into`.
void take(const std::string& json, const std::string& name, MutableByteSpan into) {
  const auto key = "\"" + name + "\"";
  auto at = json.find(key);
  if (at == std::string::npos) throw std::runtime_error("no " + name + " in restic's master key");
  at = json.find('"', at + key.size()) + 1;
  const auto bytes = codec::from_base64(json.substr(at, json.find('"', at) - at));
  if (!bytes || bytes->size() != into.size())
    throw std::runtime_error("unexpected " + name + " in restic's master key");
  std::copy(bytes->span().begin(), bytes->span().end(), into.begin());
}

}  // namespace

crypto::SealKey master_key(const Sandbox& sandbox, const std::string& repository) {
  const auto told = run(sandbox.restic({"cat", "masterkey", "--no-lock", "-r", repository}));
  if (!told.ok()) throw std::runtime_error("restic cat masterkey: " + told.describe());
  crypto::SealKey key;
  take(told.out, "k", key.mac_k);
  take(told.out, "r", key.mac_r);
  take(told.out, "encrypt", key.encrypt);
  return key;
}

std::string add_cheap_key(const std::string& repository, const crypto::SealKey& master, const std::string& password) {
  std::array<uint8_t, 64> salt;
  crypto::fill_random(salt);
  const auto derived = crypto::scrypt(Secret(password), salt, {.n = kCheapN, .r = 1, .p = 1});
  if (!derived) throw std::runtime_error(derived.error().to_string());
  crypto::SealKey user;
  std::copy_n(derived->begin(), 32, user.encrypt.begin());
  std::copy_n(derived->begin() + 32, 16, user.mac_k.begin());
  std::copy_n(derived->begin() + 48, 16, user.mac_r.begin());
  const auto inner = R"({"mac":{"k":")" + codec::to_base64(master.mac_k) + R"(","r":")" +
                     codec::to_base64(master.mac_r) + R"("},"encrypt":")" + codec::to_base64(master.encrypt) + "\"}";
  const auto sealed = crypto::Sealer(user).seal(as_bytes(inner));
  const auto file = R"({"created":"2026-01-02T03:04:05Z","username":"test","hostname":"test","kdf":"scrypt","N":)" +
                    std::to_string(kCheapN) + R"(,"r":1,"p":1,"salt":")" + codec::to_base64(salt) + R"(","data":")" +
                    codec::to_base64(sealed) + "\"}";
  return write_named(repository, "keys", as_bytes(file));
}

void use_cheap_key(const Sandbox& sandbox, const std::string& repository) {
  const auto cheap = add_cheap_key(repository, master_key(sandbox, repository), kPassword);
  for (const auto& entry : std::filesystem::directory_iterator(repository + "/keys")) {
    if (entry.path().filename() != cheap) std::filesystem::remove(entry.path());
  }
}

std::string add_sealed(const std::string& repository, const crypto::SealKey& master, const std::string& folder,
                       const std::string& plain) {
  return write_named(repository, folder, crypto::Sealer(master).seal(as_bytes(plain)));
}

std::string read_sealed(const std::string& repository, const crypto::SealKey& master, const std::string& relative) {
  auto body = sys::read_file(repository + "/" + relative);
  if (!body) throw std::runtime_error(body.error().to_string());
  auto plain = crypto::Sealer(master).open_in_place({body->data(), body->size()});
  if (!plain) throw std::runtime_error(relative + ": " + plain.error().to_string());
  if (plain->empty() || plain->front() != 2) return std::string(as_text(*plain));
  auto text = codec::ZstdDecompressor().decompress(ByteSpan(*plain).subspan(1), 1 << 30);
  if (!text) throw std::runtime_error(text.error().to_string());
  return std::string(as_text(*text));
}

}  // namespace holdfast::test

#include "crypto/seal.h"

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/params.h>

#include <algorithm>
#include <cstring>
#include <new>
#include <stdexcept>

#include "crypto/random.h"

namespace holdfast::crypto {
namespace {

// What OpenSSL refuses it has not encrypted: going on would store plain text, or a MAC of nothing.
void must(int result) {
  if (result != 1) throw std::runtime_error("OpenSSL could not encrypt or authenticate");
}

}  // namespace

struct Sealer::Contexts {
  EVP_CIPHER_CTX* ctr = EVP_CIPHER_CTX_new();  // AES-256-CTR under key.encrypt
  EVP_CIPHER_CTX* pad = EVP_CIPHER_CTX_new();  // AES-128-ECB under key.mac_k: s = AES(k, nonce)
  EVP_MAC_CTX* mac = nullptr;                  // Poly1305 with one-time key r || s
  std::array<uint8_t, 16> r{};
  RandomPool nonces;

  explicit Contexts(const SealKey& key) : r(key.mac_r) {
    static EVP_CIPHER* aes_ctr = EVP_CIPHER_fetch(nullptr, "AES-256-CTR", nullptr);
    static EVP_CIPHER* aes_ecb = EVP_CIPHER_fetch(nullptr, "AES-128-ECB", nullptr);
    static EVP_MAC* poly1305 = EVP_MAC_fetch(nullptr, "POLY1305", nullptr);
    if (!aes_ctr || !aes_ecb || !poly1305) throw std::runtime_error("OpenSSL lacks AES or Poly1305");
    mac = EVP_MAC_CTX_new(poly1305);
    if (!ctr || !pad || !mac) throw std::bad_alloc();
    must(EVP_EncryptInit_ex2(ctr, aes_ctr, key.encrypt.data(), nullptr, nullptr));
    must(EVP_EncryptInit_ex2(pad, aes_ecb, key.mac_k.data(), nullptr, nullptr));
    must(EVP_CIPHER_CTX_set_padding(pad, 0));
  }
  ~Contexts() {
    EVP_CIPHER_CTX_free(ctr);
    EVP_CIPHER_CTX_free(pad);
    EVP_MAC_CTX_free(mac);
    OPENSSL_cleanse(r.data(), r.size());
  }

  void crypt(const uint8_t* nonce, const uint8_t* from, uint8_t* to, size_t length) {
    must(EVP_EncryptInit_ex2(ctr, nullptr, nullptr, nonce, nullptr));
    while (length > 0) {  // EVP lengths are int
      const int step = static_cast<int>(std::min<size_t>(length, 1u << 30));
      int done = 0;
      must(EVP_EncryptUpdate(ctr, to, &done, from, step));
      must(done == step);
      from += step;
      to += step;
      length -= static_cast<size_t>(step);
    }
  }

  void compute_mac(const uint8_t* nonce, ByteSpan text, uint8_t* out) {
    uint8_t key[32];
    std::memcpy(key, r.data(), 16);
    int done = 0;
    must(EVP_EncryptUpdate(pad, key + 16, &done, nonce, 16));
    must(done == 16);
    must(EVP_MAC_init(mac, key, sizeof key, nullptr));
    must(text.empty() ? 1 : EVP_MAC_update(mac, text.data(), text.size()));
    size_t length = 0;
    must(EVP_MAC_final(mac, out, &length, kMacSize));
    must(length == kMacSize);
    OPENSSL_cleanse(key, sizeof key);
  }

  Status verify(ByteSpan sealed) {
    if (sealed.size() < kSealOverhead) {
      return fail(ErrorClass::verification_failed, "crypto.mac", "sealed data is shorter than its seal");
    }
    uint8_t mac[kMacSize];
    compute_mac(sealed.data(), sealed.subspan(kNonceSize, sealed.size() - kSealOverhead), mac);
    const bool zero_nonce = std::all_of(sealed.begin(), sealed.begin() + kNonceSize, [](uint8_t b) { return b == 0; });
    if (zero_nonce || CRYPTO_memcmp(mac, sealed.data() + sealed.size() - kMacSize, kMacSize) != 0) {
      return fail(ErrorClass::verification_failed, "crypto.mac", "the message authentication code does not match");
    }
    return {};
  }
};

Sealer::Sealer(const SealKey& key) : contexts_(std::make_unique<Contexts>(key)) {}
Sealer::~Sealer() = default;
Sealer::Sealer(Sealer&&) noexcept = default;
Sealer& Sealer::operator=(Sealer&&) noexcept = default;

void Sealer::seal_in_place(MutableByteSpan room) {
  contexts_->nonces.fill(room.first(kNonceSize));
  const size_t length = room.size() - kSealOverhead;
  uint8_t* text = room.data() + kNonceSize;
  contexts_->crypt(room.data(), text, text, length);
  contexts_->compute_mac(room.data(), {text, length}, text + length);
}

Buffer Sealer::seal(ByteSpan plaintext) {
  Buffer sealed(plaintext.size() + kSealOverhead);
  if (!plaintext.empty()) std::memcpy(sealed.data() + kNonceSize, plaintext.data(), plaintext.size());
  seal_in_place({sealed.data(), sealed.size()});
  return sealed;
}

Result<MutableByteSpan> Sealer::open_in_place(MutableByteSpan sealed) {
  TRY_VOID(contexts_->verify(sealed));
  MutableByteSpan text = sealed.subspan(kNonceSize, sealed.size() - kSealOverhead);
  contexts_->crypt(sealed.data(), text.data(), text.data(), text.size());
  return text;
}

Status Sealer::open(ByteSpan sealed, MutableByteSpan into) {
  TRY_VOID(contexts_->verify(sealed));
  contexts_->crypt(sealed.data(), sealed.data() + kNonceSize, into.data(), sealed.size() - kSealOverhead);
  return {};
}

SealKey random_seal_key() {
  SealKey key;
  const auto zero = [](auto& part) { return std::all_of(part.begin(), part.end(), [](uint8_t b) { return b == 0; }); };
  do {
    fill_random(key.encrypt);
    fill_random(key.mac_k);
    fill_random(key.mac_r);
  } while (zero(key.encrypt) || zero(key.mac_k) || zero(key.mac_r));
  // The bits Poly1305 clears anyway (RFC 8439, 2.5): cleared here as well, so that the stored key is the one in use.
  for (int i : {3, 7, 11, 15}) key.mac_r[static_cast<size_t>(i)] &= 0x0f;
  for (int i : {4, 8, 12}) key.mac_r[static_cast<size_t>(i)] &= 0xfc;
  return key;
}

}  // namespace holdfast::crypto

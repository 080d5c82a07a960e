#include "crypto/sha256.h"

#include <openssl/evp.h>

#include <stdexcept>

#include "crypto/sha256_lanes.h"

namespace holdfast::crypto {
namespace {

// Fetched once: EVP_sha256() would look the algorithm up in the provider at every use.
const EVP_MD* algorithm() {
  static EVP_MD* md = EVP_MD_fetch(nullptr, "SHA256", nullptr);
  if (!md) throw std::runtime_error("OpenSSL offers no SHA-256");
  return md;
}

}  // namespace

struct Sha256::State {
  EVP_MD_CTX* context = EVP_MD_CTX_new();
  State() { EVP_DigestInit_ex2(context, algorithm(), nullptr); }
  ~State() { EVP_MD_CTX_free(context); }
};

Sha256::Sha256() : state_(std::make_unique<State>()) {}
Sha256::~Sha256() = default;
Sha256::Sha256(Sha256&&) noexcept = default;
Sha256& Sha256::operator=(Sha256&&) noexcept = default;

void Sha256::update(ByteSpan bytes) {
  EVP_DigestUpdate(state_->context, bytes.data(), bytes.size());
}

Digest Sha256::finish() {
  Digest digest;
  unsigned length = 0;
  EVP_DigestFinal_ex(state_->context, digest.data(), &length);
  EVP_DigestInit_ex2(state_->context, algorithm(), nullptr);
  return digest;
}

Digest sha256(ByteSpan message) {
  Digest digest;
  unsigned length = 0;
  EVP_Digest(message.data(), message.size(), digest.data(), &length, algorithm(), nullptr);
  return digest;
}

void sha256_many(std::span<const ByteSpan> messages, std::span<Digest> out) {
  if (messages.size() > 1 && sha256_lanes_supported()) {
    sha256_lanes(messages, out);
    return;
  }
  for (size_t i = 0; i < messages.size(); ++i) out[i] = sha256(messages[i]);
}

}  // namespace holdfast::crypto

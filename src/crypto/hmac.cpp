#include "crypto/hmac.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>

#include <cstdlib>

namespace holdfast::crypto {

Digest hmac_sha256(ByteSpan key, std::string_view message) {
  Digest digest;
  unsigned size = 0;
  const ByteSpan bytes = as_bytes(message);
  // Fails only without memory or without SHA-256 in libcrypto.
  if (!HMAC(EVP_sha256(), key.data(), static_cast<int>(key.size()), bytes.data(), bytes.size(), digest.data(), &size)) {
    std::abort();
  }
  return digest;
}

std::array<uint8_t, 16> md5(ByteSpan bytes) {
  std::array<uint8_t, 16> digest{};
  unsigned size = 0;
  if (!EVP_Digest(bytes.data(), bytes.size(), digest.data(), &size, EVP_md5(), nullptr)) std::abort();
  return digest;
}

}  // namespace holdfast::crypto

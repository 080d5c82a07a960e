// The scrypt password hash (RFC 7914).
#pragma once

#include <array>
#include <cstdint>

#include "base/bytes.h"
#include "base/result.h"
#include "base/secret.h"

namespace holdfast::crypto {

struct ScryptCost {
  uint64_t n = 32768;  ///< a power of two; memory is 128 * n * r bytes
  uint64_t r = 8;
  uint64_t p = 3;
};

/// Who does the mixing. Everybody takes the best; tests try each.
enum class ScryptPath { openssl, sse2, avx512 };
/// True where this processor can take `path`.
bool scrypt_path_works(ScryptPath path);
ScryptPath best_scrypt_path();

/// 64 bytes from password and salt. Costs that would need more than 4 GiB, or that no scrypt allows, are the error
/// "crypto.scrypt" (verification_failed: key files name them).
Result<std::array<uint8_t, 64>> scrypt(const Secret& password, ByteSpan salt, const ScryptCost& cost,
                                       ScryptPath path = best_scrypt_path());

}  // namespace holdfast::crypto

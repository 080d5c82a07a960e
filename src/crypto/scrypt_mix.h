// The costly middle of scrypt (scryptROMix, RFC 7914 section 5) in vector registers; scrypt() uses it.
#pragma once

#include <span>

#include "crypto/scrypt.h"

namespace holdfast::crypto {

/// Mixes cost.p blocks ("lanes") of 128 * cost.r bytes in place, by `path`, which scrypt_path_works() allows and which
/// is not openssl. False when there is no memory for it.
bool scrypt_mix(std::span<uint8_t> lanes, const ScryptCost& cost, ScryptPath path);

/// No more memory than this is taken by one scrypt().
constexpr uint64_t kScryptMemoryLimit = 4ull << 30;

}  // namespace holdfast::crypto

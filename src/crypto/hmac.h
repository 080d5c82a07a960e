// HMAC-SHA256 for request signing, and MD5 where a protocol asks for it as a checksum.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

#include "base/bytes.h"
#include "crypto/sha256.h"

namespace holdfast::crypto {

Digest hmac_sha256(ByteSpan key, std::string_view message);

/// Content-MD5 of S3: finds transmission errors, proves nothing against an attacker.
std::array<uint8_t, 16> md5(ByteSpan bytes);

}  // namespace holdfast::crypto

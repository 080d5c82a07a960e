// Interleaved SHA-256 on the x86 SHA extensions; use sha256_many(), which falls back to OpenSSL.
#pragma once

#include <span>

#include "crypto/sha256.h"

namespace holdfast::crypto {

/// True when this CPU has SHA-NI.
bool sha256_lanes_supported();
/// out[i] = SHA-256(messages[i]); only where sha256_lanes_supported().
void sha256_lanes(std::span<const ByteSpan> messages, std::span<Digest> out);

}  // namespace holdfast::crypto

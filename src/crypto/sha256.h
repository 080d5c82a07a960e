// SHA-256: one at a time, incrementally, or many independent messages interleaved on one core.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <span>

#include "base/bytes.h"

namespace holdfast::crypto {

using Digest = std::array<uint8_t, 32>;

Digest sha256(ByteSpan message);

/// out[i] = SHA-256(messages[i]). With SHA-NI the messages run interleaved, which hides the latency of the round
/// instructions (about twice the speed of one after the other); otherwise OpenSSL, one by one.
void sha256_many(std::span<const ByteSpan> messages, std::span<Digest> out);

/// Incremental hash of one message.
class Sha256 {
 public:
  Sha256();
  ~Sha256();
  Sha256(Sha256&&) noexcept;
  Sha256& operator=(Sha256&&) noexcept;
  void update(ByteSpan bytes);
  /// The digest of all updates; the object starts anew afterwards.
  Digest finish();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace holdfast::crypto

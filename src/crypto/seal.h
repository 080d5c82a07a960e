// Authenticated encryption of repository objects: AES-256-CTR with Poly1305-AES, as restic stores them.
#pragma once

#include <array>
#include <cstdint>
#include <memory>

#include "base/bytes.h"
#include "base/result.h"

namespace holdfast::crypto {

/// The keys that seal everything in a repository, or (made from a password) one key file.
struct SealKey {
  std::array<uint8_t, 32> encrypt{};
  std::array<uint8_t, 16> mac_k{};
  std::array<uint8_t, 16> mac_r{};
  bool operator==(const SealKey&) const = default;
};

/// A new random key; its parts are never all zero.
SealKey random_seal_key();

/// Bytes that sealing adds: 16 of nonce in front, 16 of MAC behind.
inline constexpr size_t kNonceSize = 16;
inline constexpr size_t kMacSize = 16;
inline constexpr size_t kSealOverhead = kNonceSize + kMacSize;

/// Seals and opens with one key. Not thread-safe: each worker has its own.
class Sealer {
 public:
  explicit Sealer(const SealKey& key);
  ~Sealer();
  Sealer(Sealer&&) noexcept;
  Sealer& operator=(Sealer&&) noexcept;

  /// `room` is nonce space, plaintext, MAC space: fills in a fresh random nonce, encrypts in place, writes the MAC.
  void seal_in_place(MutableByteSpan room);
  Buffer seal(ByteSpan plaintext);

  /// Verifies the MAC, then decrypts in place; the plaintext is sealed[16, size-16). A wrong MAC, a nonce of zeros or
  /// fewer than 32 bytes is the error "crypto.mac" (verification_failed) and leaves the bytes as they were.
  Result<MutableByteSpan> open_in_place(MutableByteSpan sealed);

  /// Verifies the MAC and decrypts into `into` (as long as the plaintext).
  Status open(ByteSpan sealed, MutableByteSpan into);

 private:
  struct Contexts;
  std::unique_ptr<Contexts> contexts_;
};

}  // namespace holdfast::crypto

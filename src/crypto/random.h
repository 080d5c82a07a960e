// Randomness from OpenSSL's generator.
#pragma once

#include "base/bytes.h"

namespace holdfast::crypto {

/// Fills `into` with random bytes. Thread-safe. Ends the process if the system has no randomness to give.
void fill_random(MutableByteSpan into);

/// Random bytes handed out from a block, so that small nonces do not pay a generator call each. Not thread-safe.
class RandomPool {
 public:
  void fill(MutableByteSpan into);

 private:
  uint8_t block_[4096];
  size_t used_ = sizeof block_;
};

}  // namespace holdfast::crypto

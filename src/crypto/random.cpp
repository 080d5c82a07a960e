#include "crypto/random.h"

#include <openssl/rand.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace holdfast::crypto {

void fill_random(MutableByteSpan into) {
  if (RAND_bytes(into.data(), static_cast<int>(into.size())) != 1) {
    std::fputs("holdfast: the system gives no random bytes\n", stderr);
    std::abort();
  }
}

void RandomPool::fill(MutableByteSpan into) {
  if (into.size() > sizeof block_) return fill_random(into);
  if (used_ + into.size() > sizeof block_) {
    fill_random(block_);
    used_ = 0;
  }
  std::memcpy(into.data(), block_ + used_, into.size());
  std::memset(block_ + used_, 0, into.size());
  used_ += into.size();
}

}  // namespace holdfast::crypto

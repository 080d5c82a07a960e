#include "crypto/scrypt.h"

#include <fmt/format.h>
#include <openssl/evp.h>

namespace holdfast::crypto {

Result<std::array<uint8_t, 64>> scrypt(const Secret& password, ByteSpan salt, const ScryptCost& cost) {
  constexpr uint64_t kMemoryLimit = 4ull << 30;
  std::array<uint8_t, 64> key{};
  const bool sane = cost.n >= 2 && (cost.n & (cost.n - 1)) == 0 && cost.n <= (1u << 26) && cost.r >= 1 &&
                    cost.r <= 1024 && cost.p >= 1 && cost.p <= 1024;
  const auto text = password.reveal();
  if (!sane || EVP_PBE_scrypt(text.data(), text.size(), salt.data(), salt.size(), cost.n, cost.r, cost.p, kMemoryLimit,
                              key.data(), key.size()) != 1) {
    return fail(ErrorClass::verification_failed, "crypto.scrypt",
                fmt::format("scrypt refuses the costs N={} r={} p={}", cost.n, cost.r, cost.p));
  }
  return key;
}

}  // namespace holdfast::crypto

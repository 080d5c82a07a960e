// scrypt by RFC 7914. OpenSSL computes it one lane after the other in plain C, which every run of a command that opens
// a repository would wait for; here the lanes run side by side in vector registers (scrypt_mix). Elsewhere than on
// x86-64, OpenSSL does it.
#include "crypto/scrypt.h"

#include <fmt/format.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>

#include <vector>

#include "crypto/scrypt_mix.h"

namespace holdfast::crypto {
namespace {

std::unexpected<Error> refused(const ScryptCost& cost) {
  return fail(ErrorClass::verification_failed, "crypto.scrypt",
              fmt::format("scrypt refuses the costs N={} r={} p={}", cost.n, cost.r, cost.p));
}

}  // namespace

ScryptPath best_scrypt_path() {
  for (const ScryptPath path : {ScryptPath::avx512, ScryptPath::sse2}) {
    if (scrypt_path_works(path)) return path;
  }
  return ScryptPath::openssl;
}

Result<std::array<uint8_t, 64>> scrypt(const Secret& password, ByteSpan salt, const ScryptCost& cost, ScryptPath path) {
  std::array<uint8_t, 64> key{};
  const bool sane = cost.n >= 2 && (cost.n & (cost.n - 1)) == 0 && cost.n <= (1u << 26) && cost.r >= 1 &&
                    cost.r <= 1024 && cost.p >= 1 && cost.p <= 1024 &&
                    128 * cost.r * (cost.n + 1) <= kScryptMemoryLimit;
  if (!sane) return refused(cost);
  const auto text = password.reveal();
  // An empty password is no key anywhere, but its address must not be null.
  const char* bytes = text.empty() ? "" : text.data();
  if (path == ScryptPath::openssl) {
    if (EVP_PBE_scrypt(bytes, text.size(), salt.data(), salt.size(), cost.n, cost.r, cost.p, kScryptMemoryLimit,
                       key.data(), key.size()) != 1) {
      return refused(cost);
    }
    return key;
  }
  const auto length = static_cast<int>(text.size());
  static const EVP_MD* sha256 = EVP_MD_fetch(nullptr, "SHA256", nullptr);
  std::vector<uint8_t> lanes(128 * cost.r * cost.p);
  const bool done = PKCS5_PBKDF2_HMAC(bytes, length, salt.data(), static_cast<int>(salt.size()), 1, sha256,
                                      static_cast<int>(lanes.size()), lanes.data()) == 1 &&
                    scrypt_mix(lanes, cost, path) &&
                    PKCS5_PBKDF2_HMAC(bytes, length, lanes.data(), static_cast<int>(lanes.size()), 1, sha256,
                                      static_cast<int>(key.size()), key.data()) == 1;
  OPENSSL_cleanse(lanes.data(), lanes.size());
  if (!done) return refused(cost);
  return key;
}

}  // namespace holdfast::crypto

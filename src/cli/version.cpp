// holdfast version.
#include <fmt/core.h>
#include <openssl/crypto.h>
#include <zstd.h>

#include "cli/verbs.h"

namespace holdfast::cli {

Exit run_version(Context& context) {
  const std::string fmt_version =
      fmt::format("{}.{}.{}", FMT_VERSION / 10000, FMT_VERSION / 100 % 100, FMT_VERSION % 100);
  const std::string openssl = OpenSSL_version(OPENSSL_VERSION_STRING);
  context.out.set_data(codec::Value::object({
      {"version", HOLDFAST_VERSION},
      {"compiler", __VERSION__},
      {"libraries", codec::Value::object({{"openssl", openssl}, {"zstd", ZSTD_versionString()}, {"fmt", fmt_version}})},
  }));
  context.out.line(fmt::format("holdfast {}", HOLDFAST_VERSION));
  context.out.note(
      fmt::format("compiler {}, OpenSSL {}, zstd {}, fmt {}", __VERSION__, openssl, ZSTD_versionString(), fmt_version));
  return {};
}

}  // namespace holdfast::cli

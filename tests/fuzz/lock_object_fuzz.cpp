#include <cstdlib>

#include "base/bytes.h"
#include "repo/format/lock_file.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace holdfast;
  const auto lock = repo::parse_lock(as_text(ByteSpan(data, size)));
  if (!lock) return 0;
  // Bytes that are no UTF-8 are replaced when written, so only what was written once must stay as it is.
  const auto once = repo::parse_lock(repo::lock_text(*lock));
  if (!once) std::abort();
  const std::string written = repo::lock_text(*once);
  const auto twice = repo::parse_lock(written);
  if (!twice || repo::lock_text(*twice) != written) std::abort();
  return 0;
}

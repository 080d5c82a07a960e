#include <cstdlib>

#include "base/bytes.h"
#include "repo/format/snapshot.h"

// A snapshot that is taken must be written the same way twice.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace holdfast;
  const auto snapshot = repo::parse_snapshot(as_text(ByteSpan(data, size)));
  if (!snapshot) return 0;
  // Bytes that are no UTF-8 are replaced when written, so only what was written once must stay as it is.
  const auto once = repo::parse_snapshot(repo::snapshot_text(*snapshot));
  if (!once) std::abort();
  const std::string written = repo::snapshot_text(*once);
  const auto twice = repo::parse_snapshot(written);
  if (!twice || repo::snapshot_text(*twice) != written) std::abort();
  return 0;
}

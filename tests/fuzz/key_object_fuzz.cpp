#include <cstdlib>

#include "repo/format/config.h"

// Key files and the master key inside them.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace holdfast;
  const auto text = as_text(ByteSpan(data, size));
  if (const auto key = repo::parse_master_key(text)) {
    const auto again = repo::parse_master_key(repo::master_key_text(*key));
    if (!again || !(*again == *key)) std::abort();
  }
  const auto file = repo::parse_key_file(text);
  if (!file) return 0;
  // Bytes that are no UTF-8 are replaced when written, so only what was written once must stay as it is.
  const auto once = repo::parse_key_file(repo::key_file_text(*file));
  if (!once) std::abort();
  const std::string written = repo::key_file_text(*once);
  const auto twice = repo::parse_key_file(written);
  if (!twice || repo::key_file_text(*twice) != written) std::abort();
  return 0;
}

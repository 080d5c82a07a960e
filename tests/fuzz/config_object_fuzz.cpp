#include <cstdlib>

#include "repo/format/chunker.h"
#include "repo/format/config.h"

// A config that is taken has a version we know and a polynomial the chunker can use.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace holdfast;
  const auto config = repo::parse_config(as_text(ByteSpan(data, size)));
  if (!config) return 0;
  if (config->version < 1 || config->version > 2 || !repo::is_chunker_polynomial(config->polynomial)) std::abort();
  const auto again = repo::parse_config(repo::config_text(*config));
  if (!again || again->id != config->id || again->polynomial != config->polynomial) std::abort();
  return 0;
}

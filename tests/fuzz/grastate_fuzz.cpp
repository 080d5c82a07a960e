#include <cstdlib>

#include "engine/galera/stored.h"

// What is taken for a saved state has a whole uuid and a possible number.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace holdfast::engine::galera;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  if (const auto state = parse_grastate(text); state && (state->uuid.size() != 36 || state->seqno < -1)) std::abort();
  if (const auto view = parse_view(text); view && (view->my_uuid.size() != 36 || view->view_uuid.size() != 36))
    std::abort();
  if (const auto cache = parse_cache_preamble(text); cache && cache->last && *cache->first > *cache->last) std::abort();
  return 0;
}

#include <cstdlib>

#include "store/rest_store.h"

// Whatever a server sends: plain names, or an error.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace holdfast;
  const auto listing = store::parse_rest_listing(as_text({data, size}));
  if (!listing) return listing.error().id == "store.protocol" ? 0 : (std::abort(), 0);
  for (const auto& entry : *listing) {
    if (entry.name.empty() || entry.name == ".." || entry.name.find('/') != std::string::npos) std::abort();
  }
  return 0;
}

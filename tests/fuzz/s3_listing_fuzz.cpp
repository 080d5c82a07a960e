#include <cstdlib>

#include "store/s3_client.h"
#include "store/s3_listing.h"

// Whatever a server sends: a listing with proper entries, or an error.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace holdfast;
  const ByteSpan body(data, size);
  const auto listing = store::parse_s3_listing(body);
  if (listing) {
    for (const auto& object : listing->objects) {
      if (object.key.empty()) std::abort();
    }
  } else if (listing.error().id != "store.protocol" && listing.error().id != "codec.xml") {
    std::abort();
  }
  (void)store::read_s3_error(as_text(body));
  return 0;
}

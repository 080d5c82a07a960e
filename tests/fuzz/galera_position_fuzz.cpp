#include <cstdlib>

#include "position/galera.h"

// Any text is refused or becomes a position that prints as it reads.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace holdfast::position;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto position = GaleraPosition::parse(text, GaleraSource::recovered);
  if (!position) return position.error().id == "position.invalid" ? 0 : (std::abort(), 0);
  if (*GaleraPosition::parse(position->to_string(), GaleraSource::recovered) != *position) std::abort();
  if (position->seqno < -1 || position->proves() != position->defined()) std::abort();
  return 0;
}

#include <cstdlib>

#include "position/gtid_vector.h"

// Any text is refused or becomes a vector or state that prints as it reads.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace holdfast::position;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto vector = GtidVector::parse(text);
  if (!vector && vector.error().id != "position.invalid") std::abort();
  if (vector && (*GtidVector::parse(vector->to_string()) != *vector || compare(*vector, *vector) != Order::equal))
    std::abort();
  const auto state = GtidState::parse(text);
  if (!state) return state.error().id == "position.invalid" ? 0 : (std::abort(), 0);
  if (*GtidState::parse(state->to_string()) != *state || !state->contains(state->last())) std::abort();
  if (vector && GtidState::from(*vector) != *state) std::abort();
  const auto half = GtidState::parse(text.substr(0, size / 2));
  if (half && !state->merge(*half).contains(*half)) std::abort();
  return 0;
}

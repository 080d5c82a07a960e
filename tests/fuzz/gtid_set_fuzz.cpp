#include <cstdlib>

#include "position/gtid_set.h"

// Any text is refused or becomes a set in normal form, for which the laws of sets hold.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace holdfast::position;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto set = GtidSet::parse(text);
  if (!set) return set.error().id == "position.invalid" ? 0 : (std::abort(), 0);
  if (*GtidSet::parse(set->to_string()) != *set || compare(*set, *set) != Order::equal) std::abort();
  for (const auto& source : set->sources()) {
    uint64_t after = 0;
    for (const auto [first, last] : source.intervals) {
      if (first > last || first <= after + (after > 0 ? 1 : 0) || last > GtidSet::kLastNumber) std::abort();
      after = last;
    }
    if (source.intervals.empty() || source.tag.size() > GtidSet::kTagLength) std::abort();
  }
  const auto half = GtidSet::parse(text.substr(0, size / 2));
  if (!half) return 0;
  if (set->subtract(*half).unite(set->intersect(*half)) != *set || !set->unite(*half).contains(*half)) std::abort();
  return 0;
}

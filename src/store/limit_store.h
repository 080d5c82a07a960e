// Holds the traffic of a store below a rate.
#pragma once

#include <cstdint>
#include <memory>
#include <stop_token>

#include "store/object_store.h"

namespace holdfast::store {

struct Rates {
  uint64_t upload = 0;  ///< bytes per second over all threads; 0 is no limit
  uint64_t download = 0;
};

/// Works in whole objects: the time one takes at that rate is waited before it is sent, and after it was read.
std::unique_ptr<ObjectStore> make_limit_store(std::unique_ptr<ObjectStore> inner, Rates rates,
                                              std::stop_token stop = {});

}  // namespace holdfast::store

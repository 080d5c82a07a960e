// Tries operations of another store again when it is unavailable.
#pragma once

#include <memory>
#include <stop_token>

#include "net/retry.h"
#include "store/object_store.h"

namespace holdfast::store {

/// For stores without retries of their own (a directory on a network file system, fakes in tests); s3 and rest retry
/// single requests themselves. Errors of class unavailable are repeated, except "store.no_space". A conditional put
/// that finds the key taken after an attempt that may have worked succeeds if the object is its own. list() holds one
/// whole listing in memory, so that a repeated one visits nothing twice.
std::unique_ptr<ObjectStore> make_retry_store(std::unique_ptr<ObjectStore> inner, net::RetryPolicy policy,
                                              std::stop_token stop = {});

}  // namespace holdfast::store

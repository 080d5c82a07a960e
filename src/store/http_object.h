// What several stores share: keys, ranges, and errors made from HTTP answers.
#pragma once

#include <string>
#include <string_view>

#include "base/bytes.h"
#include "net/http_client.h"
#include "net/retry.h"
#include "store/object_store.h"

namespace holdfast::store {

/// "store.key" (usage) unless the key is names joined by single '/', none of them "." or "..", without control
/// characters and backslashes.
Status check_key(std::string_view key);

/// "bytes=5-9", "bytes=5-"; "" for the whole object. `length` is not 0.
std::string range_header(uint64_t offset, uint64_t length);

/// Checks that a 2xx answer to that range brought exactly those bytes: "store.short_read" for fewer, "store.protocol"
/// for others.
Status check_range(const std::string& key, uint64_t offset, uint64_t length, const net::HttpResponse& answer,
                   size_t received);

/// How long an upload is tried: what a backup has read for hours is not given up after a minute, so packs, indexes and
/// snapshots have the upload budget. Locks have not: that one is lost must be known in time.
net::RetryPolicy upload_retry(const net::RetryPolicy& policy, std::string_view key);

/// The errors every store reports alike.
Error not_found(const std::string& key);
Error already_exists(const std::string& key);
Error short_read(const std::string& key, uint64_t offset, uint64_t length);

/// The error for an answer that is not a success; `code` and `detail` are the server's own words, "" if it had none.
Error answer_error(std::string_view what, const net::HttpResponse& answer, std::string_view code,
                   std::string_view detail);

/// Reads an object by range through the store's own `fetch` (one GET with that Range header) and settles the odd cases:
/// length 0, a range that begins at the very end, an empty object.
Status get_range(ObjectStore& store, const std::string& key, uint64_t offset, uint64_t length, Buffer& out,
                 const std::function<Result<net::HttpResponse>(const std::string& range, uint64_t limit)>& fetch,
                 const std::function<Error(const net::HttpResponse&)>& error_of);

/// Reads a whole object of at most `limit` bytes through the store's own `fetch`.
Status get_whole(const std::string& key, Buffer& out, uint64_t limit,
                 const std::function<Result<net::HttpResponse>(const std::string& range, uint64_t limit)>& fetch,
                 const std::function<Error(const net::HttpResponse&)>& error_of);

/// After a conditional put whose earlier attempt may have worked: ok if the object is there with this body, else
/// "store.exists".
Status settle_uncertain_put(ObjectStore& store, const std::string& key, ByteSpan body);

}  // namespace holdfast::store

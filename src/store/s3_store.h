// Objects in an S3 bucket, under a prefix.
#pragma once

#include <memory>

#include "net/http_client.h"
#include "store/object_store.h"
#include "store/s3_client.h"

namespace holdfast::store {

/// Every body goes up with a signed SHA-256 and as x-amz-checksum-sha256, which the server verifies before the object
/// becomes visible (SeaweedFS checks only the second). `if_absent` is If-None-Match: * and exact where the server is.
std::unique_ptr<ObjectStore> make_s3_store(std::shared_ptr<net::HttpClient> http, S3Options options);

}  // namespace holdfast::store

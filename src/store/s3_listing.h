// One page of an S3 listing (ListObjectsV2). PURE; input is not trusted.
#pragma once

#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"
#include "store/object_store.h"

namespace holdfast::store {

struct S3Listing {
  std::vector<ObjectInfo> objects;  ///< whole keys, decoded
  std::string next_token;           ///< "" on the last page
};

Result<S3Listing> parse_s3_listing(ByteSpan body);

}  // namespace holdfast::store

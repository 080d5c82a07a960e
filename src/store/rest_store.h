// Objects on a server that speaks restic's REST protocol, version 2.
#pragma once

#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "net/http_client.h"
#include "net/retry.h"
#include "net/url.h"
#include "store/object_store.h"

namespace holdfast::store {

struct RestOptions {
  net::Url url;  ///< with login where there is one
  unsigned connections = 5;
  net::RetryPolicy retry;
  std::stop_token stop;
};

/// Holds restic's layout only: "config", "{keys,locks,snapshots,index}/<name>", "data/<first two>/<name>"; other keys
/// are the usage error "store.key", other prefixes are empty, and listings name objects with SHA-256 names only. The
/// server refuses to overwrite; put() of an object that is there already succeeds if it is the same one (equal SHA-256
/// name and size). Whether `if_absent` is exact under a race is the server's affair; restic-rest-server's is for
/// "config".
std::unique_ptr<ObjectStore> make_rest_store(std::shared_ptr<net::HttpClient> http, RestOptions options);

struct RestEntry {
  std::string name;
  std::optional<uint64_t> size;  ///< version 1 servers do not say
};
/// A listing: [{"name":…,"size":…}] or ["name"]. PURE; input is not trusted.
Result<std::vector<RestEntry>> parse_rest_listing(std::string_view body);

}  // namespace holdfast::store

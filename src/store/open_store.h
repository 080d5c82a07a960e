// From a repository's location, as restic writes it, to the store behind it.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>

#include "base/result.h"
#include "store/object_store.h"

namespace holdfast::store {

struct StoreOptions {
  /// Looks up one environment variable. The caller's door to the world: nothing below reads the environment.
  /// Known: AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN, AWS_DEFAULT_REGION, AWS_REGION, AWS_PROFILE,
  /// AWS_SHARED_CREDENTIALS_FILE, AWS_CONFIG_FILE, HOME, RESTIC_REST_USERNAME, RESTIC_REST_PASSWORD, RESTIC_CACERT,
  /// RESTIC_TLS_CLIENT_CERT,
  /// HOLDFAST_RETRY_BUDGET, HOLDFAST_CONNECT_TIMEOUT, HOLDFAST_STALL_TIMEOUT (seconds), HTTP(S)_PROXY, NO_PROXY (either
  /// case; loopback addresses are never asked through a proxy).
  std::function<std::optional<std::string>(const std::string&)> env = [](const std::string&) { return std::nullopt; };
  std::string ca_file;        ///< --cacert; wins over RESTIC_CACERT
  std::string client_cert;    ///< --tls-client-cert; wins over RESTIC_TLS_CLIENT_CERT
  bool insecure_tls = false;  ///< --insecure-tls
  unsigned connections = 0;   ///< 0: the store's own default
  uint64_t upload_limit = 0;  ///< bytes per second; 0: none
  uint64_t download_limit = 0;
  /// -o name=value: s3.bucket-lookup (auto, path, dns), s3.region, s3.unsafe-anonymous-auth (true, false),
  /// s3.connections, rest.connections, local.connections.
  std::map<std::string, std::string> extended;
  std::stop_token stop;  ///< ends waits and transfers within about a second
};

/// The process environment, for main.
std::optional<std::string> process_environment(const std::string& name);

/// PATH, local:PATH, s3:http(s)://host:port/bucket/prefix, s3:host/bucket/prefix (https),
/// rest:http(s)://user:pw@host:port/path/, memory:NAME (one per name and process, for tests). Anything else is the
/// error "store.location" (usage). Reads credentials files where asked to, connects to nothing.
Result<std::unique_ptr<ObjectStore>> open_store(const std::string& location, const StoreOptions& options);

/// The location without a password, for messages.
std::string shown_location(const std::string& location);

}  // namespace holdfast::store

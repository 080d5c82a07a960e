// Credentials and region the way AWS's own tools find them: environment, then the shared files.
#pragma once

#include <functional>
#include <optional>
#include <string>

#include "base/result.h"
#include "net/sigv4.h"

namespace holdfast::store {

using EnvLookup = std::function<std::optional<std::string>(const std::string&)>;

struct AwsProfile {
  net::AwsCredentials credentials;  ///< empty access key if nothing was found
  std::string region;               ///< "" if nothing was found
};

/// AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY (and AWS_SESSION_TOKEN) win; then the
/// profile (default: "default") of ~/.aws/credentials and ~/.aws/config. An AWS_PROFILE that is nowhere is a usage
/// error.
Result<AwsProfile> find_aws_profile(const EnvLookup& env);

}  // namespace holdfast::store

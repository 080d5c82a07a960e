// PEM files as they lie on disk: bounded, and private keys only where they are private.
#pragma once

#include <string>

#include "base/result.h"
#include "base/secret.h"

namespace holdfast::net {

/// The whole of a regular file of at most 1 MiB. Errors: those of open(2), "net.pem_file" (refused) for anything else.
Result<std::string> read_pem_file(const std::string& path);

/// The same of a private key, at most 64 KiB. "net.tls_key_mode" (refused) when the group or others may read it.
Result<Secret> read_key_file(const std::string& path);

}  // namespace holdfast::net

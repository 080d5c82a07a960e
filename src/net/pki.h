// A certificate authority of one's own, as a directory: ca.crt, ca.key, and NAME.crt with NAME.key for each certificate
// it has issued. Keys have mode 0600, and nothing that exists is ever overwritten.
#pragma once

#include <string>
#include <vector>

#include "base/result.h"
#include "net/certificates.h"

namespace holdfast::net {

/// What was written, and what is in it.
struct PkiFiles {
  std::string certificate, key;  ///< paths
  CertificateInfo info;
};

/// Makes an authority in `directory` (made when it is missing). Errors: "pki.exists" (refused), those of writing.
Result<PkiFiles> init_authority(const std::string& directory, const std::string& name, const Lifetime& lifetime);

struct PkiRequest {
  Role role = Role::observe;
  std::string name;                ///< of a host for agents (also its first name); of a person or a program otherwise
  std::vector<std::string> names;  ///< further DNS names and addresses
};
/// "pki.name" (usage) when the name cannot be one of a file or, for an agent, of a host.
Status check_request(const PkiRequest& request);
/// Issues a certificate of the authority in `directory` into `out` (made when it is missing): agents may serve and
/// call, others only call. Errors: "pki.no_authority" (refused), "pki.authority_expired" (refused), "pki.exists"
/// (refused), "pki.name" (usage), "net.tls_key_mode" (of the authority's key), those of issue_certificate() and of
/// writing.
Result<PkiFiles> issue_into(const std::string& directory, const std::string& out, const PkiRequest& request,
                            int64_t now, int64_t days);

/// Paths of the authority's files.
std::string authority_certificate(const std::string& directory);
std::string authority_key(const std::string& directory);

}  // namespace holdfast::net

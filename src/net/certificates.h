// X.509 certificates of callers and agents: made, issued and described. Texts in, texts out: files are net/pki.h.
//
// What a caller may do is said by its certificate, as a URI among its subject alternative names:
// holdfast:role:observe, holdfast:role:operate or holdfast:role:agent.
// Functions here may be called from any thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"
#include "base/secret.h"

namespace holdfast::net {

/// What the holder of a certificate is allowed to be.
enum class Role {
  none,     ///< nothing is said, or more than one thing
  observe,  ///< looks
  operate,  ///< looks and changes
  agent,    ///< serves, and calls other agents for copies
};
/// "observe"; "none" for none.
std::string_view role_name(Role role);
/// observe, operate and agent by their names; nullopt for anything else.
std::optional<Role> role_of(std::string_view name);

/// Seconds since 1970, UTC; both ends belong to it.
struct Lifetime {
  int64_t from = 0, to = 0;
};
/// From an hour ago, so that hosts whose clocks differ a little can use it at once, for so many days from now.
Lifetime lifetime_from_now(int64_t now, int64_t days);
/// "2026-11-22T00:00:00Z"
std::string time_text(int64_t seconds);

/// A certificate and its private key (PKCS #8), both PEM.
struct Issued {
  std::string certificate;
  Secret key;
};

struct CertificateRequest {
  std::string name;                ///< common name; left out of the subject when it has more than 64 bytes
  std::vector<std::string> names;  ///< DNS names, and IP addresses where they parse as such
  Role role = Role::none;
  bool for_servers = false;  ///< extended key usages
  bool for_clients = false;
  Lifetime lifetime;
};

/// A new authority: ECDSA P-256, may sign certificates but no further authorities.
Result<Issued> make_authority(const std::string& name, const Lifetime& lifetime);
/// A certificate with a new ECDSA P-256 key. It ends no later than its authority. Errors: "pki.name" (usage: not a name
/// or address), "pki.authority" (refused: not an authority, or not its key).
Result<Issued> issue_certificate(const Issued& authority, const CertificateRequest& request);

struct CertificateInfo {
  std::string subject, issuer;     ///< RFC 2253
  std::string common_name;         ///< "" without one
  std::vector<std::string> names;  ///< DNS names, then addresses
  std::string name;                ///< the first DNS name, else the common name
  Role role = Role::none;
  bool authority = false;
  bool for_servers = false, for_clients = false;  ///< said by an extended key usage; without one neither
  int64_t not_before = 0, not_after = 0;          ///< seconds since 1970
  std::string serial;                             ///< hexadecimal
  std::string fingerprint;                        ///< SHA-256 of the whole, hexadecimal
};

/// The first certificate of a PEM text, which is the holder's own: those of its authorities follow. "net.certificate"
/// (refused) when there is none.
Result<CertificateInfo> describe_certificate(std::string_view pem);
/// One certificate as DER.
Result<CertificateInfo> describe_certificate_der(ByteSpan der);

/// Whether it can be a host's name in a certificate: letters, digits, '-', '_' and '.' in parts of 1 to 63, at most
/// 253.
bool is_dns_name(std::string_view text);
/// Whether it parses as an IPv4 or IPv6 address.
bool is_ip_address(const std::string& text);

}  // namespace holdfast::net

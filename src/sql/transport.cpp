#include "sql/transport.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <strings.h>
#include <unistd.h>

namespace holdfast::sql {
namespace {

/// Nothing but an address that the kernel itself keeps on this machine, and the one name that means it.
bool is_loopback(const std::string& host) {
  if (::strcasecmp(host.c_str(), "localhost") == 0) return true;
  in_addr v4{};
  if (::inet_pton(AF_INET, host.c_str(), &v4) == 1) return (ntohl(v4.s_addr) >> 24) == 127;
  in6_addr v6{};
  return ::inet_pton(AF_INET6, host.c_str(), &v6) == 1 && IN6_IS_ADDR_LOOPBACK(&v6);
}

/// libpq takes a host that begins with a slash for the directory of a unix socket.
bool is_socket(const Target& target) {
  return !target.socket.empty() || target.host.empty() || target.host[0] == '/';
}

}  // namespace

Result<Transport> transport_of(const Target& target) {
  if (is_socket(target)) return Transport::local;
  if (target.tls) return Transport::verified_tls;
  if (target.plain_text || is_loopback(target.host)) return Transport::plain;
  return fail(ErrorClass::refused, "sql.plain_text",
              fmt::format("{} is another host, and TLS is not required: the password and all data would cross the "
                          "network unencrypted",
                          target.host),
              "in the cluster's resource: spec.tls: {required: true, ca: FILE}, or spec.tls: {allowPlainText: true} "
              "where that network is trusted");
}

std::optional<sys::Identity> peer_of(const Target& target) {
  return is_socket(target) ? target.peer : std::nullopt;
}

std::string denied_hint(const Target& target) {
  if (!is_socket(target) || !target.password.empty()) return "check the user and the password file of this member";
  return fmt::format(
      "without a password a server lets in the unix user that its account {} is for: run this as that "
      "user or as root, or write spec.credentials: {{user: {}, passwordFile: FILE}} in the cluster's "
      "resource",
      target.user, target.user);
}

std::pair<std::string, std::string> postgres_address(const Target& target) {
  const std::string port = std::to_string(target.port);
  if (target.socket.empty()) return {target.host, port};
  constexpr std::string_view kName = "/.s.PGSQL.";
  const size_t name = target.socket.rfind('/');
  if (name == std::string::npos || !target.socket.substr(name).starts_with(kName)) return {target.socket, port};
  return {target.socket.substr(0, name), target.socket.substr(name + kName.size())};
}

std::vector<std::pair<const char*, std::string>> postgres_transport(const Target& target, Transport transport) {
  const std::string none = "/nonexistent";
  const bool tls = transport == Transport::verified_tls;
  // Never `prefer`: encrypted with nobody knows whom, and not at all where somebody in between says so.
  return {{"sslmode", tls ? "verify-full" : "disable"},
          {"sslrootcert", tls ? trusted_authorities(target) : none},
          {"sslcert", none},
          {"sslkey", none},
          {"sslcrl", none},
          {"gssencmode", "disable"}};
}

namespace {

std::string option(const char* name, std::string_view value) {
  std::string line = fmt::format("{}=\"", name);
  for (const char c : value) line += (c == '\\' || c == '"') ? std::string{'\\', c} : std::string(1, c);
  return line + "\"\n";
}

}  // namespace

std::string mariadb_transport_options(const Target& target, Transport transport) {
  if (transport != Transport::verified_tls) return "skip-ssl\n";
  return "ssl\nssl-verify-server-cert\n" + option("ssl-ca", trusted_authorities(target));
}

std::string mysql_transport_options(const Target& target, Transport transport) {
  if (transport == Transport::verified_tls)
    return "ssl-mode=VERIFY_IDENTITY\n" + option("ssl-ca", trusted_authorities(target));
  // caching_sha2_password sends the password encrypted with the server's key then, as our own connections do.
  return transport == Transport::plain ? "ssl-mode=DISABLED\nget-server-public-key\n" : "ssl-mode=DISABLED\n";
}

std::string trusted_authorities(const Target& target) {
  if (!target.tls_ca.empty()) return target.tls_ca;
  for (const char* bundle : {"/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt",
                             "/etc/ssl/ca-bundle.pem", "/etc/ssl/cert.pem"})
    if (::access(bundle, R_OK) == 0) return bundle;
  return "/etc/ssl/certs/ca-certificates.crt";
}

Error tls_error(std::string message) {
  return Error{
      ErrorClass::refused,
      "sql.tls",
      std::move(message),
      "the server must offer TLS; its certificate must be issued by the authority in spec.tls.ca, be valid now "
      "and name the host of this member",
      {}};
}

}  // namespace holdfast::sql

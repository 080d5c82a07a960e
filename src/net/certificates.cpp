#include "net/certificates.h"

#include <arpa/inet.h>
#include <openssl/bn.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include <algorithm>
#include <memory>

#include "codec/hex.h"
#include "crypto/certificate.h"
#include "net/certificate_names.h"
#include "net/openssl_handles.h"

namespace holdfast::net {
namespace {

constexpr size_t kLongestDer = 1 << 20;

struct FreeParts {
  void operator()(BIGNUM* number) const { BN_free(number); }
  void operator()(GENERAL_NAMES* names) const { GENERAL_NAMES_free(names); }
};
using Number = std::unique_ptr<BIGNUM, FreeParts>;
using Names = std::unique_ptr<GENERAL_NAMES, FreeParts>;

std::optional<int64_t> seconds_of(const ASN1_TIME* time) {
  std::tm parts{};
  if (!time || ASN1_TIME_to_tm(time, &parts) != 1) return std::nullopt;
  return ::timegm(&parts);
}

std::string name_text(const X509_NAME* name) {
  const Bio bio = writing_bio();
  if (!bio || X509_NAME_print_ex(bio.get(), name, 0, XN_FLAG_RFC2253) < 0) return {};
  return std::string(written(bio));
}

bool is_plain(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) { return c > 0x20 && c < 0x7F; });
}

/// "" where it is missing, or holds what is not to be shown or compared (a NUL, a line end).
std::string common_name_of(const X509* certificate) {
  const X509_NAME* subject = X509_get_subject_name(certificate);
  const int at = X509_NAME_get_index_by_NID(subject, NID_commonName, -1);
  if (at < 0) return {};
  uint8_t* text = nullptr;
  const int size = ASN1_STRING_to_UTF8(&text, X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, at)));
  if (size < 0) return {};
  std::string name(reinterpret_cast<char*>(text), static_cast<size_t>(size));
  OPENSSL_free(text);
  const bool shown = std::none_of(name.begin(), name.end(), [](char c) { return (c >= 0 && c < 0x20) || c == 0x7F; });
  return shown ? name : std::string();
}

void take_alternative_names(const X509* certificate, CertificateInfo& info) {
  const Names names(static_cast<GENERAL_NAMES*>(X509_get_ext_d2i(certificate, NID_subject_alt_name, nullptr, nullptr)));
  std::vector<std::string> addresses;
  int roles = 0;
  for (int i = 0; names && i < sk_GENERAL_NAME_num(names.get()); ++i) {
    int type = 0;
    const auto* value =
        static_cast<const ASN1_STRING*>(GENERAL_NAME_get0_value(sk_GENERAL_NAME_value(names.get(), i), &type));
    if (type != GEN_DNS && type != GEN_URI && type != GEN_IPADD) continue;
    const std::string_view text(reinterpret_cast<const char*>(ASN1_STRING_get0_data(value)),
                                static_cast<size_t>(ASN1_STRING_length(value)));
    if (type == GEN_IPADD) {
      char shown[INET6_ADDRSTRLEN];
      if ((text.size() == 4 || text.size() == 16) &&
          ::inet_ntop(text.size() == 4 ? AF_INET : AF_INET6, text.data(), shown, sizeof shown))
        addresses.emplace_back(shown);
    } else if (type == GEN_DNS) {
      if (is_plain(text)) info.names.emplace_back(text);
    } else if (text.starts_with(kRolePrefix)) {
      ++roles;
      info.role = role_of(text.substr(kRolePrefix.size())).value_or(Role::none);
    }
  }
  if (roles > 1) info.role = Role::none;
  info.name = info.names.empty() ? info.common_name : info.names[0];
  info.names.insert(info.names.end(), addresses.begin(), addresses.end());
}

std::unexpected<Error> no_certificate() {
  return fail(ErrorClass::refused, "net.certificate", "no certificate could be read from it",
              "it must be PEM, as holdfast pki issue and openssl write it");
}

Result<CertificateInfo> describe(X509* certificate) {
  CertificateInfo info;
  const auto from = seconds_of(X509_get0_notBefore(certificate)), to = seconds_of(X509_get0_notAfter(certificate));
  const Number serial(ASN1_INTEGER_to_BN(X509_get0_serialNumber(certificate), nullptr));
  uint8_t digest[EVP_MAX_MD_SIZE];
  unsigned size = 0;
  if (!from || !to || !serial || X509_digest(certificate, EVP_sha256(), digest, &size) != 1) {
    ERR_clear_error();
    return no_certificate();
  }
  info.not_before = *from;
  info.not_after = *to;
  if (char* text = BN_bn2hex(serial.get())) {
    info.serial = text;
    OPENSSL_free(text);
  }
  info.fingerprint = codec::to_hex({digest, size});
  info.subject = name_text(X509_get_subject_name(certificate));
  info.issuer = name_text(X509_get_issuer_name(certificate));
  info.common_name = common_name_of(certificate);
  take_alternative_names(certificate, info);
  info.authority = X509_check_ca(certificate) == 1;
  if (X509_get_extension_flags(certificate) & EXFLAG_XKUSAGE) {
    const uint32_t usages = X509_get_extended_key_usage(certificate);
    info.for_servers = usages & XKU_SSL_SERVER;
    info.for_clients = usages & XKU_SSL_CLIENT;
  }
  ERR_clear_error();
  return info;
}

}  // namespace

std::string_view role_name(Role role) {
  switch (role) {
    case Role::observe:
      return "observe";
    case Role::operate:
      return "operate";
    case Role::agent:
      return "agent";
    case Role::none:
      break;
  }
  return "none";
}

std::optional<Role> role_of(std::string_view name) {
  for (const Role role : {Role::observe, Role::operate, Role::agent})
    if (role_name(role) == name) return role;
  return std::nullopt;
}

Lifetime lifetime_from_now(int64_t now, int64_t days) {
  return {now - 3600, now + days * 86400};
}

std::string time_text(int64_t seconds) {
  return crypto::utc_time_text(seconds);
}

bool is_dns_name(std::string_view text) {
  if (text.empty() || text.size() > 253) return false;
  size_t part = 0;
  for (const char c : text) {
    const bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
    if (c == '.' ? part == 0 : !letter && c != '-' && c != '_') return false;
    part = c == '.' ? 0 : part + 1;
    if (part > 63) return false;
  }
  return part > 0;
}

std::string address_bytes(const std::string& text) {
  uint8_t bytes[16];
  for (const auto& [family, size] : {std::pair{AF_INET, 4}, std::pair{AF_INET6, 16}})
    if (::inet_pton(family, text.c_str(), bytes) == 1)
      return {reinterpret_cast<char*>(bytes), static_cast<size_t>(size)};
  return {};
}

bool is_ip_address(const std::string& text) {
  return !address_bytes(text).empty();
}

Result<CertificateInfo> describe_certificate(std::string_view pem) {
  const Certificate certificate = read_certificate(pem);
  if (!certificate) return no_certificate();
  return describe(certificate.get());
}

Result<CertificateInfo> describe_certificate_der(ByteSpan der) {
  const uint8_t* at = der.data();
  const Certificate certificate(der.size() > kLongestDer ? nullptr
                                                         : d2i_X509(nullptr, &at, static_cast<long>(der.size())));
  ERR_clear_error();
  if (!certificate) return no_certificate();
  return describe(certificate.get());
}

}  // namespace holdfast::net

// How certificates are made and signed; the other part of net/certificates.h describes them.
#include <fmt/format.h>
#include <openssl/bn.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include <algorithm>
#include <array>
#include <memory>

#include "crypto/random.h"
#include "net/certificate_names.h"
#include "net/certificates.h"
#include "net/openssl_handles.h"

namespace holdfast::net {
namespace {

template <auto Free>
struct Freed {
  template <class T>
  void operator()(T* object) const {
    Free(object);
  }
};
using Number = std::unique_ptr<BIGNUM, Freed<BN_free>>;
using Names = std::unique_ptr<GENERAL_NAMES, Freed<GENERAL_NAMES_free>>;
using Octets = std::unique_ptr<ASN1_OCTET_STRING, Freed<ASN1_OCTET_STRING_free>>;

constexpr size_t kLongestCommonName = 64;  // ub-common-name of RFC 5280

/// What OpenSSL refuses to build here it refuses for want of memory, or because we are wrong.
std::unexpected<Error> not_made() {
  ERR_clear_error();
  return fail(ErrorClass::bug, "net.certificate_not_made", "OpenSSL made no certificate");
}

Result<Issued> as_pem(const X509* certificate, const EVP_PKEY* key) {
  const Bio text = writing_bio(), secret = writing_bio();
  if (!text || !secret || PEM_write_bio_X509(text.get(), certificate) != 1 ||
      PEM_write_bio_PrivateKey(secret.get(), key, nullptr, nullptr, 0, nullptr, nullptr) != 1)
    return not_made();
  return Issued{std::string(written(text)), Secret(written(secret))};  // OpenSSL wipes its own copy of the key
}

bool set_serial(X509* certificate) {
  std::array<uint8_t, 16> random;
  crypto::fill_random(random);
  random[0] = static_cast<uint8_t>((random[0] & 0x7F) | 0x40);  // positive, and always as long
  const Number number(BN_bin2bn(random.data(), random.size(), nullptr));
  return number && BN_to_ASN1_INTEGER(number.get(), X509_get_serialNumber(certificate));
}

bool set_lifetime(X509* certificate, const Lifetime& lifetime) {
  return lifetime.from < lifetime.to && ASN1_TIME_set(X509_getm_notBefore(certificate), lifetime.from) &&
         ASN1_TIME_set(X509_getm_notAfter(certificate), lifetime.to);
}

bool add_name_entry(X509_NAME* subject, int what, const std::string& text) {
  return X509_NAME_add_entry_by_NID(subject, what, MBSTRING_UTF8, reinterpret_cast<const uint8_t*>(text.data()),
                                    static_cast<int>(text.size()), -1, 0) == 1;
}

bool set_subject(X509* certificate, const std::string& name) {
  X509_NAME* subject = X509_get_subject_name(certificate);
  return name.size() <= kLongestCommonName ? add_name_entry(subject, NID_commonName, name)
                                           : add_name_entry(subject, NID_organizationName, "Holdfast");
}

bool add_extension(X509* certificate, int what, bool critical, void* value) {
  return value && X509_add1_ext_i2d(certificate, what, value, critical, 0) == 1;
}

bool add_constraints(X509* certificate, bool authority) {
  const std::unique_ptr<BASIC_CONSTRAINTS, Freed<BASIC_CONSTRAINTS_free>> constraints(BASIC_CONSTRAINTS_new());
  if (!constraints) return false;
  if (authority) {
    constraints->ca = 0xFF;
    constraints->pathlen = ASN1_INTEGER_new();
    if (!constraints->pathlen || ASN1_INTEGER_set(constraints->pathlen, 0) != 1) return false;
  }
  return add_extension(certificate, NID_basic_constraints, true, constraints.get());
}

bool add_key_usage(X509* certificate, bool authority) {
  const std::unique_ptr<ASN1_BIT_STRING, Freed<ASN1_BIT_STRING_free>> bits(ASN1_BIT_STRING_new());
  if (!bits) return false;
  // Bits of RFC 5280 4.2.1.3: 0 digitalSignature, 5 keyCertSign, 6 cRLSign.
  const bool set =
      authority ? ASN1_BIT_STRING_set_bit(bits.get(), 5, 1) == 1 && ASN1_BIT_STRING_set_bit(bits.get(), 6, 1) == 1
                : ASN1_BIT_STRING_set_bit(bits.get(), 0, 1) == 1;
  return set && add_extension(certificate, NID_key_usage, true, bits.get());
}

bool add_extended_usage(X509* certificate, bool for_servers, bool for_clients) {
  if (!for_servers && !for_clients) return true;
  const std::unique_ptr<EXTENDED_KEY_USAGE, Freed<EXTENDED_KEY_USAGE_free>> usages(EXTENDED_KEY_USAGE_new());
  const auto push = [&](int what) { return usages && sk_ASN1_OBJECT_push(usages.get(), OBJ_nid2obj(what)) > 0; };
  return (!for_servers || push(NID_server_auth)) && (!for_clients || push(NID_client_auth)) &&
         add_extension(certificate, NID_ext_key_usage, false, usages.get());
}

/// The key's identifier: RFC 7093, method 1 (the first 20 bytes of the SHA-256 of the public key).
bool add_key_identifiers(X509* certificate, const X509* authority) {
  uint8_t digest[EVP_MAX_MD_SIZE];
  const Octets own(ASN1_OCTET_STRING_new());
  if (!own || X509_pubkey_digest(certificate, EVP_sha256(), digest, nullptr) != 1 ||
      ASN1_OCTET_STRING_set(own.get(), digest, 20) != 1 ||
      !add_extension(certificate, NID_subject_key_identifier, false, own.get()))
    return false;
  const ASN1_OCTET_STRING* above = authority ? X509_get0_subject_key_id(const_cast<X509*>(authority)) : nullptr;
  if (!above) return true;
  const std::unique_ptr<AUTHORITY_KEYID, Freed<AUTHORITY_KEYID_free>> identifier(AUTHORITY_KEYID_new());
  if (!identifier) return false;
  identifier->keyid = ASN1_OCTET_STRING_dup(above);
  return identifier->keyid && add_extension(certificate, NID_authority_key_identifier, false, identifier.get());
}

bool push_text(GENERAL_NAMES* names, int type, std::string_view text) {
  std::unique_ptr<GENERAL_NAME, Freed<GENERAL_NAME_free>> name(GENERAL_NAME_new());
  std::unique_ptr<ASN1_STRING, Freed<ASN1_STRING_free>> value(
      ASN1_STRING_type_new(type == GEN_IPADD ? V_ASN1_OCTET_STRING : V_ASN1_IA5STRING));
  if (!name || !value || ASN1_STRING_set(value.get(), text.data(), static_cast<int>(text.size())) != 1) return false;
  GENERAL_NAME_set0_value(name.get(), type, value.release());
  if (sk_GENERAL_NAME_push(names, name.get()) <= 0) return false;
  [[maybe_unused]] const auto* now_the_lists = name.release();
  return true;
}

bool add_alternative_names(X509* certificate, const CertificateRequest& request) {
  const Names names(GENERAL_NAMES_new());
  if (!names) return false;
  for (const std::string& each : request.names) {
    const std::string address = address_bytes(each);
    if (!(address.empty() ? push_text(names.get(), GEN_DNS, each) : push_text(names.get(), GEN_IPADD, address)))
      return false;
  }
  if (request.role != Role::none &&
      !push_text(names.get(), GEN_URI, fmt::format("{}{}", kRolePrefix, role_name(request.role))))
    return false;
  return sk_GENERAL_NAME_num(names.get()) == 0 || add_extension(certificate, NID_subject_alt_name, false, names.get());
}

/// nullptr for keys that bring their own digest (Ed25519).
const EVP_MD* digest_for(EVP_PKEY* key) {
  const int type = EVP_PKEY_get_base_id(key);
  return type == EVP_PKEY_ED25519 || type == EVP_PKEY_ED448 ? nullptr : EVP_sha256();
}

Certificate started(EVP_PKEY* key, const std::string& name, const Lifetime& lifetime) {
  Certificate certificate(X509_new());
  if (!certificate || !key || X509_set_version(certificate.get(), X509_VERSION_3) != 1 ||
      !set_serial(certificate.get()) || !set_lifetime(certificate.get(), lifetime) ||
      !set_subject(certificate.get(), name) || X509_set_pubkey(certificate.get(), key) != 1)
    return nullptr;
  return certificate;
}

}  // namespace

Result<Issued> make_authority(const std::string& name, const Lifetime& lifetime) {
  const Key key(EVP_EC_gen("P-256"));
  const Certificate certificate = started(key.get(), name, lifetime);
  if (!certificate || X509_set_issuer_name(certificate.get(), X509_get_subject_name(certificate.get())) != 1 ||
      !add_constraints(certificate.get(), true) || !add_key_usage(certificate.get(), true) ||
      !add_key_identifiers(certificate.get(), nullptr) || X509_sign(certificate.get(), key.get(), EVP_sha256()) == 0)
    return not_made();
  return as_pem(certificate.get(), key.get());
}

Result<Issued> issue_certificate(const Issued& authority, const CertificateRequest& request) {
  for (const std::string& each : request.names)
    if (!is_dns_name(each) && !is_ip_address(each))
      return fail(ErrorClass::usage, "pki.name", fmt::format("'{}' is neither a host's name nor an address", each),
                  "names have letters, digits, '-' and '.'; wildcards are not issued: each agent is its own");
  const Certificate above = read_certificate(authority.certificate);
  const Key above_key = read_key(authority.key.reveal());
  if (!above || !above_key || X509_check_ca(above.get()) != 1 ||
      X509_check_private_key(above.get(), above_key.get()) != 1) {
    ERR_clear_error();
    return fail(ErrorClass::refused, "pki.authority",
                "the authority's files are not the certificate of one and its key (PEM, without a passphrase)",
                "holdfast pki show FILE says what a certificate is for");
  }
  Lifetime lifetime = request.lifetime;
  lifetime.to = std::min(lifetime.to, TRY(describe_certificate(authority.certificate)).not_after);
  const Key key(EVP_EC_gen("P-256"));
  const Certificate certificate = started(key.get(), request.name, lifetime);
  if (!certificate || X509_set_issuer_name(certificate.get(), X509_get_subject_name(above.get())) != 1 ||
      !add_constraints(certificate.get(), false) || !add_key_usage(certificate.get(), false) ||
      !add_extended_usage(certificate.get(), request.for_servers, request.for_clients) ||
      !add_alternative_names(certificate.get(), request) || !add_key_identifiers(certificate.get(), above.get()) ||
      X509_sign(certificate.get(), above_key.get(), digest_for(above_key.get())) == 0)
    return not_made();
  return as_pem(certificate.get(), key.get());
}

}  // namespace holdfast::net

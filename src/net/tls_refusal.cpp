#include "net/tls_refusal.h"

#include <fmt/format.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include <cstring>
#include <optional>

#include "net/certificates.h"
#include "net/stream_error.h"

namespace holdfast::net {
namespace {

Error refused(const char* id, std::string message, std::string hint) {
  return Error{ErrorClass::refused, id, std::move(message), std::move(hint), {}};
}

/// Number of the alert that the other side sent, where the last error is one.
std::optional<int> received_alert() {
  const unsigned long error = ERR_peek_last_error();
  const int reason = ERR_GET_REASON(error);
  if (ERR_GET_LIB(error) != ERR_LIB_SSL || reason < SSL_AD_REASON_OFFSET || reason >= SSL_AD_REASON_OFFSET + 256)
    return std::nullopt;
  return reason - SSL_AD_REASON_OFFSET;
}

/// Alerts that are about our certificate.
std::optional<std::string> complaint(int alert) {
  switch (alert) {
    case SSL_AD_BAD_CERTIFICATE:
      return "it finds something wrong with it";
    case SSL_AD_UNSUPPORTED_CERTIFICATE:
      return "it is not meant for this use";
    case SSL_AD_CERTIFICATE_REVOKED:
      return "it was revoked";
    case SSL_AD_CERTIFICATE_EXPIRED:
      return "it has ended, or is not yet valid";
    case SSL_AD_CERTIFICATE_UNKNOWN:
      return "it could not be verified";
    case SSL_AD_UNKNOWN_CA:
      return "it is not of an authority that is trusted there";
    case SSL_AD_ACCESS_DENIED:
      return "it has no access there";
    case TLS13_AD_CERTIFICATE_REQUIRED:
      return "none was shown";
    default:
      return std::nullopt;
  }
}

std::string last_reason() {
  const char* reason = ERR_reason_error_string(ERR_peek_last_error());
  return reason ? reason : "no reason given";
}

std::optional<Error> refused_there() {
  const auto alert = received_alert();
  const auto why = alert ? complaint(*alert) : std::nullopt;
  if (!why) return std::nullopt;
  return refused("net.tls_refused", "the other side refuses our certificate: " + *why,
                 "holdfast pki show FILE says what our certificate is for and until when; the log of the other side "
                 "has more; holdfast pki issue makes another one");
}

/// "certificate of db1.example, 10.0.0.5 (CN=db1.example)"
std::string whose(const Verdict& verdict) {
  const auto info = describe_certificate_der(as_bytes(verdict.der));
  const std::string subject = info ? info->subject : "unknown subject";
  if (verdict.depth > 0) return fmt::format("certificate of the authority {}", subject);
  if (!info || info->names.empty()) return fmt::format("certificate of the other side ({})", subject);
  return fmt::format("certificate of {} ({})", fmt::join(info->names, ", "), subject);
}

Error not_valid_now(const Verdict& verdict) {
  const auto info = describe_certificate_der(as_bytes(verdict.der));
  const bool early = verdict.problem == X509_V_ERR_CERT_NOT_YET_VALID;
  const std::string when = info ? time_text(early ? info->not_before : info->not_after) : "at an unknown time";
  return refused("net.tls_expired",
                 fmt::format("the {} {} {}", whose(verdict), early ? "is not valid before" : "ended", when),
                 early ? "compare the clocks of both hosts"
                       : "holdfast pki issue makes another one; it is taken up without a restart");
}

Error not_trusted(const Verdict& verdict, const std::string& expected_name) {
  switch (verdict.problem) {
    case X509_V_ERR_CERT_HAS_EXPIRED:
    case X509_V_ERR_CERT_NOT_YET_VALID:
      return not_valid_now(verdict);
    case X509_V_ERR_HOSTNAME_MISMATCH:
    case X509_V_ERR_IP_ADDRESS_MISMATCH:
      return refused(
          "net.tls_name", fmt::format("the {} is not for {}", whose(verdict), expected_name),
          "is it the right host? A certificate with that name: holdfast pki issue agent NAME --san " + expected_name);
    case X509_V_ERR_INVALID_PURPOSE:
      return refused("net.tls_untrusted", fmt::format("the {} is not meant for this side", whose(verdict)),
                     "agents need one of holdfast pki issue agent; with an authority of your own, extended key usage "
                     "serverAuth for agents and clientAuth for all");
    default:
      return refused("net.tls_untrusted",
                     fmt::format("the {} is not of a trusted authority: {}", whose(verdict),
                                 X509_verify_cert_error_string(verdict.problem)),
                     "both sides need certificates of one authority, and its ca.crt: holdfast pki show FILE says whose "
                     "a certificate is, holdfast pki issue makes another one");
  }
}

}  // namespace

int note_verdict(int so_far, X509_STORE_CTX* checked) {
  auto* ssl = static_cast<SSL*>(X509_STORE_CTX_get_ex_data(checked, SSL_get_ex_data_X509_STORE_CTX_idx()));
  auto* verdict = static_cast<Verdict*>(SSL_get_app_data(ssl));
  X509* certificate = X509_STORE_CTX_get_current_cert(checked);
  const int depth = X509_STORE_CTX_get_error_depth(checked);
  if (so_far == 1 && depth == 0) {
    // Without any usage a certificate would be for everything: a person's could serve.
    const uint32_t wanted = SSL_is_server(ssl) ? XKU_SSL_CLIENT : XKU_SSL_SERVER;
    if (!(X509_get_extension_flags(certificate) & EXFLAG_XKUSAGE) ||
        !(X509_get_extended_key_usage(certificate) & wanted)) {
      X509_STORE_CTX_set_error(checked, X509_V_ERR_INVALID_PURPOSE);
      so_far = 0;
    }
  }
  if (so_far != 1 && verdict->problem == 0)
    *verdict = Verdict{X509_STORE_CTX_get_error(checked), depth, der_of(certificate)};
  return so_far;
}

Error handshake_error(const Verdict& verdict, const std::string& expected_name, bool ended, int socket_error) {
  Error error;
  if (verdict.problem != 0) {
    error = not_trusted(verdict, expected_name);
  } else if (auto there = refused_there()) {
    error = *std::move(there);
  } else if (ERR_GET_REASON(ERR_peek_last_error()) == SSL_R_PEER_DID_NOT_RETURN_A_CERTIFICATE) {
    error = refused("net.tls_no_certificate", "the other side shows no certificate",
                    "callers of agents need one: holdfast pki issue observe NAME, or operate");
  } else if (socket_error != 0) {
    error = broken(std::string("the connection broke during the TLS handshake: ") + std::strerror(socket_error));
  } else if (ended) {
    error = broken("the other side ended the connection during the TLS handshake")
                .with_hint("is it the port of an agent? Its log says why it ended the connection");
  } else {
    error = refused("net.tls_protocol", "the other side does not speak TLS 1.3: " + last_reason(),
                    "is it the port of an agent, and the caller holdfast?");
  }
  ERR_clear_error();
  return error;
}

Error reading_error(bool ended, int socket_error) {
  Error error;
  if (auto there = refused_there()) {
    error = *std::move(there);
  } else if (socket_error != 0) {
    error = broken(std::string("the connection broke: ") + std::strerror(socket_error));
  } else {
    error =
        broken(ended ? "the other side ended the connection in the middle" : "the connection broke: " + last_reason());
  }
  ERR_clear_error();
  return error;
}

std::string der_of(const X509* certificate) {
  if (!certificate) return {};
  uint8_t* der = nullptr;
  const int size = i2d_X509(certificate, &der);
  if (size <= 0) return {};
  std::string text(reinterpret_cast<char*>(der), static_cast<size_t>(size));
  OPENSSL_free(der);
  return text;
}

}  // namespace holdfast::net

// Why a handshake failed, in our words; for this module.
#pragma once

#include <string>

#include "base/error.h"

struct ssl_st;
struct x509_st;
struct x509_store_ctx_st;

namespace holdfast::net {

/// What our check of the other side's certificates came to; hangs on the connection (SSL_set_app_data).
struct Verdict {
  int problem = 0;  ///< X509_V_ERR_...; 0 = none
  int depth = 0;    ///< of the certificate that has it: 0 is the other side's own
  std::string der;  ///< that certificate
};

/// OpenSSL's verify callback: keeps what was found in the connection's Verdict, and demands an extended key usage.
int note_verdict(int so_far, x509_store_ctx_st* checked);

/// A failed handshake or, afterwards, read; from OpenSSL's queue of errors, which is emptied. `ended`: the connection
/// ended before it said so; `socket_error` is an errno of the socket, or 0.
Error handshake_error(const Verdict& verdict, const std::string& expected_name, bool ended, int socket_error);
Error reading_error(bool ended, int socket_error);

/// The certificate as DER; "" for none.
std::string der_of(const x509_st* certificate);

}  // namespace holdfast::net

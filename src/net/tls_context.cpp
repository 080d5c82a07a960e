// The files of both sides, as OpenSSL's settings.
#include <fmt/format.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <sys/stat.h>

#include <array>
#include <cerrno>
#include <cstring>

#include "base/log.h"
#include "base/mutex.h"
#include "net/openssl_handles.h"
#include "net/pem_file.h"
#include "net/tls_refusal.h"
#include "net/tls_stream.h"

namespace holdfast::net {
namespace {

struct FreeChain {
  void operator()(STACK_OF(X509) * chain) const { sk_X509_pop_free(chain, X509_free); }
};
using Chain = std::unique_ptr<STACK_OF(X509), FreeChain>;

/// Which files these are: another inode, size or time is another set.
using Stamp = std::array<int64_t, 3 * 7>;

Stamp stamp_of(const TlsFiles& files) {
  Stamp stamp{};
  auto at = stamp.begin();
  for (const std::string* path : {&files.ca, &files.certificate, &files.key}) {
    struct stat info{};
    if (::stat(path->c_str(), &info) == 0)
      for (const int64_t value :
           {int64_t(info.st_dev), int64_t(info.st_ino), int64_t(info.st_size), int64_t(info.st_mtim.tv_sec),
            int64_t(info.st_mtim.tv_nsec), int64_t(info.st_ctim.tv_sec), int64_t(info.st_ctim.tv_nsec)})
        *at++ = value;
    else
      at += 7;
  }
  return stamp;
}

std::unexpected<Error> unusable(std::string message, const std::string& hint) {
  return fail(ErrorClass::refused, "net.tls_file", std::move(message), hint);
}

constexpr const char* kIssueHint =
    "holdfast pki issue agent NAME (for an agent) or holdfast pki issue operate NAME (for a person) makes certificate "
    "and key; ca.crt is beside them";

/// All certificates of a PEM text.
Chain certificates_of(std::string_view pem) {
  Chain chain(sk_X509_new_null());
  const Bio bio = reading_bio(pem);
  while (X509* next = bio ? PEM_read_bio_X509(bio.get(), nullptr, nullptr, nullptr) : nullptr) {
    if (sk_X509_push(chain.get(), next) > 0) continue;
    X509_free(next);
    break;
  }
  ERR_clear_error();
  return chain;
}

Result<Chain> read_certificates(const std::string& path, const char* what) {
  const auto text = read_pem_file(path);
  if (!text) return unusable(fmt::format("{} {}", what, text.error().message), kIssueHint);
  Chain chain = certificates_of(*text);
  if (sk_X509_num(chain.get()) <= 0)
    return unusable(fmt::format("{} {} holds no certificate (PEM)", what, path), kIssueHint);
  return chain;
}

Status use_own(SSL_CTX* context, const TlsFiles& files) {
  const Chain chain = TRY(read_certificates(files.certificate, "the certificate"));
  auto text = read_key_file(files.key);
  if (!text && text.error().id == "net.tls_key_mode") return fail(std::move(text.error()));
  if (!text) return unusable("the private key " + text.error().message, kIssueHint);
  const Key key = read_key(text->reveal());
  if (!key) return unusable("the private key " + files.key + " is none (PEM), or has a passphrase", kIssueHint);

  const Certificate own(sk_X509_shift(chain.get()));
  if (X509_check_private_key(own.get(), key.get()) != 1) {
    ERR_clear_error();
    return fail(ErrorClass::refused, "net.tls_mismatch",
                fmt::format("{} is not the key of the certificate {}", files.key, files.certificate),
                "both files come from one run of holdfast pki issue; copy both again");
  }
  if (SSL_CTX_use_cert_and_key(context, own.get(), key.get(), chain.get(), 1) == 1) return {};
  const char* reason = ERR_reason_error_string(ERR_peek_last_error());
  const std::string text_of = reason ? reason : "no reason given";
  ERR_clear_error();
  return unusable(fmt::format("the certificate {} is refused by OpenSSL: {}", files.certificate, text_of), kIssueHint);
}

Status trust(SSL_CTX* context, const TlsFiles& files) {
  const Chain authorities = TRY(read_certificates(files.ca, "the authority's certificate"));
  X509_STORE* store = SSL_CTX_get_cert_store(context);
  for (int i = 0; i < sk_X509_num(authorities.get()); ++i)
    X509_STORE_add_cert(store, sk_X509_value(authorities.get(), i));
  ERR_clear_error();
  X509_VERIFY_PARAM* rules = SSL_CTX_get0_param(context);
  X509_VERIFY_PARAM_set_flags(rules, X509_V_FLAG_PARTIAL_CHAIN);
  X509_VERIFY_PARAM_set_hostflags(rules, X509_CHECK_FLAG_NEVER_CHECK_SUBJECT | X509_CHECK_FLAG_NO_WILDCARDS);
  SSL_CTX_set_verify(context, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, note_verdict);
  return {};
}

Result<std::shared_ptr<SSL_CTX>> make_context(const TlsFiles& files) {
  std::shared_ptr<SSL_CTX> context(SSL_CTX_new(TLS_method()), SSL_CTX_free);
  SSL_CTX* raw = context.get();
  if (!raw || SSL_CTX_set_min_proto_version(raw, TLS1_3_VERSION) != 1 || SSL_CTX_set_max_proto_version(raw, 0) != 1 ||
      SSL_CTX_set_ciphersuites(raw, "TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256") !=
          1 ||
      SSL_CTX_set1_groups_list(raw, "X25519:P-256:P-384") != 1 || SSL_CTX_set_num_tickets(raw, 0) != 1)
    return unusable("this machine's OpenSSL refuses TLS 1.3 or its ciphers",
                    "openssl version -a says how it is built and set");
  SSL_CTX_set_security_level(raw, 2);
  SSL_CTX_set_options(raw, SSL_OP_NO_TICKET | SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION);
  SSL_CTX_set_session_cache_mode(raw, SSL_SESS_CACHE_OFF);
  // Idle connections keep no buffers; a write may be repeated from another place in memory.
  SSL_CTX_set_mode(raw, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER | SSL_MODE_RELEASE_BUFFERS);
  // Of what has come as much as there is at once, not each record's head by itself.
  SSL_CTX_set_read_ahead(raw, 1);
  SSL_CTX_set_default_read_buffer_len(raw, 128 << 10);
  TRY_VOID(use_own(raw, files));
  TRY_VOID(trust(raw, files));
  return context;
}

Result<CertificateInfo> describe_own(SSL_CTX* context) {
  return describe_certificate_der(as_bytes(der_of(SSL_CTX_get0_certificate(context))));
}

}  // namespace

struct TlsContext::State {
  const TlsFiles files;
  Mutex mutex;
  Stamp stamp GUARDED_BY(mutex){};  // of what was tried last
  std::shared_ptr<SSL_CTX> current GUARDED_BY(mutex);
  CertificateInfo own GUARDED_BY(mutex);
};

Result<TlsContext> TlsContext::load(const TlsFiles& files) {
  const Stamp stamp = stamp_of(files);  // before reading: what changes meanwhile differs from it
  auto current = TRY(make_context(files));
  auto own = TRY(describe_own(current.get()));
  auto state = std::make_shared<State>(files);
  MutexLock lock(state->mutex);
  state->stamp = stamp;
  state->current = std::move(current);
  state->own = std::move(own);
  return TlsContext(state);
}

bool TlsContext::reload_if_changed() const {
  MutexLock lock(state_->mutex);
  const Stamp stamp = stamp_of(state_->files);
  if (stamp == state_->stamp) return false;
  state_->stamp = stamp;
  auto fresh = make_context(state_->files);
  auto own = fresh ? describe_own(fresh->get()) : Result<CertificateInfo>(fail(fresh.error()));
  if (!own) {
    log(LogLevel::warn, "changed certificate files are not used, the old ones stay in use: {}",
        own.error().to_string());
    return false;
  }
  state_->current = *std::move(fresh);
  state_->own = *std::move(own);
  log(LogLevel::info, "certificate {} is in use now, valid until {}", state_->own.serial,
      time_text(state_->own.not_after));
  return true;
}

CertificateInfo TlsContext::certificate() const {
  MutexLock lock(state_->mutex);
  return state_->own;
}

std::shared_ptr<ssl_ctx_st> TlsContext::current() const {
  MutexLock lock(state_->mutex);
  return state_->current;
}

}  // namespace holdfast::net

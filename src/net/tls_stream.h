// Mutual TLS 1.3 over TCP: both sides show a certificate of an authority that the other trusts.
//
// - No older TLS, no resumption, no tickets, no early data. No revocation lists: what must not be used any more is
//   replaced together with the authority, or left to expire.
// - Every certificate in the authority file is trusted as one, also an intermediate one without what is above it.
// - A server's certificate must be meant for servers (extended key usage) and name the host that was asked for, as a
// DNS
//   name or address among its alternative names; the common name counts for nothing there, and neither do wildcards. A
//   client's must be meant for clients; what it may do is for the caller to judge (Peer::role).
// - With TLS 1.3 a client's handshake is over before the server has judged its certificate: a refusal shows at its
// first
//   read or write ("net.tls_refused").
//
// Errors of class refused, each with a hint: "net.tls_untrusted" (of another authority, or not meant for this use),
// "net.tls_expired" (or not yet valid), "net.tls_name", "net.tls_no_certificate", "net.tls_refused" (the other
// side does not take ours), "net.tls_protocol" (what answers does not speak TLS 1.3). Besides those of net/stream.h.
#pragma once

#include <cstdint>
#include <memory>
#include <stop_token>
#include <string>
#include <vector>

#include "base/deadline.h"
#include "base/result.h"
#include "net/certificates.h"
#include "net/stream.h"
#include "sys/file.h"

struct ssl_ctx_st;

namespace holdfast::net {

/// PEM files: whose certificates the other side may have, ours (with intermediate ones after it), its private key.
struct TlsFiles {
  std::string ca, certificate, key;
};

/// Who we are and whom we trust. Copies are cheap and share one state; thread-safe.
class TlsContext {
 public:
  /// Reads the files. Errors (refused): "net.tls_file" (missing, or not what it should be), "net.tls_key_mode" (others
  /// may read the key), "net.tls_mismatch" (the key of another certificate).
  static Result<TlsContext> load(const TlsFiles& files);

  /// Reads the files again where one of them is another one now (inode, size, times); true when new ones are in use. A
  /// set that cannot be used keeps the old one, and is logged once. Connections keep what they were made with.
  /// tls_connect() and tls_accept() ask this first, so that nobody has to.
  bool reload_if_changed() const;

  /// Our own certificate, as it is in use now.
  CertificateInfo certificate() const;

 private:
  friend class TlsStream;
  struct State;
  explicit TlsContext(std::shared_ptr<State> state) : state_(std::move(state)) {}
  std::shared_ptr<ssl_ctx_st> current() const;
  std::shared_ptr<State> state_;
};

/// Who is at the other end: what its certificate says.
struct Peer {
  std::string name;                ///< first DNS name, else the common name
  std::vector<std::string> names;  ///< DNS names, then addresses
  Role role = Role::none;
  std::string serial;
  int64_t not_before = 0, not_after = 0;  ///< seconds since 1970
  std::string subject;
  /// Of the authorities above it, as it was verified, the one that expires first; "" where it is trusted itself.
  std::string authority;  ///< subject
  int64_t authority_not_before = 0, authority_not_after = 0;
};

/// A connection whose both ends are proven.
class TlsStream final : public Stream {
 public:
  TlsStream(TlsStream&&) noexcept;
  TlsStream& operator=(TlsStream&&) noexcept;
  ~TlsStream() override;

  const Peer& peer() const;

  Result<Step> try_read(MutableByteSpan into) override;
  Result<Step> try_write(ByteSpan bytes) override;
  Result<Step> try_end_writing() override;
  int poll_fd() const override;

 private:
  friend Result<TlsStream> tls_connect(const std::string&, int, const std::string&, const TlsContext&, Deadline,
                                       std::stop_token);
  friend Result<TlsStream> tls_accept(sys::Fd, const TlsContext&, Deadline, std::stop_token);
  struct Connection;
  explicit TlsStream(std::unique_ptr<Connection> connection);
  static Result<TlsStream> open(sys::Fd fd, const TlsContext& context, const std::string* expected_name,
                                Deadline deadline, std::stop_token stop);
  std::unique_ptr<Connection> connection_;
};

/// Connects to host:port and proves that `expected_name` (a DNS name or an address) is there. Further errors:
/// "net.unreachable" (unavailable), "net.name" (usage: no name to expect).
Result<TlsStream> tls_connect(const std::string& host, int port, const std::string& expected_name,
                              const TlsContext& context, Deadline deadline, std::stop_token stop = {});

/// The server's side, on a connection just accepted.
Result<TlsStream> tls_accept(sys::Fd fd, const TlsContext& context, Deadline deadline, std::stop_token stop = {});

}  // namespace holdfast::net

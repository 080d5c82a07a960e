#include "net/tls_stream.h"

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <sys/socket.h>

#include <cerrno>
#include <new>
#include <optional>

#include "net/connect.h"
#include "net/openssl_handles.h"
#include "net/stream_error.h"
#include "net/tls_refusal.h"
#include "sys/process.h"

namespace holdfast::net {
namespace {

/// The socket below OpenSSL. Its own access to sockets would raise SIGPIPE, and loses errno.
struct Socket {
  sys::Fd fd;
  bool ended = false;  // by the other side
  bool more = false;   // what is written now is not the last of it
  int problem = 0;     // errno of a call that failed for good
};

Socket& socket_of(BIO* bio) {
  return *static_cast<Socket*>(BIO_get_data(bio));
}

/// What recv() or send() returned, in the way of a BIO.
int moved(BIO* bio, ssize_t n, size_t* done) {
  BIO_clear_retry_flags(bio);
  *done = n > 0 ? static_cast<size_t>(n) : 0;
  if (n < 0 && errno == EAGAIN) return 0;  // the caller says what for
  if (n < 0) socket_of(bio).problem = errno;
  return n > 0 ? 1 : 0;
}

int read_socket(BIO* bio, char* into, size_t size, size_t* done) {
  Socket& socket = socket_of(bio);
  ssize_t n = 0;
  do n = ::recv(socket.fd.get(), into, size, MSG_DONTWAIT);
  while (n < 0 && errno == EINTR);
  const bool later = n < 0 && errno == EAGAIN;
  if (n == 0) socket.ended = true;
  const int answer = moved(bio, n, done);
  if (later) BIO_set_retry_read(bio);
  return answer;
}

int write_socket(BIO* bio, const char* bytes, size_t size, size_t* done) {
  ssize_t n = 0;
  const int flags = MSG_DONTWAIT | MSG_NOSIGNAL | (socket_of(bio).more ? MSG_MORE : 0);
  do n = ::send(socket_of(bio).fd.get(), bytes, size, flags);
  while (n < 0 && errno == EINTR);
  const bool later = n < 0 && errno == EAGAIN;
  const int answer = moved(bio, n, done);
  if (later) BIO_set_retry_write(bio);
  return answer;
}

long control_socket(BIO* bio, int what, long, void*) {
  if (what == BIO_CTRL_FLUSH) return 1;
  if (what == BIO_CTRL_EOF) return socket_of(bio).ended ? 1 : 0;
  return 0;
}

const BIO_METHOD* socket_method() {
  static const BIO_METHOD* const method = [] {
    BIO_METHOD* made = BIO_meth_new(BIO_TYPE_SOURCE_SINK | BIO_get_new_index(), "holdfast socket");
    if (!made || BIO_meth_set_read_ex(made, read_socket) != 1 || BIO_meth_set_write_ex(made, write_socket) != 1 ||
        BIO_meth_set_ctrl(made, control_socket) != 1)
      throw std::bad_alloc();
    return made;
  }();
  return method;
}

}  // namespace

struct TlsStream::Connection {
  Socket socket;
  std::shared_ptr<SSL_CTX> context;
  SSL* ssl = nullptr;
  Verdict verdict;
  Peer peer;
  bool writing_ended = false;
  std::optional<Error> reading_failed, writing_failed;  // for good

  Connection() = default;
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;
  ~Connection() { SSL_free(ssl); }

  /// Everything but the handshake. `expected_name` is null on the server's side.
  Status start(sys::Fd fd, const std::string* expected_name);
  /// What a call that returned `answer` (not a success) waits for; 0 when it waits for nothing.
  short wants(int answer) const;
  /// Before each call: what is found afterwards is of that call.
  void forget_problems() {
    ERR_clear_error();
    socket.problem = 0;
  }
  /// Looks for an alert that came before the connection broke in writing: it says why.
  void look_for_alert();
  Status read_peer();
};

Status TlsStream::Connection::start(sys::Fd fd, const std::string* expected_name) {
  prepare_socket(fd.get());
  socket.fd = std::move(fd);
  ssl = SSL_new(context.get());
  BIO* bio = BIO_new(socket_method());
  if (!ssl || !bio) {
    BIO_free(bio);
    throw std::bad_alloc();
  }
  BIO_set_data(bio, &socket);
  BIO_set_init(bio, 1);
  SSL_set_bio(ssl, bio, bio);
  SSL_set_app_data(ssl, &verdict);
  if (!expected_name) {
    SSL_set_accept_state(ssl);
    return {};
  }
  SSL_set_connect_state(ssl);
  X509_VERIFY_PARAM* rules = SSL_get0_param(ssl);
  const bool set = is_ip_address(*expected_name)
                       ? X509_VERIFY_PARAM_set1_ip_asc(rules, expected_name->c_str()) == 1
                       : SSL_set_tlsext_host_name(ssl, expected_name->c_str()) == 1 &&
                             X509_VERIFY_PARAM_set1_host(rules, expected_name->data(), expected_name->size()) == 1;
  if (!set) throw std::bad_alloc();
  return {};
}

short TlsStream::Connection::wants(int answer) const {
  const int error = SSL_get_error(ssl, answer);
  if (error == SSL_ERROR_WANT_READ) return POLLIN;
  return error == SSL_ERROR_WANT_WRITE ? POLLOUT : 0;
}

void TlsStream::Connection::look_for_alert() {
  uint8_t byte = 0;
  size_t got = 0;
  forget_problems();
  if (SSL_peek_ex(ssl, &byte, 1, &got) == 1 || wants(0) != 0) return;
  Error error = reading_error(true, 0);
  if (error.id != "net.tls_refused") return;
  reading_failed = error;
  writing_failed = std::move(error);
}

Status TlsStream::Connection::read_peer() {
  const Certificate certificate(SSL_get1_peer_certificate(ssl));
  CertificateInfo info = TRY(describe_certificate_der(as_bytes(der_of(certificate.get()))));
  peer = Peer{.name = info.name,
              .names = std::move(info.names),
              .role = info.role,
              .serial = info.serial,
              .not_before = info.not_before,
              .not_after = info.not_after,
              .subject = info.subject,
              .authority = {}};
  STACK_OF(X509)* chain = SSL_get0_verified_chain(ssl);
  for (int i = 1; i < sk_X509_num(chain); ++i) {
    const auto above = describe_certificate_der(as_bytes(der_of(sk_X509_value(chain, i))));
    if (!above || (!peer.authority.empty() && above->not_after >= peer.authority_not_after)) continue;
    peer.authority = above->subject;
    peer.authority_not_before = above->not_before;
    peer.authority_not_after = above->not_after;
  }
  return {};
}

TlsStream::TlsStream(std::unique_ptr<Connection> connection) : connection_(std::move(connection)) {}
TlsStream::TlsStream(TlsStream&&) noexcept = default;
TlsStream& TlsStream::operator=(TlsStream&&) noexcept = default;
TlsStream::~TlsStream() = default;

Result<TlsStream> TlsStream::open(sys::Fd fd, const TlsContext& context, const std::string* expected_name,
                                  Deadline deadline, std::stop_token stop) {
  auto connection = std::make_unique<Connection>();
  connection->context = context.current();
  TRY_VOID(connection->start(std::move(fd), expected_name));
  for (;;) {
    if (auto in_time = check_time(deadline, stop); !in_time)
      return fail(std::move(in_time.error()).with_context("TLS handshake"));
    connection->forget_problems();
    const int answer = SSL_do_handshake(connection->ssl);
    if (answer == 1) break;
    const short wants = connection->wants(answer);
    if (!wants)
      return fail(handshake_error(connection->verdict, expected_name ? *expected_name : "", connection->socket.ended,
                                  connection->socket.problem));
    (void)TRY(sys::wait_fd(connection->socket.fd.get(), wants, deadline, stop));
  }
  TRY_VOID(connection->read_peer());
  return TlsStream(std::move(connection));
}

const Peer& TlsStream::peer() const {
  return connection_->peer;
}

int TlsStream::poll_fd() const {
  return connection_->socket.fd.get();
}

Result<Step> TlsStream::try_read(MutableByteSpan into) {
  Connection& c = *connection_;
  if (c.reading_failed) return fail(*c.reading_failed);
  c.forget_problems();
  size_t got = 0;
  if (SSL_read_ex(c.ssl, into.data(), into.size(), &got) == 1) return Step{.bytes = got};
  if (const short wants = c.wants(0)) return Step{.wants = wants};
  if (SSL_get_error(c.ssl, 0) == SSL_ERROR_ZERO_RETURN) return Step{};
  c.reading_failed = reading_error(c.socket.ended, c.socket.problem);
  return fail(*c.reading_failed);
}

Result<Step> TlsStream::try_write(ByteSpan bytes) {
  Connection& c = *connection_;
  if (c.writing_failed) return fail(*c.writing_failed);
  c.forget_problems();
  size_t done = 0;
  c.socket.more = bytes.size() > SSL3_RT_MAX_PLAIN_LENGTH;
  if (SSL_write_ex(c.ssl, bytes.data(), bytes.size(), &done) == 1) return Step{.bytes = done};
  if (const short wants = c.wants(0)) return Step{.wants = wants};
  c.writing_failed = reading_error(false, c.socket.problem);
  c.look_for_alert();
  return fail(*c.writing_failed);
}

Result<Step> TlsStream::try_end_writing() {
  Connection& c = *connection_;
  if (c.writing_failed) return fail(*c.writing_failed);
  if (c.writing_ended) return Step{};
  c.forget_problems();
  c.socket.more = false;
  const int answer = SSL_shutdown(c.ssl);
  c.writing_ended = answer >= 0;  // called again it would wait for the other side's end, and drop what comes before it
  if (c.writing_ended) return Step{};
  if (const short wants = c.wants(answer)) return Step{.wants = wants};
  c.writing_failed = reading_error(false, c.socket.problem);
  c.look_for_alert();
  return fail(*c.writing_failed);
}

Result<TlsStream> tls_connect(const std::string& host, int port, const std::string& expected_name,
                              const TlsContext& context, Deadline deadline, std::stop_token stop) {
  if (!is_dns_name(expected_name) && !is_ip_address(expected_name))
    return fail(ErrorClass::usage, "net.name", "'" + expected_name + "' is neither a host's name nor an address");
  context.reload_if_changed();
  sys::Fd fd = TRY(tcp_connect(host, port, deadline, stop));
  return TlsStream::open(std::move(fd), context, &expected_name, deadline, stop)
      .context(host + ":" + std::to_string(port));
}

Result<TlsStream> tls_accept(sys::Fd fd, const TlsContext& context, Deadline deadline, std::stop_token stop) {
  context.reload_if_changed();
  return TlsStream::open(std::move(fd), context, nullptr, deadline, stop);
}

}  // namespace holdfast::net

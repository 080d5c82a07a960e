// HTTP/1.1 requests over pooled, kept-alive connections.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/bytes.h"
#include "base/deadline.h"
#include "base/result.h"

namespace holdfast::net {

using HttpHeaders = std::vector<std::pair<std::string, std::string>>;

/// Whatever a request refers to must live until send() returns.
struct HttpRequest {
  std::string method = "GET";
  std::string url;  ///< percent-encoded; sent as it is
  HttpHeaders headers;
  ByteSpan body;  ///< sent with its Content-Length when the method is PUT or POST
  /// Instead of `body`: fills the span, returns the bytes written; exactly source_size bytes in all. Not rewindable, so
  /// a request with a source is never repeated.
  std::function<Result<size_t>(MutableByteSpan)> source;
  uint64_t source_size = 0;

  /// Where the body of a 2xx answer goes (cleared first); at most `limit` bytes, more is the error "net.too_long".
  Buffer* into = nullptr;
  uint64_t limit = UINT64_MAX;
  /// Instead of `into`: called for each piece of the body of a 2xx answer.
  std::function<Status(ByteSpan)> sink;

  Deadline deadline = Deadline::never();
  std::stop_token stop;  ///< ends the request within about a second
};

struct HttpResponse {
  int status = 0;
  HttpHeaders headers;  ///< names in lower case
  std::string body;     ///< of answers other than 2xx, or without `into` and `sink`; at most 1 MiB of it

  bool ok() const { return status >= 200 && status < 300; }
  /// The last header of that (lower-case) name, "" without one.
  std::string_view header(std::string_view name) const;
};

struct HttpOptions {
  std::string ca_file;        ///< PEM; trusted instead of the system's authorities
  std::string client_cert;    ///< PEM with our certificate, what signed it, and its key; "" for none
  bool insecure_tls = false;  ///< accept any certificate
  std::chrono::milliseconds connect_timeout{10'000};
  std::chrono::milliseconds stall_timeout{30'000};  ///< longest time in which less than 1 KiB moves
  std::string proxy;                                ///< "" for none; the environment is never read
  std::string no_proxy;
  std::string user_agent = "holdfast";
  /// "host:port:address:port": connects there for that host, as curl --connect-to; for tests and split DNS.
  std::vector<std::string> connect_to;
};

/// Thread-safe. Redirects are answers like any other.
class HttpClient {
 public:
  virtual ~HttpClient() = default;

  /// Any complete answer is a value, whatever its status; one that only the end of the connection delimits is not
  /// complete. Errors: "net.resolve", "net.connect", "net.timeout", "net.closed" (all unavailable: a retry is safe
  /// where the request is repeatable), "net.tls" (refused), "net.interrupted", "net.too_long", "net.protocol", or what
  /// `source` and `sink` returned.
  virtual Result<HttpResponse> send(const HttpRequest& request) = 0;
};

/// Over libcurl. A connection serves one request at a time and waits in a pool in between.
std::unique_ptr<HttpClient> make_http_client(HttpOptions options);

}  // namespace holdfast::net

#include "net/http_client.h"

#include <curl/curl.h>
#include <fmt/format.h>
#include <linux/sockios.h>
#include <sys/ioctl.h>

#include <algorithm>
#include <charconv>
#include <cstring>
#include <mutex>

#include "base/mutex.h"

namespace holdfast::net {
namespace {

using std::chrono::milliseconds;
using SteadyTime = std::chrono::steady_clock::time_point;

constexpr long kReceiveBuffer = 256 * 1024;
constexpr long kSendBuffer = 512 * 1024;
constexpr size_t kMaxTextBody = 1 << 20;
constexpr uint64_t kMaxReserve = 256ull << 20;
constexpr curl_off_t kLeastMoved = 1024;  // bytes in a stall timeout: a server that dribbles less counts as silent

struct Handle {
  explicit Handle(CURL* raw) : curl(raw) {}
  Handle(const Handle&) = delete;
  ~Handle() { curl_easy_cleanup(curl); }
  CURL* curl;
  curl_socket_t socket = CURL_SOCKET_BAD;  // the newest connection's
};

// One request in flight; the callbacks' user pointer.
struct Exchange {
  const HttpRequest& request;
  milliseconds stall_timeout;
  CURL* curl;
  curl_socket_t& socket;
  HttpResponse response;
  size_t sent = 0;
  uint64_t received = 0;
  bool headers_complete = false;
  std::optional<Error> failure;  // why a callback ended the transfer
  SteadyTime moved_at = std::chrono::steady_clock::now();
  curl_off_t moved_bytes = 0;
};

size_t on_header(char* data, size_t, size_t length, void* user) {
  auto& exchange = *static_cast<Exchange*>(user);
  std::string_view line(data, length);
  while (!line.empty() && (line.back() == '\r' || line.back() == '\n')) line.remove_suffix(1);
  if (line.starts_with("HTTP/")) {
    exchange.headers_complete = false;
    exchange.response.headers.clear();  // those before belong to an interim 1xx answer
    long status = 0;
    curl_easy_getinfo(exchange.curl, CURLINFO_RESPONSE_CODE, &status);
    exchange.response.status = static_cast<int>(status);
    return length;
  }
  if (line.empty()) exchange.headers_complete = true;
  const size_t colon = line.find(':');
  if (colon == std::string_view::npos) return length;
  std::string name(line.substr(0, colon));
  std::transform(name.begin(), name.end(), name.begin(), [](unsigned char c) { return std::tolower(c); });
  std::string_view value = line.substr(colon + 1);
  while (!value.empty() && (value.front() == ' ' || value.front() == '\t')) value.remove_prefix(1);
  while (!value.empty() && (value.back() == ' ' || value.back() == '\t')) value.remove_suffix(1);
  if (name == "content-length" && exchange.request.into && exchange.response.ok()) {
    uint64_t size = 0;
    auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), size);
    if (error == std::errc() && exchange.request.method != "HEAD") {
      exchange.request.into->reserve(std::min({size, exchange.request.limit, kMaxReserve}));
    }
  }
  exchange.response.headers.emplace_back(std::move(name), value);
  return length;
}

size_t on_body(char* data, size_t, size_t length, void* user) {
  auto& exchange = *static_cast<Exchange*>(user);
  const HttpRequest& request = exchange.request;
  const std::string_view text(data, length);
  if (exchange.response.ok() && (request.into || request.sink)) {
    exchange.received += length;
    if (exchange.received > request.limit) {
      exchange.failure = Error{ErrorClass::failed, "net.too_long", "the server sent more than was asked for", "", {}};
      return 0;
    }
    if (request.into) {
      request.into->append(text);
    } else if (auto taken = request.sink(as_bytes(text)); !taken) {
      exchange.failure = std::move(taken).error();
      return 0;
    }
  } else {
    std::string& body = exchange.response.body;
    body.append(text.substr(0, kMaxTextBody - std::min(kMaxTextBody, body.size())));
  }
  return length;
}

size_t on_read(char* data, size_t, size_t room, void* user) {
  auto& exchange = *static_cast<Exchange*>(user);
  const HttpRequest& request = exchange.request;
  if (request.source) {
    const uint64_t left = request.source_size - exchange.sent;
    auto got = request.source({reinterpret_cast<uint8_t*>(data), static_cast<size_t>(std::min<uint64_t>(room, left))});
    if (!got) {
      exchange.failure = std::move(got).error();
      return CURL_READFUNC_ABORT;
    }
    exchange.sent += *got;
    return *got;
  }
  const size_t length = std::min(room, request.body.size() - exchange.sent);
  if (length > 0) std::memcpy(data, request.body.data() + exchange.sent, length);
  exchange.sent += length;
  return length;
}

// libcurl rewinds the body when a kept-alive connection turns out to be dead and it takes a new one.
int on_seek(void* user, curl_off_t offset, int origin) {
  auto& exchange = *static_cast<Exchange*>(user);
  if (origin != SEEK_SET || exchange.request.source || static_cast<uint64_t>(offset) > exchange.request.body.size()) {
    return CURL_SEEKFUNC_FAIL;
  }
  exchange.sent = static_cast<size_t>(offset);
  return CURL_SEEKFUNC_OK;
}

int on_socket(void* user, curl_socket_t socket, curlsocktype) {
  static_cast<Exchange*>(user)->socket = socket;
  return CURL_SOCKOPT_OK;
}

// Bytes that the kernel has taken and the other side has not confirmed: megabytes, which a slow line takes its time
// for.
curl_off_t unconfirmed(curl_socket_t socket) {
  int bytes = 0;
  return socket != CURL_SOCKET_BAD && ::ioctl(socket, SIOCOUTQ, &bytes) == 0 ? bytes : 0;
}

int on_progress(void* user, curl_off_t, curl_off_t down, curl_off_t, curl_off_t up) {
  auto& exchange = *static_cast<Exchange*>(user);
  if (exchange.request.stop.stop_requested()) {
    exchange.failure = Error{ErrorClass::interrupted, "net.interrupted", "stopped", "", {}};
    return 1;
  }
  const auto now = std::chrono::steady_clock::now();
  // Less than before: libcurl began the body anew on another connection.
  const curl_off_t total = down + up - unconfirmed(exchange.socket);
  if (const auto moved = total - exchange.moved_bytes; moved >= kLeastMoved || moved < 0) {
    exchange.moved_bytes = total;
    exchange.moved_at = now;
  } else if (now - exchange.moved_at > exchange.stall_timeout) {
    exchange.failure =
        Error{ErrorClass::unavailable,
              "net.timeout",
              fmt::format("{} bytes in {} ms", total - exchange.moved_bytes, exchange.stall_timeout.count()),
              "",
              {}};
    return 1;
  }
  return 0;
}

class CurlClient final : public HttpClient {
 public:
  explicit CurlClient(HttpOptions options) : options_(std::move(options)) {
    static std::once_flag once;
    std::call_once(once, [] { curl_global_init(CURL_GLOBAL_DEFAULT); });
    for (const std::string& each : options_.connect_to) connect_to_ = curl_slist_append(connect_to_, each.c_str());
  }
  ~CurlClient() override {
    idle_.clear();
    curl_slist_free_all(connect_to_);
  }

  Result<HttpResponse> send(const HttpRequest& request) override {
    if (request.stop.stop_requested()) return fail(ErrorClass::interrupted, "net.interrupted", "stopped");
    if (request.deadline.passed()) return fail(unavailable("net.timeout", request, "no time left"));
    std::unique_ptr<Handle> handle = take();
    CURL* curl = handle->curl;
    Exchange exchange{
        .request = request, .stall_timeout = options_.stall_timeout, .curl = curl, .socket = handle->socket};
    if (request.into) request.into->clear();

    struct Headers {
      curl_slist* list = nullptr;
      ~Headers() { curl_slist_free_all(list); }
      void add(const std::string& line) { list = curl_slist_append(list, line.c_str()); }
    } headers;
    for (const auto& [name, value] : request.headers) headers.add(value.empty() ? name + ";" : name + ": " + value);
    headers.add("Expect:");
    configure(curl, request, exchange);
    curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers.list);
    char detail[CURL_ERROR_SIZE] = "";
    curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, detail);

    const CURLcode code = curl_easy_perform(curl);
    // Options go, connections and sessions stay. A handle whose transfer broke has closed its connection itself.
    curl_easy_reset(curl);
    give_back(std::move(handle));
    if (exchange.failure) {
      Error error = std::move(*exchange.failure);
      if (error.id == "net.timeout") error = unavailable("net.timeout", request, error.message);
      return fail(std::move(error));
    }
    if (code != CURLE_OK) return fail(error_of(code, detail, request));
    if (!is_whole(exchange)) return fail(unavailable("net.closed", request, "the answer was cut short"));
    return std::move(exchange.response);
  }

 private:
  // The most recently used handle first: its connection is the least likely to have been closed by the server.
  std::unique_ptr<Handle> take() {
    {
      MutexLock lock(mutex_);
      if (!idle_.empty()) {
        auto handle = std::move(idle_.back());
        idle_.pop_back();
        return handle;
      }
    }
    CURL* curl = curl_easy_init();
    if (!curl) throw std::bad_alloc();
    return std::make_unique<Handle>(curl);
  }
  void give_back(std::unique_ptr<Handle> handle) {
    MutexLock lock(mutex_);
    idle_.push_back(std::move(handle));
  }

  void configure(CURL* curl, const HttpRequest& request, Exchange& exchange) const {
    const auto set = [curl](CURLoption option, auto value) { curl_easy_setopt(curl, option, value); };
    set(CURLOPT_URL, request.url.c_str());
    set(CURLOPT_PATH_AS_IS, 1L);
    set(CURLOPT_PROTOCOLS_STR, "http,https");
    set(CURLOPT_HTTP_VERSION, static_cast<long>(CURL_HTTP_VERSION_1_1));
    set(CURLOPT_NOSIGNAL, 1L);
    set(CURLOPT_TCP_KEEPALIVE, 1L);
    set(CURLOPT_PROXY, options_.proxy.c_str());
    set(CURLOPT_NOPROXY, options_.no_proxy.c_str());
    set(CURLOPT_USERAGENT, options_.user_agent.c_str());
    set(CURLOPT_CONNECTTIMEOUT_MS, static_cast<long>(options_.connect_timeout.count()));
    if (!request.deadline.is_never()) {
      set(CURLOPT_TIMEOUT_MS, std::max(1L, static_cast<long>(request.deadline.left().count())));
    }
    if (connect_to_) set(CURLOPT_CONNECT_TO, connect_to_);
    if (!options_.ca_file.empty()) set(CURLOPT_CAINFO, options_.ca_file.c_str());
    if (!options_.client_cert.empty()) {
      set(CURLOPT_SSLCERT, options_.client_cert.c_str());
      set(CURLOPT_SSLKEY, options_.client_cert.c_str());
    }
    set(CURLOPT_SSL_VERIFYPEER, options_.insecure_tls ? 0L : 1L);
    set(CURLOPT_SSL_VERIFYHOST, options_.insecure_tls ? 0L : 2L);
    set(CURLOPT_BUFFERSIZE, kReceiveBuffer);
    set(CURLOPT_HEADERFUNCTION, on_header);
    set(CURLOPT_HEADERDATA, &exchange);
    set(CURLOPT_WRITEFUNCTION, on_body);
    set(CURLOPT_WRITEDATA, &exchange);
    set(CURLOPT_NOPROGRESS, 0L);
    set(CURLOPT_XFERINFOFUNCTION, on_progress);
    set(CURLOPT_XFERINFODATA, &exchange);
    set(CURLOPT_SOCKOPTFUNCTION, on_socket);
    set(CURLOPT_SOCKOPTDATA, &exchange);
    if (request.method == "HEAD") {
      set(CURLOPT_NOBODY, 1L);
    } else if (request.method == "PUT" || request.method == "POST") {
      set(CURLOPT_UPLOAD, 1L);
      set(CURLOPT_UPLOAD_BUFFERSIZE, kSendBuffer);
      set(CURLOPT_READFUNCTION, on_read);
      set(CURLOPT_READDATA, &exchange);
      set(CURLOPT_SEEKFUNCTION, on_seek);
      set(CURLOPT_SEEKDATA, &exchange);
      set(CURLOPT_INFILESIZE_LARGE,
          static_cast<curl_off_t>(request.source ? request.source_size : request.body.size()));
      if (request.method != "PUT") set(CURLOPT_CUSTOMREQUEST, request.method.c_str());
    } else if (request.method != "GET") {
      set(CURLOPT_CUSTOMREQUEST, request.method.c_str());
    }
  }

  // libcurl takes a connection closed within the headers, or a body that ends with it, for the end of the answer.
  static bool is_whole(const Exchange& exchange) {
    if (!exchange.headers_complete) return false;
    const HttpResponse& response = exchange.response;
    if (exchange.request.method == "HEAD" || response.status == 204 || response.status == 304) return true;
    return !response.header("content-length").empty() || !response.header("transfer-encoding").empty();
  }

  static Error unavailable(const char* id, const HttpRequest& request, std::string_view why) {
    return Error{ErrorClass::unavailable,
                 id,
                 fmt::format("{} {}: {}", request.method, request.url, why),
                 "check that the server runs and can be reached, then run the same command again",
                 {}};
  }

  // A server that wants another certificate from us, or any, says so by an alert: trying again does not help.
  static bool is_refusal(std::string_view why) {
    if (why.find("alert") == std::string_view::npos) return false;
    for (const char* each : {"certificate", "unknown ca", "access denied", "handshake failure"}) {
      if (why.find(each) != std::string_view::npos) return true;
    }
    return false;
  }

  static Error error_of(CURLcode code, const char* detail, const HttpRequest& request) {
    const char* why = *detail ? detail : curl_easy_strerror(code);
    if (is_refusal(why)) {
      return Error{ErrorClass::refused,
                   "net.tls",
                   fmt::format("{} {}: {}", request.method, request.url, why),
                   "give a certificate that the server accepts, with its key, with --tls-client-cert FILE or "
                   "RESTIC_TLS_CLIENT_CERT",
                   {}};
    }
    switch (code) {
      case CURLE_COULDNT_RESOLVE_HOST:
      case CURLE_COULDNT_RESOLVE_PROXY:
        return unavailable("net.resolve", request, why);
      case CURLE_COULDNT_CONNECT:
        return unavailable("net.connect", request, why);
      case CURLE_OPERATION_TIMEDOUT:
        return unavailable("net.timeout", request, why);
      case CURLE_GOT_NOTHING:
      case CURLE_SEND_ERROR:
      case CURLE_RECV_ERROR:
      case CURLE_PARTIAL_FILE:
      case CURLE_SEND_FAIL_REWIND:
      case CURLE_SSL_CONNECT_ERROR:
        return unavailable("net.closed", request, why);
      case CURLE_SSL_CERTPROBLEM:
        return Error{ErrorClass::refused,
                     "net.tls",
                     fmt::format("{} {}: {}", request.method, request.url, why),
                     "--tls-client-cert names a PEM file with the certificate and its key, which has no password",
                     {}};
      case CURLE_SSL_CACERT_BADFILE:
        return Error{ErrorClass::refused,
                     "net.tls",
                     fmt::format("{} {}: {}", request.method, request.url, why),
                     "--cacert or RESTIC_CACERT names a PEM file with the certificates of the authorities to trust",
                     {}};
      case CURLE_PEER_FAILED_VERIFICATION:
      case CURLE_SSL_CIPHER:
      case CURLE_SSL_ENGINE_INITFAILED:
        return Error{ErrorClass::refused,
                     "net.tls",
                     fmt::format("{} {}: {}", request.method, request.url, why),
                     "give the authority that signed the server's certificate with --cacert FILE or RESTIC_CACERT",
                     {}};
      case CURLE_URL_MALFORMAT:
      case CURLE_UNSUPPORTED_PROTOCOL:
        return Error{ErrorClass::usage,
                     "net.url",
                     fmt::format("{}: {}", request.url, why),
                     "check scheme, host and port: does a server for repositories answer there?",
                     {}};
      case CURLE_OUT_OF_MEMORY:
        throw std::bad_alloc();
      default:
        return Error{ErrorClass::failed,
                     "net.protocol",
                     fmt::format("{} {}: {}", request.method, request.url, why),
                     "check host and port, and any proxy between: does a server for repositories answer there?",
                     {}};
    }
  }

  // Constant after construction.
  const HttpOptions options_;
  curl_slist* connect_to_ = nullptr;

  Mutex mutex_;
  std::vector<std::unique_ptr<Handle>> idle_ GUARDED_BY(mutex_);
};

}  // namespace

std::string_view HttpResponse::header(std::string_view name) const {
  for (auto it = headers.rbegin(); it != headers.rend(); ++it) {
    if (it->first == name) return it->second;
  }
  return {};
}

std::unique_ptr<HttpClient> make_http_client(HttpOptions options) {
  return std::make_unique<CurlClient>(std::move(options));
}

}  // namespace holdfast::net

#include "store/open_store.h"

#include <fmt/format.h>

#include <charconv>
#include <cstdlib>
#include <mutex>

#include "store/aws_profile.h"
#include "store/limit_store.h"
#include "store/local_store.h"
#include "store/memory_store.h"
#include "store/rest_store.h"
#include "store/s3_store.h"

namespace holdfast::store {
namespace {

using Opened = Result<std::unique_ptr<ObjectStore>>;

std::unexpected<Error> bad_location(
    std::string why,
    std::string hint = "a repository is a path, s3:https://host/bucket/prefix or rest:https://host/path/") {
  return fail(ErrorClass::usage, "store.location", std::move(why), std::move(hint));
}

Result<uint64_t> number_of(std::string_view text, std::string_view name, uint64_t most) {
  uint64_t value = 0;
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error == std::errc() && end == text.data() + text.size() && value <= most) return value;
  return fail(ErrorClass::usage, "store.option", fmt::format("{}={} is not a number up to {}", name, text, most));
}

Status check_extended(const StoreOptions& options) {
  static constexpr std::string_view kKnown[] = {"s3.bucket-lookup", "s3.region",        "s3.unsafe-anonymous-auth",
                                                "s3.connections",   "rest.connections", "local.connections"};
  for (const auto& [name, value] : options.extended) {
    bool known = false;
    for (const std::string_view each : kKnown) known = known || each == name;
    if (!known)
      return fail(ErrorClass::usage, "store.option", "there is no option -o " + name,
                  fmt::format("known: {}", fmt::join(kKnown, ", ")));
  }
  return {};
}

std::string extended(const StoreOptions& options, const std::string& name) {
  const auto found = options.extended.find(name);
  return found == options.extended.end() ? "" : found->second;
}

Result<unsigned> connections_of(const StoreOptions& options, const std::string& kind) {
  if (options.connections > 0) return options.connections;
  const std::string text = extended(options, kind + ".connections");
  if (text.empty()) return 5u;
  const uint64_t count = TRY(number_of(text, kind + ".connections", 256));
  return static_cast<unsigned>(count == 0 ? 5 : count);
}

// A variable in seconds.
Status seconds_from(const StoreOptions& options, const char* name, std::chrono::milliseconds& into) {
  if (const auto text = options.env(name); text && !text->empty())
    into = std::chrono::seconds(TRY(number_of(*text, name, 86'400)));
  return {};
}

Result<net::RetryPolicy> retry_of(const StoreOptions& options) {
  net::RetryPolicy policy;
  TRY_VOID(seconds_from(options, "HOLDFAST_RETRY_BUDGET", policy.budget));
  // As restic has it. Whoever gives a time means all requests.
  if (options.env("HOLDFAST_RETRY_BUDGET").value_or("").empty()) policy.upload_budget = std::chrono::minutes(15);
  return policy;
}

constexpr char kThisMachine[] = "localhost,127.0.0.0/8,::1";  // as curl reads its list of exceptions

Result<std::shared_ptr<net::HttpClient>> http_of(const StoreOptions& options, const std::string& scheme) {
  const auto either_case = [&](const char* lower, const char* upper) {
    return options.env(lower).value_or(options.env(upper).value_or(""));
  };
  net::HttpOptions http;
  http.ca_file = options.ca_file.empty() ? options.env("RESTIC_CACERT").value_or("") : options.ca_file;
  http.client_cert =
      options.client_cert.empty() ? options.env("RESTIC_TLS_CLIENT_CERT").value_or("") : options.client_cert;
  http.insecure_tls = options.insecure_tls;
  // HTTP_PROXY in capitals is ignored, as everywhere: a CGI server would let a stranger set it.
  http.proxy = scheme == "https" ? either_case("https_proxy", "HTTPS_PROXY") : options.env("http_proxy").value_or("");
  // This machine itself is never asked for through a proxy, as restic has it.
  http.no_proxy = either_case("no_proxy", "NO_PROXY");
  if (http.no_proxy != "*") http.no_proxy += std::string(http.no_proxy.empty() ? "" : ",") + kThisMachine;
  TRY_VOID(seconds_from(options, "HOLDFAST_CONNECT_TIMEOUT", http.connect_timeout));
  TRY_VOID(seconds_from(options, "HOLDFAST_STALL_TIMEOUT", http.stall_timeout));
  if (http.connect_timeout.count() == 0 || http.stall_timeout.count() == 0) {
    return fail(ErrorClass::usage, "store.option", "a timeout of 0 seconds lets nothing through",
                "unset it, or give 1 or more");
  }
  return std::shared_ptr<net::HttpClient>(net::make_http_client(std::move(http)));
}

Opened open_s3(std::string_view rest, const StoreOptions& options) {
  static constexpr char kForm[] = "write it as s3:https://host:port/bucket/prefix, or s3:host/bucket/prefix";
  std::string text(rest);
  if (rest.starts_with("//")) {
    rest.remove_prefix(2);
    const std::string_view first = rest.substr(0, rest.find('/'));
    // restic reads the first part as the server, other tools as the bucket: only what cannot be a bucket is clear.
    if (first.find_first_of(".:") == std::string_view::npos && first != "localhost") {
      return bad_location(fmt::format("s3://{} may name a bucket or a server", first),
                          fmt::format("for a bucket at AWS write s3:https://s3.amazonaws.com/{}", rest));
    }
    text = rest;
  }
  if (!text.starts_with("http://") && !text.starts_with("https://")) text = "https://" + text;
  auto url = net::parse_url(text);
  if (!url) return bad_location("s3: " + url.error().message, kForm);
  if (!url->user.empty() || !url->password.empty()) {
    return bad_location("an S3 location holds no login", "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY");
  }
  S3Options s3;
  std::string_view path = url->path;
  std::string whole;  // without empty parts
  while (!path.empty()) {
    const size_t slash = path.find('/');
    const std::string_view part = path.substr(0, slash);
    if (part == "." || part == "..") return bad_location("'.' and '..' have no meaning in an S3 location", kForm);
    if (!part.empty()) whole += (whole.empty() ? "" : "/") + std::string(part);
    path.remove_prefix(slash == std::string_view::npos ? path.size() : slash + 1);
  }
  if (whole.empty()) return bad_location("no bucket in the location", kForm);
  s3.bucket = whole.substr(0, whole.find('/'));
  if (whole.size() > s3.bucket.size()) s3.prefix = whole.substr(s3.bucket.size() + 1);
  s3.endpoint = std::move(*url);
  s3.endpoint.path.clear();

  AwsProfile profile = TRY(find_aws_profile(options.env));
  const std::string anonymous = extended(options, "s3.unsafe-anonymous-auth");
  if (!anonymous.empty() && anonymous != "true" && anonymous != "false") {
    return fail(ErrorClass::usage, "store.option", "s3.unsafe-anonymous-auth is true or false");
  }
  if (anonymous == "true") {
    profile.credentials = {};
  } else if (profile.credentials.access_key.empty()) {
    return fail(ErrorClass::usage, "store.credentials", "no credentials for " + s3.endpoint.origin(),
                "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE with ~/.aws/credentials");
  }
  s3.credentials = std::move(profile.credentials);
  s3.region = extended(options, "s3.region").empty() ? profile.region : extended(options, "s3.region");
  const std::string lookup = extended(options, "s3.bucket-lookup");
  if (lookup == "path") {
    s3.lookup = BucketLookup::path;
  } else if (lookup == "dns") {
    s3.lookup = BucketLookup::dns;
  } else if (!lookup.empty() && lookup != "auto") {
    return fail(ErrorClass::usage, "store.option", "s3.bucket-lookup is auto, path or dns, not " + lookup);
  }
  s3.connections = TRY(connections_of(options, "s3"));
  s3.retry = TRY(retry_of(options));
  s3.stop = options.stop;
  auto http = TRY(http_of(options, s3.endpoint.scheme));
  return make_s3_store(std::move(http), std::move(s3));
}

Opened open_rest(std::string_view rest, const StoreOptions& options) {
  RestOptions opened;
  auto url = net::parse_url(rest);
  if (!url)
    return bad_location("rest: " + url.error().message, "write it as rest:https://user:password@host:port/path/");
  opened.url = std::move(*url);
  if (opened.url.user.empty()) {
    opened.url.user = options.env("RESTIC_REST_USERNAME").value_or("");
    opened.url.password = Secret(options.env("RESTIC_REST_PASSWORD").value_or(""));
  }
  opened.connections = TRY(connections_of(options, "rest"));
  opened.retry = TRY(retry_of(options));
  opened.stop = options.stop;
  auto http = TRY(http_of(options, opened.url.scheme));
  return make_rest_store(std::move(http), std::move(opened));
}

// Shares one MemoryStore between all who open its name, as a directory would be shared.
class SharedMemory final : public ObjectStore {
 public:
  explicit SharedMemory(std::shared_ptr<MemoryStore> inner) : inner_(std::move(inner)) {}
  std::string location() const override { return inner_->location(); }
  unsigned connections() const override { return inner_->connections(); }
  bool is_remote() const override { return false; }
  Status create() override { return inner_->create(); }
  Status put(const std::string& key, ByteSpan body, const PutOptions& options) override {
    return inner_->put(key, body, options);
  }
  Status get(const std::string& key, uint64_t offset, uint64_t length, Buffer& out) override {
    return inner_->get(key, offset, length, out);
  }
  Result<std::optional<ObjectInfo>> stat(const std::string& key) override { return inner_->stat(key); }
  Status list(const std::string& prefix, const std::function<Status(const ObjectInfo&)>& visit) override {
    return inner_->list(prefix, visit);
  }
  Status remove(const std::string& key) override { return inner_->remove(key); }

 private:
  const std::shared_ptr<MemoryStore> inner_;
};

std::unique_ptr<ObjectStore> open_memory(const std::string& location) {
  static std::mutex mutex;
  static std::map<std::string, std::shared_ptr<MemoryStore>> stores;
  std::lock_guard lock(mutex);
  auto& found = stores[location];
  if (!found) found = std::make_shared<MemoryStore>(location);
  return std::make_unique<SharedMemory>(found);
}

// "sftp" of "sftp:host:/path"; "" for a path.
std::string_view scheme_of(std::string_view location) {
  const size_t colon = location.find(':');
  if (colon == std::string_view::npos || colon == 0) return "";
  for (const char c : location.substr(0, colon)) {
    if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '+' || c == '-')) return "";
  }
  return location.substr(0, colon);
}

Opened open_plain(const std::string& location, const StoreOptions& options) {
  const std::string_view scheme = scheme_of(location);
  const std::string_view rest =
      scheme.empty() ? std::string_view() : std::string_view(location).substr(scheme.size() + 1);
  if (location.empty()) return bad_location("no repository location", "give one with --repo or RESTIC_REPOSITORY");
  if (scheme.empty()) return open_local_store(location);
  if (scheme == "local") {
    if (rest.empty()) return bad_location("local: has no path");
    return open_local_store(std::string(rest));
  }
  if (scheme == "s3") return open_s3(rest, options);
  if (scheme == "rest") return open_rest(rest, options);
  if (scheme == "memory") return open_memory(location);
  if (scheme == "http" || scheme == "https") {
    return bad_location("a plain URL does not say what kind of server it is",
                        fmt::format("write rest:{0} or s3:{0}", shown_location(location)));
  }
  return bad_location(fmt::format("repositories of the kind '{}:' are not supported", scheme),
                      "use a path, s3:, or rest: (a directory with that name is ./" + shown_location(location) + ")");
}

}  // namespace

std::optional<std::string> process_environment(const std::string& name) {
  const char* value = std::getenv(name.c_str());
  return value ? std::optional<std::string>(value) : std::nullopt;
}

std::string shown_location(const std::string& location) {
  const size_t scheme = location.find("://");
  if (scheme == std::string::npos) return location;
  const size_t begin = scheme + 3;
  const size_t at = location.substr(begin, location.find('/', begin) - begin).rfind('@');
  return at == std::string::npos ? location : location.substr(0, begin) + location.substr(begin + at + 1);
}

Opened open_store(const std::string& location, const StoreOptions& options) {
  TRY_VOID(check_extended(options));
  auto store = TRY(open_plain(location, options).context("opening " + shown_location(location)));
  if (options.upload_limit > 0 || options.download_limit > 0) {
    store = make_limit_store(std::move(store), {options.upload_limit, options.download_limit}, options.stop);
  }
  return store;
}

}  // namespace holdfast::store

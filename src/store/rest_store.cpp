#include "store/rest_store.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "codec/base64.h"
#include "codec/hex.h"
#include "crypto/sha256.h"
#include "store/http_object.h"

namespace holdfast::store {
namespace {

constexpr std::string_view kTypes[] = {"data", "index", "keys", "locks", "snapshots"};

// The server lists its own temporary files, too.
bool is_id(std::string_view name) {
  return name.size() == 64 && name.find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

bool is_type(std::string_view name) {
  return std::find(std::begin(kTypes), std::end(kTypes), name) != std::end(kTypes);
}

class RestStore final : public ObjectStore {
 public:
  RestStore(std::shared_ptr<net::HttpClient> http, RestOptions options)
      : http_(std::move(http)), options_(std::move(options)) {
    std::string path = options_.url.path;
    while (path.ends_with('/')) path.pop_back();
    base_ = options_.url.origin() + net::uri_encode(path, net::Slash::keep) + "/";
    shown_ = "rest:" + options_.url.origin() + path + "/";
    if (!options_.url.user.empty()) {
      const Secret login(fmt::format("{}:{}", options_.url.user, options_.url.password.reveal()));
      authorization_ = Secret("Basic " + codec::to_base64(as_bytes(login.reveal())));
    }
  }

  std::string location() const override { return shown_; }
  unsigned connections() const override { return options_.connections; }
  bool is_remote() const override { return true; }

  Status create() override {
    const auto answer = TRY(send("POST", "?create=true"));
    if (answer.ok()) return {};
    return fail(error_of("create " + shown_, answer));
  }

  Status put(const std::string& key, ByteSpan body, const PutOptions& options) override {
    const std::string path = TRY(path_of(key));
    bool uncertain = false;
    const auto answer =
        TRY(send("POST", path, body, {}, nullptr, UINT64_MAX, &uncertain, upload_retry(options_.retry, key)));
    if (answer.ok()) return {};
    if (answer.status != 403) return fail(error_of(key, answer));
    // Taken, or not allowed at all.
    const auto there = stat(key);
    if (!there || !*there) return fail(error_of(key, answer));
    if (options.if_absent)
      return uncertain ? settle_uncertain_put(*this, key, body) : Status(fail(already_exists(key)));
    const crypto::Digest digest = options.sha256 ? *options.sha256 : crypto::sha256(body);
    const bool same = key.ends_with("/" + codec::to_hex(digest)) && (*there)->size == body.size();
    return same ? Status() : Status(fail(already_exists(key)));
  }

  Status get(const std::string& key, uint64_t offset, uint64_t length, Buffer& out) override {
    const std::string path = TRY(path_of(key));
    const auto fetch = [&](const std::string& range, uint64_t limit) {
      return send("GET", path, {}, range.empty() ? net::HttpHeaders{} : net::HttpHeaders{{"Range", range}}, &out,
                  limit);
    };
    return get_range(*this, key, offset, length, out, fetch, [&](const auto& answer) { return error_of(key, answer); });
  }

  Status get_all(const std::string& key, Buffer& out, uint64_t limit) override {
    const std::string path = TRY(path_of(key));
    return get_whole(
        key, out, limit, [&](const std::string&, uint64_t most) { return send("GET", path, {}, {}, &out, most); },
        [&](const auto& answer) { return error_of(key, answer); });
  }

  Result<std::optional<ObjectInfo>> stat(const std::string& key) override {
    const std::string path = TRY(path_of(key));
    const auto answer = TRY(send("HEAD", path));
    if (answer.status == 404) return std::optional<ObjectInfo>{};
    if (!answer.ok()) return fail(error_of(key, answer));
    const std::string_view text = answer.header("content-length");
    uint64_t size = 0;
    if (std::from_chars(text.data(), text.data() + text.size(), size).ec != std::errc()) {
      return fail(ErrorClass::failed, "store.protocol", key + ": HEAD answer without a size");
    }
    return std::optional<ObjectInfo>(ObjectInfo{key, size});
  }

  Status list(const std::string& prefix, const std::function<Status(const ObjectInfo&)>& visit) override {
    const std::string type = prefix.substr(0, prefix.find('/'));
    if (prefix.empty()) {
      if (const auto config = TRY(stat("config"))) TRY_VOID(visit(*config));
      for (const std::string_view each : kTypes) TRY_VOID(list_type(std::string(each), "", visit));
      return {};
    }
    if (!is_type(type)) return {};
    return list_type(type, prefix, visit);
  }

  Status remove(const std::string& key) override {
    const std::string path = TRY(path_of(key));
    const auto answer = TRY(send("DELETE", path));
    if (answer.ok() || answer.status == 404) return {};
    return fail(error_of("remove " + key, answer));
  }

 private:
  Result<std::string> path_of(const std::string& key) const {
    TRY_VOID(check_key(key));
    if (key == "config") return key;
    const size_t slash = key.find('/');
    const std::string type = key.substr(0, slash);
    std::string name = slash == std::string::npos ? "" : key.substr(slash + 1);
    bool good = is_type(type);
    if (good && type == "data") {
      good = name.size() >= 5 && name[2] == '/' && name.compare(3, 2, name, 0, 2) == 0;
      if (good) name.erase(0, 3);
    }
    if (!good || name.empty() || name.find('/') != std::string::npos) {
      return fail(ErrorClass::usage, "store.key",
                  key + " is not a name of restic's layout, the only one a REST server holds",
                  "use a repository in a directory or on S3 for this");
    }
    return type + "/" + net::uri_encode(name, net::Slash::encode);
  }

  Status list_type(const std::string& type, const std::string& prefix,
                   const std::function<Status(const ObjectInfo&)>& visit) {
    Buffer body;
    const auto answer = TRY(send("GET", type + "/", {}, {}, &body, 1ull << 30));
    if (answer.status == 404) return {};
    if (!answer.ok()) return fail(error_of("list " + type, answer));
    for (RestEntry& entry : TRY(parse_rest_listing(as_text(body)))) {
      if (!is_id(entry.name)) continue;
      ObjectInfo object;
      object.key =
          type == "data" ? fmt::format("data/{}/{}", entry.name.substr(0, 2), entry.name) : type + "/" + entry.name;
      if (!object.key.starts_with(prefix)) continue;
      if (entry.size) {
        object.size = *entry.size;
      } else {
        const auto info = TRY(stat(object.key));
        if (!info) continue;  // removed meanwhile
        object.size = info->size;
      }
      TRY_VOID(visit(object));
    }
    return {};
  }

  Result<net::HttpResponse> send(const char* method, const std::string& path, ByteSpan body = {},
                                 net::HttpHeaders headers = {}, Buffer* into = nullptr, uint64_t limit = UINT64_MAX,
                                 bool* uncertain = nullptr, std::optional<net::RetryPolicy> retry = {}) {
    net::RetryHooks hooks;
    hooks.uncertain = uncertain;
    return net::send_with_retry(
        *http_, retry.value_or(options_.retry),
        [&] {
          net::HttpRequest request;
          request.method = method;
          request.url = base_ + path;
          request.headers = headers;
          request.headers.emplace_back("Accept", "application/vnd.x.restic.rest.v2");
          if (!authorization_.empty()) request.headers.emplace_back("Authorization", authorization_.reveal());
          if (request.method == "POST") request.headers.emplace_back("Content-Type", "binary/octet-stream");
          request.body = body;
          request.into = into;
          request.limit = limit;
          request.stop = options_.stop;
          return request;
        },
        hooks);
  }

  Error error_of(const std::string& what, const net::HttpResponse& answer) const {
    if (answer.status == 404) return not_found(what);
    std::string_view detail = answer.body;
    while (!detail.empty() && (detail.back() == '\n' || detail.back() == ' ')) detail.remove_suffix(1);
    Error error = answer_error(what, answer, "", detail.substr(0, 200));
    // The only thing the protocol calls a bad request on upload is a body that does not match its name.
    if (answer.status == 400) {
      error.error_class = ErrorClass::verification_failed;
      error.id = "store.bad_digest";
      error.hint =
          "the body changed on its way: check memory and network of this machine, then run the same command again";
    }
    if (answer.status == 401)
      error.hint = "check RESTIC_REST_USERNAME and RESTIC_REST_PASSWORD, or the login in the URL";
    if (answer.status == 403)
      error.hint = "the server does not allow this: it may be append-only, or that path another user's";
    return error;
  }

  // Constant after construction.
  const std::shared_ptr<net::HttpClient> http_;
  const RestOptions options_;
  std::string base_;
  std::string shown_;
  Secret authorization_;
};

}  // namespace

std::unique_ptr<ObjectStore> make_rest_store(std::shared_ptr<net::HttpClient> http, RestOptions options) {
  return std::make_unique<RestStore>(std::move(http), std::move(options));
}

}  // namespace holdfast::store

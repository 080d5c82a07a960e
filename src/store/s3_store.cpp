#include "store/s3_store.h"

#include <fmt/format.h>

#include <atomic>
#include <charconv>

#include "codec/base64.h"
#include "codec/hex.h"
#include "codec/xml.h"
#include "crypto/hmac.h"
#include "crypto/sha256.h"
#include "store/http_object.h"
#include "store/s3_listing.h"

namespace holdfast::store {
namespace {

constexpr unsigned kMaxEmptyPages = 1000;  // one after the other: a server may filter, but not for ever

class S3Store final : public ObjectStore {
 public:
  S3Store(std::shared_ptr<net::HttpClient> http, S3Options options) : client_(std::move(http), std::move(options)) {}

  std::string location() const override {
    const S3Options& options = client_.options();
    return fmt::format("s3:{}/{}{}{}", options.endpoint.origin(), options.bucket, options.prefix.empty() ? "" : "/",
                       options.prefix);
  }
  unsigned connections() const override { return client_.options().connections; }
  bool is_remote() const override { return true; }

  Status create() override {
    const auto there = TRY(client_.send({.method = "HEAD"}));
    // 403: the bucket is somebody's; whether we may use it shows with the first object.
    if (there.ok() || there.status == 403) return {};
    S3Call call{.method = "PUT"};
    if (there.status != 404) return fail(client_.error_of(call, there));
    std::string body;
    if (const std::string region = client_.region(); region != "us-east-1") {
      body = fmt::format(
          "<CreateBucketConfiguration xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">"
          "<LocationConstraint>{}</LocationConstraint></CreateBucketConfiguration>",
          region);
    }
    call.body = as_bytes(body);
    call.payload_hash = codec::to_hex(crypto::sha256(call.body));
    const auto answer = TRY(client_.send(call));
    if (answer.ok() || (answer.status == 409 && read_s3_error(answer.body).code == "BucketAlreadyOwnedByYou"))
      return {};
    return fail(client_.error_of(call, answer));
  }

  Status put(const std::string& key, ByteSpan body, const PutOptions& options) override {
    TRY_VOID(check_key(key));
    if (body.size() > client_.options().multipart_above) return put_in_parts(key, body, options);
    const crypto::Digest digest = options.sha256 ? *options.sha256 : crypto::sha256(body);
    S3Call call{.method = "PUT", .key = full(key), .body = body, .payload_hash = codec::to_hex(digest)};
    call.headers = {{"Content-Type", "application/octet-stream"}, {"x-amz-checksum-sha256", codec::to_base64(digest)}};
    if (options.if_absent) call.headers.emplace_back("If-None-Match", "*");
    bool uncertain = false;
    const auto answer = TRY(client_.send(call, &uncertain, upload_retry(client_.options().retry, key)));
    if (answer.ok()) return seen({});
    if (answer.status == 412 && uncertain) return settle_uncertain_put(*this, key, body);
    return fail(client_.error_of(call, answer));
  }

  Status get(const std::string& key, uint64_t offset, uint64_t length, Buffer& out) override {
    S3Call call{.method = "GET", .key = full(key)};
    call.into = &out;
    const auto fetch = [&](const std::string& range, uint64_t limit) {
      if (!range.empty()) call.headers = {{"Range", range}};
      call.limit = limit;
      return client_.send(call);
    };
    return get_range(*this, key, offset, length, out, fetch,
                     [&](const auto& answer) { return client_.error_of(call, answer); });
  }

  Status get_all(const std::string& key, Buffer& out, uint64_t limit) override {
    S3Call call{.method = "GET", .key = full(key)};
    call.into = &out;
    return get_whole(
        key, out, limit,
        [&](const std::string&, uint64_t most) {
          call.limit = most;
          return client_.send(call);
        },
        [&](const auto& answer) { return client_.error_of(call, answer); });
  }

  Result<std::optional<ObjectInfo>> stat(const std::string& key) override {
    TRY_VOID(check_key(key));
    const S3Call call{.method = "HEAD", .key = full(key)};
    const auto answer = TRY(client_.send(call));
    if (answer.status == 404) {
      TRY_VOID(check_bucket());
      return std::optional<ObjectInfo>{};
    }
    if (!answer.ok()) return fail(client_.error_of(call, answer));
    bucket_seen_ = true;
    const std::string_view text = answer.header("content-length");
    uint64_t size = 0;
    if (std::from_chars(text.data(), text.data() + text.size(), size).ec != std::errc()) {
      return fail(ErrorClass::failed, "store.protocol", key + ": HEAD answer without a size");
    }
    return std::optional<ObjectInfo>(ObjectInfo{key, size});
  }

  Status list(const std::string& prefix, const std::function<Status(const ObjectInfo&)>& visit) override {
    const std::string root = client_.options().prefix.empty() ? "" : client_.options().prefix + "/";
    S3Call call{.method = "GET"};
    std::string token;
    uint64_t listed = 0;
    unsigned empty_pages = 0;
    do {
      call.query = {{"list-type", "2"}, {"prefix", root + prefix}, {"encoding-type", "url"}};
      if (!token.empty()) call.query.emplace_back("continuation-token", token);
      Buffer body;
      call.into = &body;
      call.limit = 64 << 20;
      const auto answer = TRY(client_.send(call));
      if (!answer.ok()) return fail(client_.error_of(call, answer));
      S3Listing page = TRY(parse_s3_listing(body));
      if (!page.next_token.empty() && page.next_token == token) {
        return fail(ErrorClass::failed, "store.protocol", "the server's listing of " + prefix + " runs in a circle");
      }
      token = std::move(page.next_token);
      listed += page.objects.size();
      empty_pages = page.objects.empty() ? empty_pages + 1 : 0;
      if (listed > kMaxListed || empty_pages > kMaxEmptyPages) {
        return fail(ErrorClass::failed, "store.protocol",
                    fmt::format("the server's listing of {} does not end ({} objects so far)", prefix, listed),
                    "check that the location is the repository's, and that its server works");
      }
      for (ObjectInfo& object : page.objects) {
        // Names ending in '/' are folder marks of other tools.
        if (!object.key.starts_with(root + prefix) || object.key.ends_with('/')) continue;
        object.key.erase(0, root.size());
        TRY_VOID(visit(object));
      }
    } while (!token.empty());
    return seen({});
  }

  Status remove(const std::string& key) override {
    TRY_VOID(check_key(key));
    const S3Call call{.method = "DELETE", .key = full(key)};
    const auto answer = TRY(client_.send(call));
    if (answer.ok()) return {};
    if (answer.status == 404 && read_s3_error(answer.body).code != "NoSuchBucket") return {};
    return fail(client_.error_of(call, answer));
  }

 private:
  std::string full(const std::string& key) const {
    return client_.options().prefix.empty() ? key : client_.options().prefix + "/" + key;
  }
  Status seen(Status status) {
    bucket_seen_ = true;
    return status;
  }

  // A HEAD answer has no body to tell a missing object from a missing bucket; asked once.
  Status check_bucket() {
    if (bucket_seen_) return {};
    const auto answer = TRY(client_.send({.method = "HEAD"}));
    if (answer.status == 404) {
      return fail(
          client_.error_of({.method = "HEAD"}, net::HttpResponse{404, {}, "<Error><Code>NoSuchBucket</Code></Error>"}));
    }
    return seen({});
  }

  Status put_in_parts(const std::string& key, ByteSpan body, const PutOptions& options) {
    S3Call start{.method = "POST", .key = full(key), .query = {{"uploads", ""}}};
    const auto started = TRY(client_.send(start));
    if (!started.ok()) return fail(client_.error_of(start, started));
    const std::string upload(TRY(codec::parse_xml(as_bytes(started.body))).text_of("UploadId"));
    if (upload.empty()) return fail(ErrorClass::failed, "store.protocol", key + ": multipart upload without an id");
    auto done = send_parts(key, upload, body, options);
    if (!done) {
      // Best effort: what stays behind is invisible and ends with the bucket's own rule for unfinished uploads.
      [[maybe_unused]] auto ignored =
          client_.send({.method = "DELETE", .key = full(key), .query = {{"uploadId", upload}}});
    }
    return done;
  }

  Status send_parts(const std::string& key, const std::string& upload, ByteSpan body, const PutOptions& options) {
    std::string list = "<CompleteMultipartUpload xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">";
    unsigned number = 0;
    for (uint64_t at = 0; at < body.size(); at += client_.options().part_size) {
      const ByteSpan part = body.subspan(at, std::min<uint64_t>(client_.options().part_size, body.size() - at));
      S3Call call{.method = "PUT", .key = full(key), .body = part, .payload_hash = codec::to_hex(crypto::sha256(part))};
      call.query = {{"partNumber", std::to_string(++number)}, {"uploadId", upload}};
      call.headers = {{"Content-MD5", codec::to_base64(crypto::md5(part))}};
      const auto answer = TRY(client_.send(call, nullptr, upload_retry(client_.options().retry, key)));
      if (!answer.ok()) return fail(client_.error_of(call, answer));
      list += fmt::format("<Part><PartNumber>{}</PartNumber><ETag>{}</ETag></Part>", number, answer.header("etag"));
    }
    list += "</CompleteMultipartUpload>";
    S3Call call{.method = "POST", .key = full(key), .query = {{"uploadId", upload}}, .body = as_bytes(list)};
    call.payload_hash = codec::to_hex(crypto::sha256(call.body));
    call.headers = {{"Content-Type", "application/xml"}};
    if (options.if_absent) call.headers.emplace_back("If-None-Match", "*");
    bool uncertain = false;
    const auto answer = TRY(client_.send(call, &uncertain));
    // 200 may still carry an error: the server keeps the connection alive while it puts the parts together.
    const S3ErrorBody error = read_s3_error(answer.body);
    if (answer.ok() && error.code.empty()) return seen({});
    if (uncertain && (answer.status == 412 || error.code == "NoSuchUpload"))
      return settle_uncertain_put(*this, key, body);
    return fail(client_.error_of(call, answer));
  }

  S3Client client_;
  std::atomic<bool> bucket_seen_ = false;
};

}  // namespace

std::unique_ptr<ObjectStore> make_s3_store(std::shared_ptr<net::HttpClient> http, S3Options options) {
  return std::make_unique<S3Store>(std::move(http), std::move(options));
}

}  // namespace holdfast::store

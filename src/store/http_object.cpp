#include "store/http_object.h"

#include <fmt/format.h>

#include <cstring>

namespace holdfast::store {

Status check_key(std::string_view key) {
  bool good = !key.empty() && key.size() <= 900;
  for (std::string_view rest = key; good;) {
    const size_t slash = rest.find('/');
    const std::string_view name = rest.substr(0, slash);
    good = !name.empty() && name != "." && name != "..";
    if (slash == std::string_view::npos) break;
    rest.remove_prefix(slash + 1);
  }
  // SeaweedFS turns a backslash into a slash.
  for (const unsigned char c : key) good = good && c >= ' ' && c != 0x7f && c != '\\';
  if (good) return {};
  return fail(ErrorClass::usage, "store.key", fmt::format("'{}' cannot be the name of an object", key));
}

std::string range_header(uint64_t offset, uint64_t length) {
  if (length == kToEnd) return offset == 0 ? "" : fmt::format("bytes={}-", offset);
  return fmt::format("bytes={}-{}", offset, offset + length - 1);
}

Error not_found(const std::string& key) {
  return Error{ErrorClass::failed, kNotFound, key + " does not exist", "", {}};
}
Error already_exists(const std::string& key) {
  return Error{ErrorClass::conflict, kExists, key + " exists already", "", {}};
}
Error short_read(const std::string& key, uint64_t offset, uint64_t length) {
  return Error{ErrorClass::verification_failed,
               kShortRead,
               length == kToEnd ? fmt::format("{} ends before byte {}", key, offset)
                                : fmt::format("{} ends before byte {}, {} from byte {} were expected", key,
                                              offset + length, length, offset),
               "holdfast check -r REPO",
               {}};
}

Status check_range(const std::string& key, uint64_t offset, uint64_t length, const net::HttpResponse& answer,
                   size_t received) {
  if (offset == 0 && length == kToEnd) return {};  // libcurl has held the body to its Content-Length
  const auto wrong = [&](std::string_view why) {
    return fail(ErrorClass::failed, "store.protocol",
                fmt::format("{}: the server answered a range request with {}", key, why));
  };
  if (answer.status == 200) {
    // Some servers ignore the range where there is nothing to send (Go's file server with an empty file).
    if (offset != 0)
      return received < offset ? Status(fail(short_read(key, offset, length))) : wrong("the whole object");
  } else if (answer.status != 206) {
    return wrong(fmt::format("HTTP {}", answer.status));
  } else {
    const std::string_view range = answer.header("content-range");
    if (!range.empty() && !range.starts_with(fmt::format("bytes {}-", offset))) return wrong("another range");
  }
  if (length != kToEnd && received < length) return fail(short_read(key, offset, length));
  return {};
}

net::RetryPolicy upload_retry(const net::RetryPolicy& policy, std::string_view key) {
  net::RetryPolicy longer = policy;
  const bool data = key.starts_with("data/") || key.starts_with("index/") || key.starts_with("snapshots/");
  if (data) longer.budget = std::max(policy.budget, policy.upload_budget);
  return longer;
}

Error answer_error(std::string_view what, const net::HttpResponse& answer, std::string_view code,
                   std::string_view detail) {
  Error error;
  error.message = fmt::format("{}: HTTP {}{}{}{}{}", what, answer.status, code.empty() ? "" : " ", code,
                              detail.empty() ? "" : ": ", detail);
  const int status = answer.status;
  if (status == 507 || code == "QuotaExceeded" || code == "XMinioStorageFull" || code == "InsufficientStorage") {
    error.error_class = ErrorClass::unavailable;
    error.id = kNoSpace;
    error.hint = "free space or raise the quota on that server, then run the same command again";
  } else if (code == "RequestTimeTooSkewed") {
    error.error_class = ErrorClass::refused;
    error.id = "store.clock";
    error.hint = "set this machine's clock: the server does not accept its time";
  } else if (status == 401 || status == 403) {
    error.error_class = ErrorClass::refused;
    error.id = "store.denied";
    error.hint = "check the credentials and what they are allowed to do there";
  } else if (code == "BadDigest" || code == "InvalidDigest" || code == "XAmzContentSHA256Mismatch" ||
             code == "XAmzContentChecksumMismatch") {
    error.error_class = ErrorClass::verification_failed;
    error.id = "store.bad_digest";
    error.hint =
        "the body changed on its way: check memory and network of this machine, then run the same command again";
  } else if (status == 501) {
    error.error_class = ErrorClass::failed;
    error.id = "store.unsupported";
  } else if (status >= 500 || status == 429 || status == 408 || code == "RequestTimeout") {
    error.error_class = ErrorClass::unavailable;
    error.id = "store.server";
    error.hint = "the server could not do it now; run the same command again later";
  } else {
    error.error_class = ErrorClass::failed;
    error.id = "store.protocol";
  }
  return error;
}

Status get_range(ObjectStore& store, const std::string& key, uint64_t offset, uint64_t length, Buffer& out,
                 const std::function<Result<net::HttpResponse>(const std::string& range, uint64_t limit)>& fetch,
                 const std::function<Error(const net::HttpResponse&)>& error_of) {
  TRY_VOID(check_key(key));
  out.clear();
  bool at_the_end = length == 0;
  if (!at_the_end) {
    if (length != kToEnd) out.reserve(length);
    const net::HttpResponse answer = TRY(fetch(range_header(offset, length), length));
    if (answer.ok()) return check_range(key, offset, length, answer, out.size());
    out.clear();
    if (answer.status != 416) return fail(error_of(answer));
    if (length != kToEnd) return fail(short_read(key, offset, length));
    at_the_end = true;
  }
  // Nothing to read: that is right if the object reaches up to there.
  const auto info = TRY(store.stat(key));
  if (!info) return fail(not_found(key));
  if (offset > info->size) return fail(short_read(key, offset, length));
  return {};
}

Status ObjectStore::check_length(const std::string& key, uint64_t size, uint64_t limit) {
  if (size <= limit) return {};
  return fail(ErrorClass::verification_failed, kTooLong,
              fmt::format("{} has more than the {} bytes that such an object can have", key, limit),
              "holdfast check names what is damaged; the server may not be the one that wrote this");
}

Status get_whole(const std::string& key, Buffer& out, uint64_t limit,
                 const std::function<Result<net::HttpResponse>(const std::string& range, uint64_t limit)>& fetch,
                 const std::function<Error(const net::HttpResponse&)>& error_of) {
  TRY_VOID(check_key(key));
  out.clear();
  const auto answer = fetch("", limit);
  if (!answer && answer.error().id == "net.too_long") return ObjectStore::check_length(key, limit + 1, limit);
  if (!answer) return std::unexpected(answer.error());
  if (!answer->ok()) {
    out.clear();
    return fail(error_of(*answer));
  }
  return check_range(key, 0, kToEnd, *answer, out.size());
}

Status settle_uncertain_put(ObjectStore& store, const std::string& key, ByteSpan body) {
  Buffer there;
  auto read = store.get_all(key, there, body.size());
  if (!read && read.error().id != kNotFound && read.error().id != kTooLong) return read;
  if (!read || there.size() != body.size() ||
      (!body.empty() && std::memcmp(there.data(), body.data(), body.size()) != 0)) {
    return fail(already_exists(key));
  }
  return {};
}

}  // namespace holdfast::store

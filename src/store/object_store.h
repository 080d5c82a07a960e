// ObjectStore: the one door to where a repository's objects live.
//
// Contract, held by every implementation and by tests/conformance:
//  - Keys are '/'-separated names without a leading '/', e.g. "config", "keys/<id>", "data/ab/<id>".
//  - put() is atomic: readers see the whole object or none; when it returns ok, the object survives a power loss
//    (as far as the store's own server promises).
//  - An object is never changed in place. Overwriting an existing key is allowed only without `if_absent`.
//  - A missing object is reported by value (std::nullopt) where absence is an answer, and as the error
//    "store.not_found" where the caller needs the bytes.
//  - All functions are safe to call from many threads at once.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"

namespace holdfast::store {

struct ObjectInfo {
  std::string key;
  uint64_t size = 0;  ///< bytes
};

struct PutOptions {
  bool if_absent = false;  ///< fail with "store.exists" (conflict) when the key is taken
  /// SHA-256 of the body when the caller knows it; sent along so that the server can verify it.
  std::optional<std::array<uint8_t, 32>> sha256;
};

inline constexpr uint64_t kToEnd = UINT64_MAX;
/// No object that is read as a whole is longer, whoever wrote it.
inline constexpr uint64_t kWholeLimit = uint64_t{1} << 30;
/// Objects in one listing. A server that names more does not end.
inline constexpr uint64_t kMaxListed = 20'000'000;

/// Bytes of an object, valid as long as `keep` and the buffer that view() was given.
struct ObjectView {
  ByteSpan bytes;
  std::shared_ptr<const void> keep;
};

class ObjectStore {
 public:
  virtual ~ObjectStore() = default;

  /// For people: "/srv/repo", "s3:http://host/bucket/prefix"; never holds a secret.
  virtual std::string location() const = 0;
  /// How many transfers at once make sense (2 for a local disk, 5 or more across a network).
  virtual unsigned connections() const = 0;
  /// True when objects live behind a network and a local cache pays off.
  virtual bool is_remote() const = 0;

  /// Prepares an empty place (directories, bucket); harmless where it exists.
  virtual Status create() = 0;

  virtual Status put(const std::string& key, ByteSpan body, const PutOptions& options = {}) = 0;

  /// Replaces `out` with bytes [offset, offset+length) of the object; kToEnd reads to its end.
  /// Fewer bytes than asked for is the error "store.short_read", a missing object "store.not_found".
  virtual Status get(const std::string& key, uint64_t offset, uint64_t length, Buffer& out) = 0;

  /// As get(), for bytes that are only looked at: a store that has them in memory gives them without a copy, others use
  /// `buffer`. Memory of a file that turns out unreadable, or shorter meanwhile, reads as zeros: bytes must be
  /// verified.
  virtual Result<ObjectView> view(const std::string& key, uint64_t offset, uint64_t length, Buffer& buffer) {
    TRY_VOID(get(key, offset, length, buffer));
    return ObjectView{buffer.span(), nullptr};
  }

  /// Bytes [offset, offset+length) will be asked for soon: a store that can read ahead without waiting does. A hint
  /// that neither fails nor promises anything.
  virtual void expect(const std::string& key, uint64_t offset, uint64_t length) {
    (void)key, (void)offset, (void)length;
  }

  virtual Result<std::optional<ObjectInfo>> stat(const std::string& key) = 0;

  /// Calls `visit` once per object whose key starts with `prefix` (which ends in '/'), in no promised order.
  /// A prefix that does not exist holds no objects. Stops at the first error `visit` returns.
  virtual Status list(const std::string& prefix, const std::function<Status(const ObjectInfo&)>& visit) = 0;

  /// Deletes one object; a missing one is not an error.
  virtual Status remove(const std::string& key) = 0;

  /// Replaces `out` with the whole object, which has at most `limit` bytes: more is the error "store.too_long"
  /// (verification_failed). What a server sends beyond that is not taken into memory.
  virtual Status get_all(const std::string& key, Buffer& out, uint64_t limit = kWholeLimit) {
    TRY_VOID(get(key, 0, kToEnd, out));
    return check_length(key, out.size(), limit);
  }
  /// "store.too_long" if `size` is above `limit`.
  static Status check_length(const std::string& key, uint64_t size, uint64_t limit);
};

/// Ids of the errors stores share.
inline constexpr char kNotFound[] = "store.not_found";
inline constexpr char kExists[] = "store.exists";
inline constexpr char kShortRead[] = "store.short_read";
inline constexpr char kNoSpace[] = "store.no_space";
inline constexpr char kTooLong[] = "store.too_long";

}  // namespace holdfast::store

#include "store/memory_store.h"

#include <cstring>

#include "crypto/sha256.h"
#include "store/http_object.h"

namespace holdfast::store {

Status MemoryStore::put(const std::string& key, ByteSpan body, const PutOptions& options) {
  TRY_VOID(check_key(key));
  if (options.sha256 && crypto::sha256(body) != *options.sha256) {
    return fail(ErrorClass::verification_failed, "store.bad_digest", key + ": the body is not what its SHA-256 says");
  }
  auto bytes = std::make_shared<const std::vector<uint8_t>>(body.begin(), body.end());
  MutexLock lock(mutex_);
  if (options.if_absent && objects_.contains(key)) return fail(already_exists(key));
  objects_[key] = std::move(bytes);
  return {};
}

Status MemoryStore::get(const std::string& key, uint64_t offset, uint64_t length, Buffer& out) {
  TRY_VOID(check_key(key));
  std::shared_ptr<const std::vector<uint8_t>> bytes;
  {
    MutexLock lock(mutex_);
    if (auto found = objects_.find(key); found != objects_.end()) bytes = found->second;
  }
  if (!bytes) return fail(not_found(key));
  const uint64_t size = bytes->size();
  if (offset > size || (length != kToEnd && length > size - offset)) return fail(short_read(key, offset, length));
  out.clear();
  out.append(ByteSpan(*bytes).subspan(offset, length == kToEnd ? size - offset : length));
  return {};
}

Result<std::optional<ObjectInfo>> MemoryStore::stat(const std::string& key) {
  TRY_VOID(check_key(key));
  MutexLock lock(mutex_);
  const auto found = objects_.find(key);
  if (found == objects_.end()) return std::optional<ObjectInfo>{};
  return std::optional<ObjectInfo>(ObjectInfo{key, found->second->size()});
}

Status MemoryStore::list(const std::string& prefix, const std::function<Status(const ObjectInfo&)>& visit) {
  std::vector<ObjectInfo> found;
  {
    MutexLock lock(mutex_);
    for (auto it = objects_.lower_bound(prefix); it != objects_.end() && it->first.starts_with(prefix); ++it) {
      found.push_back({it->first, it->second->size()});
    }
  }
  for (const ObjectInfo& each : found) TRY_VOID(visit(each));
  return {};
}

Status MemoryStore::remove(const std::string& key) {
  TRY_VOID(check_key(key));
  MutexLock lock(mutex_);
  objects_.erase(key);
  return {};
}

bool MemoryStore::tamper(const std::string& key, const std::function<void(std::vector<uint8_t>&)>& change) {
  MutexLock lock(mutex_);
  const auto found = objects_.find(key);
  if (found == objects_.end()) return false;
  auto bytes = std::make_shared<std::vector<uint8_t>>(*found->second);
  change(*bytes);
  found->second = std::move(bytes);
  return true;
}

MemoryStore::Image MemoryStore::image() const {
  MutexLock lock(mutex_);
  return objects_;
}

void MemoryStore::load(Image image) {
  MutexLock lock(mutex_);
  objects_ = std::move(image);
}

}  // namespace holdfast::store

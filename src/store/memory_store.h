// Objects in memory: the store of tests, stricter than any real one.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/mutex.h"
#include "store/object_store.h"

namespace holdfast::store {

class MemoryStore final : public ObjectStore {
 public:
  explicit MemoryStore(std::string name = "memory:") : name_(std::move(name)) {}

  std::string location() const override { return name_; }
  unsigned connections() const override { return 2; }
  bool is_remote() const override { return false; }
  Status create() override { return {}; }
  /// A given sha256 that is not the body's is the error "store.bad_digest", and nothing is stored.
  Status put(const std::string& key, ByteSpan body, const PutOptions& options = {}) override;
  Status get(const std::string& key, uint64_t offset, uint64_t length, Buffer& out) override;
  Result<std::optional<ObjectInfo>> stat(const std::string& key) override;
  Status list(const std::string& prefix, const std::function<Status(const ObjectInfo&)>& visit) override;
  Status remove(const std::string& key) override;

  /// Changes stored bytes behind everybody's back, as a failing disk would. False if there is no such object.
  bool tamper(const std::string& key, const std::function<void(std::vector<uint8_t>&)>& change);
  /// A copy of all objects, and the way back to it: what a crash test compares and resumes from.
  using Image = std::map<std::string, std::shared_ptr<const std::vector<uint8_t>>>;
  Image image() const;
  void load(Image image);

 private:
  const std::string name_;
  mutable Mutex mutex_;
  Image objects_ GUARDED_BY(mutex_);
};

}  // namespace holdfast::store

// A store that lets a test act at a chosen moment of somebody else's work.
#pragma once

#include <functional>
#include <memory>
#include <mutex>
#include <string>

#include "store/object_store.h"

namespace holdfast::test {

class HookStore final : public store::ObjectStore {
 public:
  using Hook = std::function<void(const std::string& key)>;

  explicit HookStore(std::shared_ptr<store::ObjectStore> inner, bool remote = false)
      : inner_(std::move(inner)), remote_(remote) {}

  /// Runs once, before (or after) the first put of a key that begins with `prefix`; other puts with that prefix wait
  /// meanwhile.
  void before_put(std::string prefix, Hook act) { set(before_, std::move(prefix), std::move(act)); }
  void after_put(std::string prefix, Hook act) { set(after_, std::move(prefix), std::move(act)); }
  /// Runs before every get, stat, list and remove: what is asked of the store.
  void on_read(Hook act) { on_read_ = std::move(act); }

  std::string location() const override { return inner_->location(); }
  unsigned connections() const override { return inner_->connections(); }
  bool is_remote() const override { return remote_; }
  Status create() override { return inner_->create(); }
  Status put(const std::string& key, ByteSpan body, const store::PutOptions& options) override {
    run(before_, key);
    TRY_VOID(inner_->put(key, body, options));
    run(after_, key);
    return {};
  }
  Status get(const std::string& key, uint64_t offset, uint64_t length, Buffer& out) override {
    if (on_read_) on_read_(key);
    return inner_->get(key, offset, length, out);
  }
  Result<std::optional<store::ObjectInfo>> stat(const std::string& key) override {
    if (on_read_) on_read_(key);
    return inner_->stat(key);
  }
  Status list(const std::string& prefix, const std::function<Status(const store::ObjectInfo&)>& visit) override {
    if (on_read_) on_read_(prefix);
    return inner_->list(prefix, visit);
  }
  Status remove(const std::string& key) override { return inner_->remove(key); }

 private:
  struct Point {
    std::mutex mutex;
    std::string prefix;
    Hook act;  // guarded by mutex
  };
  static void set(Point& point, std::string prefix, Hook act) {
    point.prefix = std::move(prefix);
    point.act = std::move(act);
  }
  static void run(Point& point, const std::string& key) {
    if (point.prefix.empty() || !key.starts_with(point.prefix)) return;
    std::lock_guard lock(point.mutex);
    if (auto act = std::exchange(point.act, nullptr)) act(key);
  }

  const std::shared_ptr<store::ObjectStore> inner_;
  const bool remote_;
  Point before_, after_;
  Hook on_read_;
};

}  // namespace holdfast::test

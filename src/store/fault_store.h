// A store that fails on purpose, and remembers what was asked of it: for crash, retry and damage tests.
#pragma once

#include <deque>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/mutex.h"
#include "store/object_store.h"

namespace holdfast::store {

enum class StoreOp { create, put, get, stat, list, remove };
std::string_view store_op_name(StoreOp op);

enum class FaultKind {
  server_error,  ///< "store.server", as after retries that did not help
  timeout,       ///< "net.timeout"; nothing happened
  lost_answer,   ///< "net.closed"; the operation did take effect
  denied,        ///< "store.denied"
  no_space,      ///< "store.no_space"
  missing,       ///< get: "store.not_found"; stat: no object
  short_read,    ///< get: "store.short_read"
  bit_flip,      ///< get: succeeds with one bit in the middle changed
};

/// Hits operations of that kind on keys (prefixes for list) that begin with `key`, after letting `skip` of them pass,
/// `times` times.
struct Fault {
  StoreOp op = StoreOp::get;
  std::string key;
  FaultKind kind = FaultKind::server_error;
  unsigned skip = 0;
  unsigned times = 1;
};

/// What the operation at which the process "dies" leaves behind.
enum class CrashEffect { nothing, applied };

class FaultStore final : public ObjectStore {
 public:
  struct Record {
    StoreOp op;
    std::string key;
    uint64_t bytes;  ///< of the body put or got
    bool ok;
  };

  /// `inner` is shared so that a test can look at what a dead process left.
  explicit FaultStore(std::shared_ptr<ObjectStore> inner) : inner_(std::move(inner)) {}

  void inject(Fault fault);
  /// Operation number `n` (from 1, counted over all kinds) and every later one fails with "store.crashed", as if the
  /// process had died in it. `lost_puts`: the server loses power too, and its last so many finished puts are gone,
  /// as on a server that does not fsync.
  void crash_at(uint64_t n, CrashEffect effect = CrashEffect::nothing, unsigned lost_puts = 0);
  bool crashed() const;
  /// Operations so far; run once without a crash to learn how many crash points there are.
  uint64_t operations() const;
  std::vector<Record> records() const;

  std::string location() const override { return inner_->location(); }
  unsigned connections() const override { return inner_->connections(); }
  bool is_remote() const override { return inner_->is_remote(); }
  Status create() override;
  Status put(const std::string& key, ByteSpan body, const PutOptions& options = {}) override;
  Status get(const std::string& key, uint64_t offset, uint64_t length, Buffer& out) override;
  Result<std::optional<ObjectInfo>> stat(const std::string& key) override;
  Status list(const std::string& prefix, const std::function<Status(const ObjectInfo&)>& visit) override;
  Status remove(const std::string& key) override;

 private:
  struct Verdict {
    std::optional<Error> error;  // fail with this
    bool apply = true;           // after doing (or instead of doing) the operation
    std::optional<FaultKind> kind;
  };
  Verdict begin(StoreOp op, const std::string& key);
  void end(StoreOp op, const std::string& key, uint64_t bytes, bool ok);
  Status run(StoreOp op, const std::string& key, uint64_t bytes, const std::function<Status()>& act);

  const std::shared_ptr<ObjectStore> inner_;
  mutable Mutex mutex_;
  std::vector<Fault> faults_ GUARDED_BY(mutex_);
  std::vector<Record> records_ GUARDED_BY(mutex_);
  std::deque<std::string> finished_puts_ GUARDED_BY(mutex_);
  uint64_t count_ GUARDED_BY(mutex_) = 0;
  uint64_t crash_at_ GUARDED_BY(mutex_) = UINT64_MAX;
  CrashEffect crash_effect_ GUARDED_BY(mutex_) = CrashEffect::nothing;
  unsigned lost_puts_ GUARDED_BY(mutex_) = 0;
  bool crashed_ GUARDED_BY(mutex_) = false;
};

}  // namespace holdfast::store

#include "store/limit_store.h"

#include <chrono>

#include "base/mutex.h"
#include "net/retry.h"

namespace holdfast::store {
namespace {

// Hands out consecutive slices of time, one per transfer.
class Pace {
 public:
  explicit Pace(uint64_t rate) : rate_(rate) {}

  std::chrono::milliseconds reserve(uint64_t bytes) {
    using Clock = std::chrono::steady_clock;
    if (rate_ == 0) return {};
    MutexLock lock(mutex_);
    const auto now = Clock::now();
    if (free_at_ < now) free_at_ = now;
    const auto span = std::chrono::duration<double>(static_cast<double>(bytes) / static_cast<double>(rate_));
    free_at_ += std::chrono::duration_cast<Clock::duration>(span);
    return std::chrono::duration_cast<std::chrono::milliseconds>(free_at_ - now);
  }

 private:
  const uint64_t rate_;
  Mutex mutex_;
  std::chrono::steady_clock::time_point free_at_ GUARDED_BY(mutex_);
};

class LimitStore final : public ObjectStore {
 public:
  LimitStore(std::unique_ptr<ObjectStore> inner, Rates rates, std::stop_token stop)
      : inner_(std::move(inner)), up_(rates.upload), down_(rates.download), stop_(std::move(stop)) {}

  std::string location() const override { return inner_->location(); }
  unsigned connections() const override { return inner_->connections(); }
  bool is_remote() const override { return inner_->is_remote(); }
  Status create() override { return inner_->create(); }
  Status put(const std::string& key, ByteSpan body, const PutOptions& options) override {
    TRY_VOID(wait(up_.reserve(body.size())));
    return inner_->put(key, body, options);
  }
  Status get(const std::string& key, uint64_t offset, uint64_t length, Buffer& out) override {
    TRY_VOID(inner_->get(key, offset, length, out));
    return wait(down_.reserve(out.size()));
  }
  Status get_all(const std::string& key, Buffer& out, uint64_t limit) override {
    TRY_VOID(inner_->get_all(key, out, limit));
    return wait(down_.reserve(out.size()));
  }
  void expect(const std::string& key, uint64_t offset, uint64_t length) override {
    inner_->expect(key, offset, length);
  }
  Result<std::optional<ObjectInfo>> stat(const std::string& key) override { return inner_->stat(key); }
  Status list(const std::string& prefix, const std::function<Status(const ObjectInfo&)>& visit) override {
    return inner_->list(prefix, visit);
  }
  Status remove(const std::string& key) override { return inner_->remove(key); }

 private:
  Status wait(std::chrono::milliseconds span) {
    if (span.count() <= 0 || net::sleep_for(span, stop_)) return {};
    return fail(ErrorClass::interrupted, "net.interrupted", "stopped");
  }

  const std::unique_ptr<ObjectStore> inner_;
  Pace up_, down_;
  const std::stop_token stop_;
};

}  // namespace

std::unique_ptr<ObjectStore> make_limit_store(std::unique_ptr<ObjectStore> inner, Rates rates, std::stop_token stop) {
  return std::make_unique<LimitStore>(std::move(inner), rates, std::move(stop));
}

}  // namespace holdfast::store

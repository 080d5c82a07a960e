#include "store/retry_store.h"

#include "base/log.h"
#include "store/http_object.h"

namespace holdfast::store {
namespace {

class RetryStore final : public ObjectStore {
 public:
  RetryStore(std::unique_ptr<ObjectStore> inner, net::RetryPolicy policy, std::stop_token stop)
      : inner_(std::move(inner)), policy_(policy), stop_(std::move(stop)) {}

  std::string location() const override { return inner_->location(); }
  unsigned connections() const override { return inner_->connections(); }
  bool is_remote() const override { return inner_->is_remote(); }
  Status create() override {
    return retry([&] { return inner_->create(); });
  }
  Status put(const std::string& key, ByteSpan body, const PutOptions& options) override {
    bool uncertain = false;
    auto done = retry([&] { return inner_->put(key, body, options); }, &uncertain);
    if (!done && uncertain && options.if_absent && done.error().id == kExists)
      return settle_uncertain_put(*this, key, body);
    return done;
  }
  Status get(const std::string& key, uint64_t offset, uint64_t length, Buffer& out) override {
    return retry([&] { return inner_->get(key, offset, length, out); });
  }
  Status get_all(const std::string& key, Buffer& out, uint64_t limit) override {
    return retry([&] { return inner_->get_all(key, out, limit); });
  }
  void expect(const std::string& key, uint64_t offset, uint64_t length) override {
    inner_->expect(key, offset, length);
  }
  Result<std::optional<ObjectInfo>> stat(const std::string& key) override {
    return retry([&] { return inner_->stat(key); });
  }
  Status list(const std::string& prefix, const std::function<Status(const ObjectInfo&)>& visit) override {
    std::vector<ObjectInfo> found;
    TRY_VOID(retry([&] {
      found.clear();
      return inner_->list(prefix, [&](const ObjectInfo& each) {
        found.push_back(each);
        return Status();
      });
    }));
    for (const ObjectInfo& each : found) TRY_VOID(visit(each));
    return {};
  }
  Status remove(const std::string& key) override {
    return retry([&] { return inner_->remove(key); });
  }

 private:
  template <class Act>
  auto retry(const Act& act, bool* uncertain = nullptr) -> decltype(act()) {
    const auto begin = std::chrono::steady_clock::now();
    net::Backoff backoff(policy_);
    for (;;) {
      auto done = act();
      if (done || done.error().error_class != ErrorClass::unavailable || done.error().id == kNoSpace) return done;
      if (uncertain) *uncertain = true;
      const auto elapsed = std::chrono::steady_clock::now() - begin;
      const auto wait = backoff.next(std::chrono::duration_cast<std::chrono::milliseconds>(elapsed));
      if (!wait) return done;
      log(LogLevel::info, "{}: again in {} ms", done.error().to_string(), wait->count());
      if (!net::sleep_for(*wait, stop_)) return fail(ErrorClass::interrupted, "net.interrupted", "stopped");
    }
  }

  const std::unique_ptr<ObjectStore> inner_;
  const net::RetryPolicy policy_;
  const std::stop_token stop_;
};

}  // namespace

std::unique_ptr<ObjectStore> make_retry_store(std::unique_ptr<ObjectStore> inner, net::RetryPolicy policy,
                                              std::stop_token stop) {
  return std::make_unique<RetryStore>(std::move(inner), policy, std::move(stop));
}

}  // namespace holdfast::store

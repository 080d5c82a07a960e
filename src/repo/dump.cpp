#include "repo/dump.h"

#include <fmt/format.h>

#include <algorithm>
#include <condition_variable>
#include <deque>
#include <memory>
#include <optional>
#include <thread>
#include <vector>

#include "base/mutex.h"
#include "repo/blob_fetch.h"
#include "repo/parallel.h"

namespace holdfast::repo {
namespace {

// Blobs are planned in batches of this many plain bytes: far enough ahead to join reads, near enough to the place of
// writing that few finished blobs wait.
constexpr size_t kLocalBatch = 16 * 1024 * 1024;
// Across a network a read's cost is its round trip; twice as much is planned at once, so that reads grow.
constexpr size_t kRemoteBatch = 32 * 1024 * 1024;
constexpr uint32_t kLocalGap = 0, kLocalRead = 8 * 1024 * 1024;
constexpr uint32_t kRemoteGap = 512 * 1024, kRemoteRead = 8 * 1024 * 1024;

class Dump {
 public:
  Dump(Repository& repository, std::span<const Id> content, const DumpOptions& options)
      : repository_(repository),
        content_(content),
        options_(options),
        remote_(repository.store().is_remote()),
        batch_(remote_ ? kRemoteBatch : kLocalBatch),
        window_(std::max(options.window, 3 * batch_)) {}

  Status run(const std::function<Status(ByteSpan)>& write, const std::stop_token& stop) {
    const unsigned threads = remote_ ? std::max(cpu_threads(), repository_.store().connections()) : cpu_threads();
    std::vector<std::jthread> pool;
    for (unsigned i = 0; i < threads; ++i) pool.emplace_back([this] { work(); });
    Status done = write_all(write, stop);
    {
      MutexLock lock(mutex_);
      closing_ = true;
    }
    changed_.notify_all();
    return done;
  }

 private:
  // A blob's plain bytes inside the buffer of the read that brought it.
  struct Slot {
    std::shared_ptr<Buffer> buffer;
    ByteSpan bytes;
    bool ready = false;
  };

  // Plans the next batch; called by the writer only.
  Status plan_more() REQUIRES(mutex_) {
    std::vector<WantedBlob> wanted;
    size_t bytes = 0;
    while (planned_ < content_.size() && bytes < batch_) {
      const auto location = repository_.index().find(BlobType::data, content_[planned_]);
      if (!location) return damaged(fmt::format("data blob {} is in no index", content_[planned_].short_hex()));
      wanted.push_back({location->pack, location->blob, planned_});
      bytes += location->blob.plain_length();
      slots_.emplace_back();
      ++planned_;
    }
    in_flight_ += bytes;
    for (Fetch& fetch :
         plan_fetches(std::move(wanted), remote_ ? kRemoteGap : kLocalGap, remote_ ? kRemoteRead : kLocalRead)) {
      expect_fetch(repository_, fetch);
      fetches_.push_back(std::move(fetch));
    }
    return {};
  }

  Status write_all(const std::function<Status(ByteSpan)>& write, const std::stop_token& stop) {
    MutexLock lock(mutex_);
    while (written_ < content_.size()) {
      bool planned = false;
      while (planned_ < content_.size() && (in_flight_ + batch_ <= window_ || slots_.empty())) {
        TRY_VOID(plan_more());
        planned = true;
      }
      if (planned) changed_.notify_all();
      lock.wait(changed_, [&]() REQUIRES(mutex_) { return error_ || slots_.front().ready; });
      if (error_) return std::unexpected(*error_);
      if (stop.stop_requested()) return fail(ErrorClass::interrupted, "interrupted", "stopped");
      Slot slot = std::move(slots_.front());
      slots_.pop_front();
      ++written_;
      lock.unlock();
      const Status done = write(slot.bytes);
      if (options_.progress) *options_.progress += slot.bytes.size();
      lock.lock();
      in_flight_ -= slot.bytes.size();
      if (slot.buffer.use_count() == 1) spare_.push_back(std::move(*slot.buffer));
      if (!done) return done;
    }
    return {};
  }

  void work() {
    Codec codec(repository_.master_key());
    Buffer scratch;
    MutexLock lock(mutex_);
    for (;;) {
      lock.wait(changed_, [&]() REQUIRES(mutex_) { return closing_ || error_ || !fetches_.empty(); });
      if (closing_ || error_) return;
      const Fetch fetch = std::move(fetches_.front());
      fetches_.pop_front();
      auto plain = std::make_shared<Buffer>();
      if (!spare_.empty()) {
        *plain = std::move(spare_.back());
        spare_.pop_back();
      }
      lock.unlock();
      plain->resize(plain_size(fetch));
      Status done = run_fetch(repository_, fetch, codec, scratch, {plain->data(), plain->size()});
      lock.lock();
      if (!done) {
        if (!error_) error_ = std::move(done).error();
        changed_.notify_all();
        return;
      }
      size_t at = 0;
      for (size_t i = 0; i < fetch.items.size(); ++i) {
        Slot& slot = slots_[fetch.items[i].tag - written_];
        slot.buffer = plain;
        slot.bytes = plain->span(at, fetch.items[i].blob.plain_length());
        slot.ready = true;
        at += slot.bytes.size();
      }
      changed_.notify_all();
    }
  }

  Repository& repository_;
  const std::span<const Id> content_;
  const DumpOptions options_;
  const bool remote_;
  const size_t batch_;   // plain bytes planned at once
  const size_t window_;  // plain bytes in memory at most

  Mutex mutex_;
  std::condition_variable changed_;
  std::deque<Fetch> fetches_ GUARDED_BY(mutex_);
  std::deque<Slot> slots_ GUARDED_BY(mutex_);  // of blobs [written_, planned_)
  std::vector<Buffer> spare_ GUARDED_BY(mutex_);
  size_t planned_ GUARDED_BY(mutex_) = 0;
  size_t written_ GUARDED_BY(mutex_) = 0;
  size_t in_flight_ GUARDED_BY(mutex_) = 0;  // plain bytes of blobs planned and not written
  bool closing_ GUARDED_BY(mutex_) = false;
  std::optional<Error> error_ GUARDED_BY(mutex_);
};

}  // namespace

Status dump_blobs(Repository& repository, std::span<const Id> content, const std::function<Status(ByteSpan)>& write,
                  const DumpOptions& options, std::stop_token stop) {
  return Dump(repository, content, options).run(write, stop);
}

}  // namespace holdfast::repo

#include "repo/reference_walk.h"

#include <fmt/format.h>

#include <algorithm>
#include <condition_variable>
#include <optional>
#include <thread>
#include <unordered_set>
#include <vector>

#include "base/mutex.h"
#include "repo/parallel.h"

namespace holdfast::repo {
namespace {

class Walk {
 public:
  Walk(Repository& repository, const std::function<Status(const Id&, const Result<Tree>&)>& visit,
       const std::stop_token& stop)
      : repository_(repository), visit_(visit), stop_(stop), seen_(repository.index().entries().size()) {}

  Status run(std::span<const Id> roots) {
    for (const Id& root : roots) TRY_VOID(add(root));
    const unsigned threads = std::max(cpu_threads(), repository_.store().connections());
    {
      std::vector<std::jthread> pool;
      for (unsigned i = 1; i < threads; ++i) pool.emplace_back([this] { work(); });
      work();
    }
    MutexLock lock(mutex_);
    if (error_) return std::unexpected(*error_);
    if (stop_.stop_requested()) return fail(ErrorClass::interrupted, "interrupted", "stopped");
    return {};
  }

 private:
  // Queues a tree that was not seen before.
  Status add(const Id& id) {
    const auto at = repository_.index().position(BlobType::tree, id);
    if (!at) {
      {
        MutexLock lock(mutex_);
        if (!missing_.insert(id).second) return {};
      }
      return visit_(id, damaged(fmt::format("tree {} is in no index", id.short_hex())));
    }
    if (!seen_.insert(*at)) return {};
    {
      MutexLock lock(mutex_);
      waiting_.push_back(static_cast<uint32_t>(*at));
    }
    changed_.notify_one();
    return {};
  }

  Status step(uint32_t entry, Codec& codec) {
    const Id& id = repository_.index().entries()[entry].id;
    auto text = repository_.load_blob(BlobType::tree, id, codec);
    if (!text && text.error().error_class == ErrorClass::unavailable) return std::unexpected(std::move(text).error());
    const Result<Tree> tree = text ? parse_tree(as_text(*text)) : Result<Tree>(std::unexpected(text.error()));
    if (tree) {
      for (const Node& node : tree->nodes) {
        if (node.subtree) TRY_VOID(add(*node.subtree));
      }
    }
    return visit_(id, tree);
  }

  void work() {
    Codec codec(repository_.master_key());
    MutexLock lock(mutex_);
    for (;;) {
      lock.wait(changed_, [&]() REQUIRES(mutex_) { return error_ || !waiting_.empty() || busy_ == 0; });
      if (error_ || waiting_.empty() || stop_.stop_requested()) break;
      const uint32_t entry = waiting_.back();  // depth first: few trees wait
      waiting_.pop_back();
      ++busy_;
      lock.unlock();
      Status done = step(entry, codec);
      lock.lock();
      --busy_;
      if (!done && !error_) error_ = std::move(done).error();
    }
    changed_.notify_all();
  }

  Repository& repository_;
  const std::function<Status(const Id&, const Result<Tree>&)>& visit_;
  const std::stop_token& stop_;
  EntrySet seen_;
  Mutex mutex_;
  std::condition_variable changed_;
  std::vector<uint32_t> waiting_ GUARDED_BY(mutex_);
  std::unordered_set<Id> missing_ GUARDED_BY(mutex_);
  size_t busy_ GUARDED_BY(mutex_) = 0;
  std::optional<Error> error_ GUARDED_BY(mutex_);
};

}  // namespace

Status walk_trees(Repository& repository, std::span<const Id> roots,
                  const std::function<Status(const Id& id, const Result<Tree>& tree)>& visit,
                  const std::stop_token& stop) {
  return Walk(repository, visit, stop).run(roots);
}

}  // namespace holdfast::repo

// Running the same step over many items on a few threads.
#pragma once

#include <atomic>
#include <functional>
#include <mutex>
#include <optional>
#include <thread>
#include <vector>

#include "base/result.h"

namespace holdfast::repo {

/// Threads for work that is bound by the processor.
inline unsigned cpu_threads() {
  const unsigned n = std::thread::hardware_concurrency();
  return n == 0 ? 2 : n;
}

/// Calls step(item, state) for items 0 .. count-1 on up to `threads` threads; `make_state` runs once per thread. The
/// first error ends the work and is returned.
template <class MakeState, class Step>
Status parallel_for(size_t count, unsigned threads, MakeState&& make_state, Step&& step) {
  std::atomic<size_t> next{0};
  std::atomic<bool> failed{false};
  std::mutex mutex;
  std::optional<Error> error;
  const auto run = [&] {
    auto state = make_state();
    while (!failed.load(std::memory_order_relaxed)) {
      const size_t item = next.fetch_add(1);
      if (item >= count) return;
      Status done = step(item, state);
      if (!done) {
        std::lock_guard lock(mutex);
        if (!error) error = std::move(done).error();
        failed = true;
      }
    }
  };
  {
    std::vector<std::jthread> pool;
    for (size_t i = 1; i < std::min<size_t>(threads, count); ++i) pool.emplace_back(run);
    run();
  }
  if (error) return std::unexpected(std::move(*error));
  return {};
}

}  // namespace holdfast::repo

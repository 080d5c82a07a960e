// A mutex that clang's -Wthread-safety can follow: members say what guards them (GUARDED_BY), functions and lambdas
// which mutex their caller holds (REQUIRES). For other compilers the attributes are nothing and the classes are
// std::mutex.
#pragma once

#include <condition_variable>
#include <mutex>
#include <utility>

#if defined(__clang__)
#define HOLDFAST_THREAD_ATTRIBUTE(attribute) __attribute__((attribute))
#else
#define HOLDFAST_THREAD_ATTRIBUTE(attribute)
#endif
#define GUARDED_BY(mutex) HOLDFAST_THREAD_ATTRIBUTE(guarded_by(mutex))
#define REQUIRES(mutex) HOLDFAST_THREAD_ATTRIBUTE(requires_capability(mutex))

namespace holdfast {

class HOLDFAST_THREAD_ATTRIBUTE(capability("mutex")) Mutex {
 public:
  void lock() HOLDFAST_THREAD_ATTRIBUTE(acquire_capability()) { mutex_.lock(); }
  void unlock() HOLDFAST_THREAD_ATTRIBUTE(release_capability()) { mutex_.unlock(); }

 private:
  friend class MutexLock;
  std::mutex mutex_;
};

/// Holds a mutex for a scope; may let go of it and take it again on the way.
class HOLDFAST_THREAD_ATTRIBUTE(scoped_lockable) MutexLock {
 public:
  explicit MutexLock(Mutex& mutex) HOLDFAST_THREAD_ATTRIBUTE(acquire_capability(mutex)) : lock_(mutex.mutex_) {}
  ~MutexLock() HOLDFAST_THREAD_ATTRIBUTE(release_capability()) {}  // NOLINT(modernize-use-equals-default): attribute
  MutexLock(const MutexLock&) = delete;
  MutexLock& operator=(const MutexLock&) = delete;

  void lock() HOLDFAST_THREAD_ATTRIBUTE(acquire_capability()) { lock_.lock(); }
  void unlock() HOLDFAST_THREAD_ATTRIBUTE(release_capability()) { lock_.unlock(); }
  /// Sleeps until `done()`, which is asked with the mutex held, after each notification of `condition`.
  template <class Done>
  void wait(std::condition_variable& condition, Done&& done) {
    condition.wait(lock_, std::forward<Done>(done));
  }
  /// The same, no longer than `span`; what `done()` said last.
  template <class Span, class Done>
  bool wait_for(std::condition_variable& condition, Span span, Done&& done) {
    return condition.wait_for(lock_, span, std::forward<Done>(done));
  }

 private:
  std::unique_lock<std::mutex> lock_;
};

}  // namespace holdfast

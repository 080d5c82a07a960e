#include "sys/spawn_thread.h"

#include <pthread.h>
#include <unistd.h>

#include <condition_variable>
#include <csignal>
#include <mutex>
#include <thread>

namespace holdfast::sys {

namespace {

struct Worker {
  std::mutex mutex;
  std::condition_variable changed;
  const std::function<void()>* work = nullptr;
  bool done = false;
  std::mutex callers;
  pid_t owner = 0;

  void loop() {
    std::unique_lock lock(mutex);
    for (;;) {
      changed.wait(lock, [this] { return work && !done; });
      (*work)();
      done = true;
      changed.notify_all();
    }
  }
};

Worker& worker() {
  // Never freed: the thread must not end before the process does, not even while statics are destroyed.
  static Worker* instance = nullptr;
  static std::mutex creating;
  std::lock_guard lock(creating);
  if (!instance || instance->owner != ::getpid()) {
    instance = new Worker;
    instance->owner = ::getpid();
    sigset_t all, before;
    sigfillset(&all);
    ::pthread_sigmask(SIG_BLOCK, &all, &before);  // signals are for the main thread
    std::thread([w = instance] { w->loop(); }).detach();
    ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
  }
  return *instance;
}

}  // namespace

void on_spawn_thread(const std::function<void()>& work) {
  Worker& w = worker();
  std::lock_guard one_at_a_time(w.callers);
  std::unique_lock lock(w.mutex);
  w.work = &work;
  w.done = false;
  w.changed.notify_all();
  w.changed.wait(lock, [&w] { return w.done; });
  w.work = nullptr;
}

}  // namespace holdfast::sys

#include "repo/lock.h"

#include <fmt/format.h>
#include <signal.h>
#include <time.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <condition_variable>
#include <mutex>
#include <thread>

#include "base/log.h"
#include "repo/environment.h"

namespace holdfast::repo {
namespace {

using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;
using std::chrono::steady_clock;

constexpr minutes kStaleAfter{30};

// Runs on while the machine sleeps, as the clocks of others do.
milliseconds boot_time() {
  timespec at{};
  ::clock_gettime(CLOCK_BOOTTIME, &at);
  return seconds(at.tv_sec) + milliseconds(at.tv_nsec / 1'000'000);
}

std::unexpected<Error> lock_lost(const char* why) {
  return fail(ErrorClass::conflict, "repo.lock_lost", fmt::format("the repository lock {}; nothing was published", why),
              "check the connection to the repository, and that `repo unlock --remove-all` does not run now; then run "
              "the command again");
}

bool is_unrenewed(const LockFile& lock, const Timestamp& now) {
  return now.seconds - lock.time.seconds > std::chrono::duration_cast<seconds>(kStaleAfter).count();
}

// No process of that number is on this host, if it is this host.
bool is_gone(const LockFile& lock) {
  const Environment environment = Environment::of_process();
  if (lock.hostname != environment.host || lock.pid <= 0 || lock.pid == environment.pid) return false;
  return ::kill(static_cast<pid_t>(lock.pid), 0) != 0 && errno == ESRCH;
}

LockFile own_lock(LockKind kind) {
  const Environment environment = Environment::of_process();
  LockFile lock;
  lock.time = now();
  lock.exclusive = kind == LockKind::exclusive;
  lock.hostname = environment.host;
  lock.username = environment.user;
  lock.pid = environment.pid;
  lock.uid = environment.uid;
  lock.gid = environment.gid;
  return lock;
}

std::string owner(const HeldLock& lock) {
  if (!lock.readable) return fmt::format("lock {} cannot be read", lock.id.short_hex());
  return fmt::format("{} lock {} of {}@{} (pid {}), renewed {}", lock.file.exclusive ? "exclusive" : "shared",
                     lock.id.short_hex(), lock.file.username, lock.file.hostname, lock.file.pid,
                     lock.file.time.to_string());
}

// The lock that forbids ours, if there is one. Stale locks count as well: they go only by `repo unlock`, except those
// that nobody can hold (is_abandoned).
Result<std::optional<HeldLock>> find_conflict(Repository& repository, LockKind kind, const std::optional<Id>& own) {
  for (const HeldLock& lock : TRY(list_locks(repository))) {
    if (own && lock.id == *own) continue;
    if (!lock.readable || kind == LockKind::exclusive || lock.file.exclusive) return std::optional<HeldLock>(lock);
  }
  return std::optional<HeldLock>{};
}

std::unexpected<Error> locked(Repository& repository, const HeldLock& lock) {
  const bool stale = lock.readable && is_stale(lock.file, now());
  return fail(ErrorClass::conflict, "repo.locked",
              fmt::format("{} is locked: {}{}", repository.store().location(), owner(lock),
                          !stale                           ? ""
                          : is_unrenewed(lock.file, now()) ? "; it is stale"
                                                           : "; no such process runs here"),
              stale ? "holdfast repo unlock -r " + repository.store().location()
                    : "wait, or give --retry-lock 10m; if that process is gone: holdfast repo unlock -r " +
                          repository.store().location());
}

}  // namespace

bool is_stale(const LockFile& lock, const Timestamp& now) {
  return is_unrenewed(lock, now) || is_gone(lock);
}

// A host name proves little: containers have process ids of their own, and hosts are cloned with their names.
bool is_abandoned(const LockFile& lock, const Timestamp& now) {
  return is_unrenewed(lock, now) && is_gone(lock);
}

Result<std::vector<HeldLock>> list_locks(Repository& repository) {
  std::vector<HeldLock> locks;
  Codec codec(repository.master_key());
  for (const ObjectRef& object : TRY(repository.list(ObjectType::lock))) {
    if (object.size == 0) continue;  // left by a writer that died; restic ignores it as well
    HeldLock lock{object.id, {}, true};
    auto text = repository.load(ObjectType::lock, object.id, codec);
    if (!text && text.error().id == store::kNotFound) continue;  // released meanwhile
    if (!text && text.error().error_class != ErrorClass::verification_failed) {
      return std::unexpected(std::move(text).error());
    }
    auto file = text ? parse_lock(as_text(*text)) : Result<LockFile>(std::unexpected(text.error()));
    lock.readable = file.has_value();
    if (file) lock.file = *file;
    locks.push_back(std::move(lock));
  }
  return locks;
}

Result<size_t> remove_locks(Repository& repository, bool all) {
  size_t removed = 0;
  for (const HeldLock& lock : TRY(list_locks(repository))) {
    if (!all && !(lock.readable && is_stale(lock.file, now()))) continue;
    TRY_VOID(repository.remove(ObjectType::lock, lock.id));
    ++removed;
  }
  return removed;
}

struct Lock::State {
  Repository& repository;
  const LockKind kind;
  const LockTimes times;
  Id id;                    // guarded by mutex once threads run
  milliseconds renewed{0};  // guarded by mutex: boot_time() before the lock was written last
  std::stop_source lost;
  std::atomic<bool> looked{false};  // the second look found no conflict: the index is watched
  std::mutex mutex;
  std::condition_variable_any wake;
  std::optional<Status> settled;  // guarded by mutex
  std::jthread settler;
  std::jthread refresher;

  State(Repository& r, LockKind k, const LockTimes& t) : repository(r), kind(k), times(t) {}

  bool too_old() const { return boot_time() - renewed > times.give_up; }

  // Looks again after a moment: of two writers that started at once, at least one sees the other.
  void settle(std::stop_token stop) {
    std::unique_lock guard(mutex);
    wake.wait_for(guard, stop, times.settle, [] { return false; });
    if (stop.stop_requested()) return;
    const Id own = id;
    guard.unlock();
    auto conflict = find_conflict(repository, kind, own);
    Status verdict;
    if (!conflict) {
      verdict = std::unexpected(std::move(conflict).error());
    } else if (*conflict) {
      verdict = locked(repository, **conflict);
    }
    // From here on nobody removes anything. What an earlier prune removed while this lock was on its way is not in the
    // index any more: an index that was read before may name it.
    if (verdict) {
      repository.watch_index();
      looked = true;
      if (repository.index_loaded()) verdict = repository.check_loaded_index();
    }
    guard.lock();
    if (!verdict) lost.request_stop();
    settled = std::move(verdict);
    wake.notify_all();
  }

  // Writes the lock anew and removes the old one; false: the lock is lost.
  bool renew() {
    std::unique_lock guard(mutex);
    const Id old = id;
    guard.unlock();
    const auto begun = boot_time();
    // Without the old one, somebody may have taken the repository for free since: a new one would hide that.
    const auto there = repository.store().stat(object_key(ObjectType::lock, old));
    if (there && !*there) return false;
    Codec codec(repository.master_key());
    Result<Id> written = there ? repository.save(ObjectType::lock, lock_text(own_lock(kind)), codec)
                               : Result<Id>(std::unexpected(there.error()));
    guard.lock();
    if (written) {
      id = *written;
      renewed = begun;
      guard.unlock();
      (void)repository.remove(ObjectType::lock, old);
      return true;
    }
    log(LogLevel::warn, "renewing the repository lock: {}", written.error().to_string());
    return !too_old();
  }

  void refresh(std::stop_token stop) {
    for (;;) {
      {
        std::unique_lock guard(mutex);
        // Short naps while renewing fails, the full pause otherwise.
        const bool failing = boot_time() - renewed > times.refresh;
        wake.wait_for(guard, stop, failing ? times.retry : times.refresh, [] { return false; });
        if (stop.stop_requested()) return;
      }
      if (!renew()) {
        lost.request_stop();
        return;
      }
    }
  }
};

Lock::Lock(std::unique_ptr<State> state) : state_(std::move(state)) {
  state_->refresher = std::jthread([state = state_.get()](std::stop_token stop) { state->refresh(std::move(stop)); });
}

Status Lock::confirm() {
  std::unique_lock guard(state_->mutex);
  state_->wake.wait(guard, [&] { return state_->settled.has_value(); });
  TRY_VOID(Status(*state_->settled));
  for (;;) {
    if (state_->too_old()) return lock_lost("could not be renewed in time");
    if (state_->lost.stop_requested()) return lock_lost("was removed by another process");
    const Id own = state_->id;
    guard.unlock();
    const auto there = TRY(state_->repository.store().stat(object_key(ObjectType::lock, own)));
    guard.lock();
    if (there) return {};
    if (state_->id != own) continue;  // renewed under another name meanwhile
    state_->lost.request_stop();
  }
}

Status Lock::check_age() {
  const std::lock_guard guard(state_->mutex);
  if (!state_->too_old()) return {};
  state_->lost.request_stop();
  return lock_lost("could not be renewed in time");
}

Lock::~Lock() {
  state_->settler.request_stop();
  if (state_->settler.joinable()) state_->settler.join();
  if (state_->looked) state_->repository.unwatch_index();
  state_->refresher.request_stop();
  state_->refresher.join();
  auto removed = state_->repository.remove(ObjectType::lock, state_->id);
  if (!removed) log(LogLevel::warn, "removing the repository lock: {}", removed.error().to_string());
}

std::stop_token Lock::lost() const {
  return state_->lost.get_token();
}

Result<std::unique_ptr<Lock>> Lock::acquire(Repository& repository, LockKind kind, seconds patience,
                                            std::stop_token stop, const LockTimes& times) {
  const auto until = steady_clock::now() + patience;
  milliseconds pause{500};
  for (;;) {
    auto conflict = TRY(find_conflict(repository, kind, std::nullopt));
    if (conflict && conflict->readable && is_abandoned(conflict->file, now())) {
      TRY_VOID(repository.remove(ObjectType::lock, conflict->id));
      continue;
    }
    if (!conflict) {
      auto state = std::make_unique<State>(repository, kind, times);
      Codec codec(repository.master_key());
      state->renewed = boot_time();
      state->id =
          TRY(repository.save(ObjectType::lock, lock_text(own_lock(kind)), codec).context("locking the repository"));
      state->settler = std::jthread([s = state.get()](std::stop_token token) { s->settle(std::move(token)); });
      std::unique_ptr<Lock> lock(new Lock(std::move(state)));
      if (kind == LockKind::shared) return lock;
      auto settled = lock->confirm();
      if (settled) return lock;
      if (settled.error().id != "repo.locked" || steady_clock::now() + pause > until)
        return std::unexpected(settled.error());
    } else if (steady_clock::now() + pause > until) {
      return locked(repository, *conflict);
    }
    std::mutex mutex;
    std::condition_variable_any wake;
    std::unique_lock lock(mutex);
    wake.wait_for(lock, stop, pause, [] { return false; });
    if (stop.stop_requested()) return fail(ErrorClass::interrupted, "interrupted", "stopped while waiting for a lock");
    pause = std::min(pause * 2, milliseconds(30'000));
  }
}

}  // namespace holdfast::repo

// Holding a repository lock by restic's protocol.
//
// A lock is an object of its own: written, looked at again after 200 ms (two writers that start at once see each
// other), renewed every 5 minutes under a new id, stale after 30 minutes without renewal or when no such process is on
// this host. A holder that could not renew in time, or whose lock somebody has removed, must stop: `lost` is
// requested.
#pragma once

#include <chrono>
#include <memory>
#include <stop_token>
#include <vector>

#include "repo/format/lock_file.h"
#include "repo/repository.h"

namespace holdfast::repo {

enum class LockKind {
  shared,     ///< reading, and backups: many at once
  exclusive,  ///< anything that deletes: alone
};

struct HeldLock {
  Id id;
  LockFile file;
  bool readable = true;  ///< false: the object could not be decoded; it counts as somebody's lock
};

/// The protocol's times; tests take shorter ones.
struct LockTimes {
  std::chrono::milliseconds settle{200};         ///< between writing a lock and looking again
  std::chrono::milliseconds refresh{300'000};    ///< between renewals
  std::chrono::milliseconds retry{10'000};       ///< after a renewal that failed
  std::chrono::milliseconds give_up{1'350'000};  ///< age at which a holder stops trusting its own lock
};

class Lock {
 public:
  /// Waits up to `patience` for a conflicting lock to go, then fails with "repo.locked" (conflict), which names its
  /// owner. `stop` ends the waiting early. An exclusive lock is confirmed on return, a shared one must be: confirm().
  static Result<std::unique_ptr<Lock>> acquire(Repository& repository, LockKind kind, std::chrono::seconds patience,
                                               std::stop_token stop, const LockTimes& times = {});
  /// Waits for the second look (a shared lock takes it in the background, so that work can begin), then looks whether
  /// the lock is still there: ok if it holds, "repo.locked" if somebody else was faster, "repo.index_changed"
  /// (conflict) if the index was loaded before that look and objects of it are gone since, "repo.lock_lost" (conflict)
  /// if the lock was removed or not renewed in time. Call it before anything becomes visible to others.
  Status confirm();
  /// "repo.lock_lost" once the lock is so old that others may take it for stale, as after a night in which the machine
  /// slept. Asks nobody: for the moment before each removal. Thread-safe.
  Status check_age();
  /// Removes the lock.
  ~Lock();
  Lock(const Lock&) = delete;
  Lock& operator=(const Lock&) = delete;

  /// Requested when the second look found a conflict, when the lock could not be renewed and others may take it for
  /// stale, or when a renewal found it removed: the work must end.
  std::stop_token lost() const;

 private:
  struct State;
  explicit Lock(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

/// All locks there are.
Result<std::vector<HeldLock>> list_locks(Repository& repository);
/// True if `repo unlock` may remove this lock: not renewed for the protocol's time, or of a process that is not on this
/// host, if the lock's host is this one and not another of the same name.
bool is_stale(const LockFile& lock, const Timestamp& now);
/// True if nobody can hold it any more: both of the above. Such a lock is removed on the way.
bool is_abandoned(const LockFile& lock, const Timestamp& now);
/// Removes stale locks, or all of them; how many.
Result<size_t> remove_locks(Repository& repository, bool all);

}  // namespace holdfast::repo

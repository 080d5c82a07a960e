// Opening the repository a verb works on: store, password, keys, lock.
#pragma once

#include <memory>
#include <stop_token>

#include "cli/context.h"
#include "cli/repository_options.h"
#include "repo/lock.h"
#include "repo/repository.h"

namespace holdfast::cli {

/// A stop request that is made when either of two others is.
struct StopJoin {
  struct Request {
    std::stop_source* source;
    void operator()() const { source->request_stop(); }
  };
  StopJoin(std::stop_token a, std::stop_token b)
      : first(std::move(a), Request{&source}), second(std::move(b), Request{&source}) {}
  std::stop_source source;
  std::stop_callback<Request> first, second;
};

/// An open repository and, unless --no-lock was given, its lock. The lock goes before the repository.
struct RepositorySession {
  std::unique_ptr<repo::Repository> repository;
  std::unique_ptr<repo::Lock> lock;
  std::unique_ptr<StopJoin> stopping;

  /// Requested by a signal, or when the lock turned out not to hold (any more): hand this to the work.
  std::stop_token stop() const { return stopping->source.get_token(); }
  /// Explains a failure: "interrupted" because of the lock becomes the lock's own error.
  Status explain(Status failed);
  /// Waits until the lock is known to hold, and looks that it still does. Before anything becomes visible to others.
  Status confirm();
};

/// `publish` is a shared lock of what writes snapshots or keys.
enum class LockNeed { none, shared, publish, exclusive };

/// The store of a location, with the environment's credentials and the flags' settings.
Result<std::shared_ptr<store::ObjectStore>> open_store(Context& context, const RepositoryAccess& access);

/// Opens the repository of -r (or its environment variables), loads no index. `need` says which lock the verb takes;
/// --no-lock drops the shared locks of readers, and is refused for what publishes or removes.
Result<RepositorySession> open_repository(Context& context, LockNeed need);
/// The same for an access resolved before.
Result<RepositorySession> open_repository(Context& context, const RepositoryAccess& access, LockNeed need);

}  // namespace holdfast::cli

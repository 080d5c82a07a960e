// Opening the repository a verb works on: store, password, keys, lock.
#pragma once

#include <memory>

#include "cli/context.h"
#include "cli/repository_options.h"
#include "repo/lock.h"
#include "repo/repository.h"

namespace holdfast::cli {

/// An open repository and, unless --no-lock was given, its lock. The lock goes before the repository.
struct RepositorySession {
  std::unique_ptr<repo::Repository> repository;
  std::unique_ptr<repo::Lock> lock;
};

enum class LockNeed { none, shared, exclusive };

/// The store of a location, with the environment's credentials and the flags' settings.
Result<std::shared_ptr<store::ObjectStore>> open_store(Context& context, const RepositoryAccess& access);

/// Opens the repository of -r (or its environment variables), loads no index. `need` says which lock the verb takes;
/// --no-lock drops shared ones and is refused for exclusive ones.
Result<RepositorySession> open_repository(Context& context, LockNeed need);
/// The same for an access resolved before.
Result<RepositorySession> open_repository(Context& context, const RepositoryAccess& access, LockNeed need);

}  // namespace holdfast::cli

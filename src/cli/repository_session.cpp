#include "cli/repository_session.h"

#include "store/open_store.h"

namespace holdfast::cli {

Result<std::shared_ptr<store::ObjectStore>> open_store(Context& context, const RepositoryAccess& access) {
  store::StoreOptions options;
  options.env = [&env = context.env](const std::string& name) { return env.get(name); };
  options.ca_file = access.ca_cert;
  options.insecure_tls = access.insecure_tls;
  options.upload_limit = access.limit_upload;
  options.download_limit = access.limit_download;
  options.extended = access.store_options;
  options.stop = context.stop;
  return std::shared_ptr<store::ObjectStore>(TRY(store::open_store(access.location, options)));
}

Result<RepositorySession> open_repository(Context& context, const RepositoryAccess& access, LockNeed need) {
  auto store = TRY(open_store(context, access));
  const Secret password =
      TRY(resolve_password(access.password, "password for " + store->location(), false, context.stop));
  RepositorySession session;
  session.repository = TRY(repo::Repository::open(std::move(store), password, access.key_hint));
  if (session.repository->store().is_remote() && !access.no_cache) {
    std::string directory = access.cache_dir;
    if (directory.empty()) {
      const auto base = context.env.get("XDG_CACHE_HOME");
      const auto home = context.env.get("HOME");
      directory = base ? *base + "/holdfast" : home ? *home + "/.cache/holdfast" : "";
    }
    if (!directory.empty()) session.repository->use_cache(directory);
  }
  if (need == LockNeed::exclusive && access.no_lock) {
    return fail(ErrorClass::usage, "cli.no_lock", "this command deletes objects and never works without a lock",
                "leave out --no-lock");
  }
  if (need != LockNeed::none && !access.no_lock) {
    const auto kind = need == LockNeed::exclusive ? repo::LockKind::exclusive : repo::LockKind::shared;
    session.lock = TRY(repo::Lock::acquire(*session.repository, kind, access.retry_lock, context.stop));
  }
  session.stopping = std::make_unique<StopJoin>(context.stop, session.lock ? session.lock->lost() : std::stop_token());
  return session;
}

Status RepositorySession::confirm() {
  return lock ? lock->confirm() : Status{};
}

Status RepositorySession::explain(Status failed) {
  if (failed || failed.error().error_class != ErrorClass::interrupted) return failed;
  if (lock && lock->lost().stop_requested()) TRY_VOID(confirm());
  return failed;
}

Result<RepositorySession> open_repository(Context& context, LockNeed need) {
  const RepositoryAccess access = TRY(repository_access(context));
  return open_repository(context, access, need);
}

}  // namespace holdfast::cli

#include "cli/repository_session.h"

#include <fmt/format.h>

#include "store/open_store.h"

namespace holdfast::cli {

Result<std::shared_ptr<store::ObjectStore>> open_store(Context& context, const RepositoryAccess& access) {
  store::StoreOptions options;
  options.env = [&env = context.env](const std::string& name) { return env.get(name); };
  options.ca_file = access.ca_cert;
  options.client_cert = access.tls_client_cert;
  options.insecure_tls = access.insecure_tls;
  options.upload_limit = access.limit_upload;
  options.download_limit = access.limit_download;
  options.extended = access.store_options;
  options.stop = context.stop;
  return std::shared_ptr<store::ObjectStore>(TRY(store::open_store(access.location, options)));
}

namespace {

// What opens the repository to copy from has other names, and nobody copies from a new one.
Error of_the_source(Error error) {
  if (error.id == "repo.key.wrong_password")
    error.hint =
        "check --from-password-file or --from-password-command (RESTIC_FROM_PASSWORD_FILE, "
        "RESTIC_FROM_PASSWORD_COMMAND, RESTIC_FROM_PASSWORD), and --from-key-hint";
  if (error.id == "repo.not_found") error.hint = "check --from-repo or --from-repository-file";
  return error;
}

}  // namespace

Result<RepositorySession> open_repository(Context& context, const RepositoryAccess& access, LockNeed need) {
  if ((need == LockNeed::publish || need == LockNeed::exclusive) && access.no_lock) {
    return fail(ErrorClass::usage, "cli.no_lock",
                need == LockNeed::exclusive ? "this command deletes objects and never works without a lock"
                                            : "this command writes to the repository and never works without a lock",
                "leave out --no-lock");
  }
  auto store = TRY(open_store(context, access));
  const Secret password =
      TRY(resolve_password(access.password, "password for " + store->location(), false, context.stop));
  RepositorySession session;
  auto opened = repo::Repository::open(std::move(store), password, access.key_hint, context.stop);
  if (!opened) return fail(access.source ? of_the_source(std::move(opened).error()) : std::move(opened).error());
  session.repository = std::move(*opened);
  if (session.repository->store().is_remote() && !access.no_cache) {
    std::string directory = access.cache_dir;
    if (directory.empty()) {
      const auto base = context.env.get("XDG_CACHE_HOME");
      const auto home = context.env.get("HOME");
      directory = base ? *base + "/holdfast" : home ? *home + "/.cache/holdfast" : "";
    }
    if (!directory.empty()) session.repository->use_cache(directory);
  }
  session.repository->on_damage([&context](const repo::Id& pack, const Error& error) {
    context.out.warning("repo.pack.damaged", fmt::format("pack {} is damaged ({}); what was needed of it was read from "
                                                         "another pack: holdfast check --read-data names all damage",
                                                         pack.short_hex(), error.message));
  });
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

#include "cli/steward_caller.h"

#include "cli/cluster_options.h"
#include "cli/repository_session.h"

namespace holdfast::cli {

namespace {

class SessionRepository : public steward::CopyRepository {
 public:
  explicit SessionRepository(RepositorySession session) : session_(std::move(session)) {}
  repo::Repository& repository() override { return *session_.repository; }
  Status confirm() override { return session_.confirm(); }

 private:
  RepositorySession session_;
};

}  // namespace

steward::Caller steward_caller(Context& context, steward::Observer& observer) {
  steward::CopySettings copies;
  copies.open = [&context]() -> Result<std::unique_ptr<steward::CopyRepository>> {
    return std::make_unique<SessionRepository>(TRY(open_repository(context, LockNeed::publish)));
  };
  copies.targets = [&context](const cluster::DatabaseCluster& cluster) { return targets_of(context, cluster); };
  copies.program = "holdfast " HOLDFAST_VERSION;
  return {.observer = observer,
          .operations = steward::Operations(operation_store(context)),
          .copies = std::move(copies),
          .stop = context.stop};
}

steward::EscrowChoice escrow_choice(const Options& options) {
  steward::EscrowChoice choice;
  if (options.given("backups-path")) choice.repository = options.text("backups-path");
  choice.none = options.flag("no-escrow");
  return choice;
}

}  // namespace holdfast::cli

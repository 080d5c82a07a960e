#include "sql/kept_postgres.h"

#include <algorithm>
#include <chrono>
#include <optional>
#include <tuple>

namespace holdfast::sql {

namespace {

constexpr std::chrono::milliseconds kOfSignIn{15};

/// Everything that a session depends on.
auto identity(const Target& t) {
  return std::tie(t.host, t.port, t.socket, t.user, t.database, t.tls, t.tls_ca, t.plain_text, t.replication);
}

auto find(std::list<Target>& targets, const Target& like) {
  return std::ranges::find_if(targets, [&](const Target& one) { return identity(one) == identity(like); });
}

}  // namespace

KeptPostgres::Lease::Lease(KeptPostgres* kept, Target target, PostgresConnection connection)
    : kept_(kept), target_(std::move(target)), connection_(std::move(connection)) {
  target_.password = Secret();  // it has signed in
  if (!kept_) return;
  const MutexLock lock(kept_->mutex_);
  kept_->in_use_.push_back(target_);
}

Result<KeptPostgres::Lease> KeptPostgres::lease(KeptPostgres* kept, const Target& target, Deadline deadline,
                                                std::stop_token stop) {
  if (kept) {
    MutexLock lock(kept->mutex_);
    std::optional<PostgresConnection> found;
    const auto take = [&]() REQUIRES(kept->mutex_) {
      for (auto entry = kept->free_.begin(); !found && entry != kept->free_.end();) {
        if (identity(entry->first) != identity(target)) {
          ++entry;
          continue;
        }
        if (!entry->second.is_lost()) found = std::move(entry->second);
        entry = kept->free_.erase(entry);
      }
      return found || find(kept->in_use_, target) == kept->in_use_.end();
    };
    (void)lock.wait_for(kept->given_back_, kOfSignIn, take);
    if (found) {
      lock.unlock();
      return Lease(kept, target, std::move(*found));
    }
  }
  return Lease(kept, target, TRY(PostgresConnection::connect(target, deadline, std::move(stop))));
}

KeptPostgres::Lease::~Lease() {
  if (!kept_) return;
  const MutexLock lock(kept_->mutex_);
  kept_->in_use_.erase(find(kept_->in_use_, target_));
  if (!connection_.is_lost()) kept_->free_.emplace_back(std::move(target_), std::move(connection_));
  kept_->given_back_.notify_all();
}

}  // namespace holdfast::sql

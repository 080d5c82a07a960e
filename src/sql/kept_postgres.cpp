#include "sql/kept_postgres.h"

#include <tuple>

namespace holdfast::sql {

namespace {

/// Everything that a session depends on.
auto identity(const Target& t) {
  return std::tie(t.host, t.port, t.socket, t.user, t.database, t.tls, t.tls_ca, t.plain_text, t.replication);
}

}  // namespace

Result<KeptPostgres::Lease> KeptPostgres::lease(KeptPostgres* kept, const Target& target, Deadline deadline,
                                                std::stop_token stop) {
  if (kept) {
    const MutexLock lock(kept->mutex_);
    for (auto entry = kept->free_.begin(); entry != kept->free_.end();) {
      if (identity(entry->first) != identity(target)) {
        ++entry;
        continue;
      }
      PostgresConnection connection = std::move(entry->second);
      entry = kept->free_.erase(entry);
      if (!connection.is_lost()) return Lease(kept, target, std::move(connection));
    }
  }
  return Lease(kept, target, TRY(PostgresConnection::connect(target, deadline, std::move(stop))));
}

KeptPostgres::Lease::~Lease() {
  if (!kept_ || connection_.is_lost()) return;
  const MutexLock lock(kept_->mutex_);
  kept_->free_.emplace_back(std::move(target_), std::move(connection_));
}

}  // namespace holdfast::sql

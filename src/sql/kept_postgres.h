// PostgreSQL sessions that one look leaves for the next: each sign-in costs milliseconds of hashing.
#pragma once

#include <condition_variable>
#include <list>
#include <utility>

#include "base/mutex.h"
#include "sql/postgres.h"

namespace holdfast::sql {

/// Thread-safe. Sessions are closed with it.
class KeptPostgres {
 public:
  /// A session nobody else has. Its end gives it back, unless it is lost.
  class Lease {
   public:
    Lease(KeptPostgres* kept, Target target, PostgresConnection connection);
    Lease(Lease&& other) noexcept
        : kept_(std::exchange(other.kept_, nullptr)),
          target_(std::move(other.target_)),
          connection_(std::move(other.connection_)) {}
    Lease& operator=(Lease&&) = delete;
    ~Lease();
    PostgresConnection& operator*() { return connection_; }

   private:
    KeptPostgres* kept_;
    Target target_;
    PostgresConnection connection_;
  };

  /// One that was left for this target, or a new one: PostgresConnection::connect(). Where all are in use, one that is
  /// given back within the time that a sign-in takes is waited for. Without `kept` always a new one.
  static Result<Lease> lease(KeptPostgres* kept, const Target& target, Deadline deadline, std::stop_token stop = {});

 private:
  Mutex mutex_;
  std::condition_variable given_back_;
  std::list<std::pair<Target, PostgresConnection>> free_ GUARDED_BY(mutex_);
  std::list<Target> in_use_ GUARDED_BY(mutex_);  ///< of each lease; without passwords
};

}  // namespace holdfast::sql

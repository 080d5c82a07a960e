// Copies of members, stored in a repository before a step replaces what they hold.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>

#include "cluster/types.h"
#include "codec/value.h"
#include "engine/members.h"
#include "operation/plan.h"
#include "repo/repository.h"
#include "steward/observer.h"

namespace holdfast::steward {

/// A repository that is open and locked for writing, until this is destroyed.
class CopyRepository {
 public:
  virtual ~CopyRepository() = default;
  virtual repo::Repository& repository() = 0;
  /// Whether its lock still holds; asked before a copy becomes visible.
  virtual Status confirm() = 0;
};

/// Where copies are stored and what making one takes. Called only for a plan that stores any.
struct CopySettings {
  std::function<Result<std::unique_ptr<CopyRepository>>()> open;
  std::function<Result<engine::TargetOf>(const cluster::DatabaseCluster&)> targets;  ///< for dumps
  std::string program;  ///< written into snapshots: "holdfast 1.2"
};

/// A request's choice about copies of members whose data is replaced.
struct EscrowChoice {
  std::optional<std::string> repository;  ///< its name for commands that are shown (-r); nothing = there is none
  bool none = false;                      ///< no copy is wanted (--no-escrow): then the loss must be accepted
  std::string name() const { return repository.value_or(""); }
};

/// Whether the plan stores copies.
bool needs_repository(const operation::Plan& plan);

/// Of one cluster, for one operation. One thread at a time.
class CopyKeeper {
 public:
  CopyKeeper(const cluster::DatabaseCluster& cluster, const CopySettings& settings, Observer& observer)
      : cluster_(cluster), settings_(settings), observer_(observer) {}

  /// Opens the repository. A failure is remembered, and is what taking a copy fails with.
  Status open();
  Status load_index();

  /// A stopped member's data directory, read back: {snapshot, files, bytes}.
  Result<codec::Value> take_escrow(const std::string& member, const std::string& folder, const std::string& job,
                                   std::stop_token stop);
  /// A running member's dump, read back: {snapshot, path, position, bytes}; {unproven: why} when it gives none.
  Result<codec::Value> take_dump(const std::string& member, const std::string& job, std::stop_token stop);

 private:
  const cluster::DatabaseCluster& cluster_;
  const CopySettings& settings_;
  Observer& observer_;
  std::unique_ptr<CopyRepository> opened_;
  Error why_closed_{
      ErrorClass::bug, "steward.repository", "a copy was to be stored, and no repository is open", "", {}};
  bool loaded_ = false;
};

}  // namespace holdfast::steward

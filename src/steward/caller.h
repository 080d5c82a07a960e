// What every caller of the steward brings: the CLI, a job, a server, a test.
#pragma once

#include <chrono>
#include <stop_token>

#include "base/result.h"
#include "steward/copies.h"
#include "steward/observer.h"
#include "steward/operations.h"

namespace holdfast::steward {

/// How long the steward waits for a cluster to settle; tests wait less.
struct Pace {
  std::chrono::milliseconds between_observations{2000};  ///< of two that must lead to the same further plan
  std::chrono::milliseconds settle{10000};               ///< for members that a plan has repaired, at its end
};

struct Caller {
  Observer& observer;
  Operations operations;
  CopySettings copies;
  std::stop_token stop;  ///< undoes what can be undone, and ends the call
  Pace pace = {};
};

/// "cli.interrupted" once a stop was requested, for calls that have changed nothing yet.
Status refuse_if_interrupted(const Caller& caller);

}  // namespace holdfast::steward

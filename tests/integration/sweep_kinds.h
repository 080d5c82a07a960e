// Kinds of operations that tests break off at each step: how the cluster is broken, and what must be so when all is
// over. Killed on one machine by repair_kill_sweep_test, cut from the network on hosts by hosts_partition_test.
#pragma once

#include <functional>
#include <ostream>
#include <span>
#include <string>
#include <vector>

#include "tests/integration/kill_world.h"

namespace holdfast::test {

enum class Ending { resume, undo };

void PrintTo(Ending ending, std::ostream* out);

struct Sweep {
  std::string verb = "repair";
  int victim = 1;
  std::vector<std::string> args;
  /// Breaks the cluster, unless it is broken in this way already.
  std::function<void()> break_it;
  /// It is mended: more than healthy and equal.
  std::function<void(const std::string& operation)> mended;
  /// It is as break_it left it.
  std::function<void(const std::string& operation)> as_before;
};

struct SweepKind {
  const char* name;
  cluster::Engine engine;
  const char *server, *cluster;
  /// On a cluster that is up; keeps a reference to it.
  Sweep (*make)(KillWorld& world);
};

void PrintTo(const SweepKind& kind, std::ostream* out);

/// All of them. Their names begin with the engine's.
std::span<const SweepKind> sweep_kinds();
/// One of them.
const SweepKind& sweep_kind(std::string_view name);

/// Ends an operation that was broken off. What can no longer be undone is resumed; `how` says what was done.
RunResult end_operation(KillWorld& world, const std::string& id, Ending ending, std::string& how);

}  // namespace holdfast::test

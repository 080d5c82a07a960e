// A toy cluster on disk for the operation engine: files are servers. World: <root>/world, state directory:
// <root>/state.
#pragma once

#include <functional>
#include <map>
#include <string>

#include "operation/executor.h"

namespace holdfast::test {

/// Called at each point where a process could die: before and after everything a handler does, after each record.
using Points = std::function<void(const std::string& where)>;

struct ToyFaults {
  std::string fail_step;  ///< its run() fails half-way
  std::string fail_undo;  ///< its undo() fails
  std::string blind;      ///< its how_far() cannot tell
};

/// fence, stop, copy, swap, remove the old data (point of no return), start, unfence.
operation::Plan toy_plan(const std::string& root);
operation::HandlerMap toy_handlers(const std::string& root, const Points& points = {}, const ToyFaults& faults = {});
codec::Value toy_world(const std::string& root);

/// A member m1 with old data. `stopped`, `fenced`: already so before anything begins.
void make_toy(const std::string& root, bool stopped = false, bool fenced = false);
/// All files of the world with their contents.
std::map<std::string, std::string> toy_files(const std::string& root);
/// What they are after a finished operation that began with `start`.
std::map<std::string, std::string> toy_goal(const std::map<std::string, std::string>& start);

operation::ExecutorOptions toy_options(const std::string& root, const Points& points = {},
                                       const ToyFaults& faults = {});

}  // namespace holdfast::test

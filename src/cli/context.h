// What a verb gets: its options and the doors to the world.
#pragma once

#include <stop_token>

#include "base/result.h"
#include "cli/environment.h"
#include "cli/options.h"
#include "cli/output.h"

namespace holdfast::cli {

/// How a verb ends: ok, or the error whose class gives the exit code. Data set on the output is rendered either way.
using Exit = Status;

struct Context {
  const Options& options;
  const Environment& env;
  Output& out;
  std::stop_token stop;  ///< requested by SIGINT and SIGTERM
};

}  // namespace holdfast::cli

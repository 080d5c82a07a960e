// One run of the program: parse, call the verb, render. main() and in-process tests call this.
#pragma once

#include <stop_token>
#include <string>
#include <vector>

#include "cli/environment.h"
#include "cli/output.h"

namespace holdfast::cli {

/// Returns the exit code. `args` without the program's name.
int run(const std::vector<std::string>& args, const Environment& env, const Streams& streams, std::stop_token stop);

/// Prints help on a command, a group or "exit-codes"; "" is the overview.
Status show_help(Output& out, std::string_view topic);

}  // namespace holdfast::cli

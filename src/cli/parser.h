// argv + environment -> Options, by the command table.
#pragma once

#include <string>
#include <vector>

#include "base/result.h"
#include "cli/environment.h"
#include "cli/options.h"

namespace holdfast::cli {

/// What a command line asks for.
struct Invocation {
  enum class Kind {
    run,         ///< a command with its options
    help,        ///< --help, or no command at all: help for `topic` ("" = overview)
    list_group,  ///< a group without a command ("get"): list what it has
  };
  Kind kind = Kind::run;
  std::string topic;
  Options options;  ///< for run
};

/// `args` without the program's name. Errors are of class usage, with the nearest known name as hint; the replaced
/// --force is of class refused ("cli.force_replaced").
Result<Invocation> parse(const std::vector<std::string>& args, const Environment& env);

/// Output format asked for, as far as it can be told without a full parse; usage errors are rendered in it too.
std::string output_format_hint(const std::vector<std::string>& args, const Environment& env);

/// The command words at the start of `args` ("get snapshots"), as far as they are known; for the envelope of a failure.
std::string command_words(const std::vector<std::string>& args);

/// "1/t/true/yes/on" and "0/f/false/no/off".
Result<bool> parse_boolean(const std::string& text, const std::string& origin);

}  // namespace holdfast::cli

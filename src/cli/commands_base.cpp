// Commands about the program itself.
#include "cli/command_table.h"

namespace holdfast::cli {

std::vector<Command> base_commands() {
  return {
      {.path = "version",
       .summary = "version and build of this program",
       .description = "Prints the version, the compiler and the libraries it is linked with."},
      {.path = "help",
       .summary = "help for a command",
       .description = "Without a command it lists them all; `holdfast help exit-codes` explains the exit codes.",
       .positionals = {{"COMMAND", "words of a command, such as: repo init", false}}},
      {.path = "completion",
       .summary = "shell completion script",
       .description = "Prints a completion script for the shell.",
       .positionals = {{"SHELL", "bash, zsh or fish", true}},
       .examples = {{"holdfast completion bash > /etc/bash_completion.d/holdfast", "for all users of bash"}}},
      {.path = "docs",
       .summary = "write the generated reference pages",
       .description = "Writes DIR/docs/reference/cli.md and DIR/man/holdfast*.1 from the command table.",
       .positionals = {{"DIR", "top of the source tree", true}},
       .hidden = true},
  };
}

}  // namespace holdfast::cli

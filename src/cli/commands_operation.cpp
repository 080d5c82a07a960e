// Commands that look at operations, and go on with them or take them back.
#include "cli/command_table.h"

namespace holdfast::cli {

std::vector<Command> operation_commands() {
  const Positional id{"ID", "id of an operation, its first digits, or latest", true};
  const Flag accept{.name = "accept",
                    .type = FlagType::list,
                    .help = "accept one named danger; the refusal says which name is asked for",
                    .value_name = "NAME"};
  return {
      {.path = "operations list",
       .summary = "list operations, oldest first",
       .description =
           "Lists what was started on this machine's clusters: running, unfinished, done, undone or failed. An "
           "unfinished one keeps every other change away from its cluster.",
       .flags = {{.name = "cluster",
                  .type = FlagType::text,
                  .help = "only of this cluster",
                  .shorthand = 'c',
                  .value_name = "NAME"},
                 {.name = "unfinished", .type = FlagType::boolean, .help = "only those that are not over"}},
       .examples = {{"holdfast operations list --unfinished", "what is in the way"}}},
      {.path = "operations show",
       .summary = "an operation's plan, how far it came, its journal",
       .description = "Shows the plan as it was accepted, the state of each step, and every record of the journal.",
       .positionals = {id},
       .examples = {{"holdfast operations show latest", "the one started last"}}},
      {.path = "operations resume",
       .summary = "resume an unfinished operation",
       .description = "Continues where the journal ends: asks how far the step in flight came, compares the cluster's "
                      "state with the "
                      "plan's, and does the rest. One that was being undone is undone to its end.",
       .flags = {accept},
       .groups = {&repository_flags()},
       .positionals = {id}},
      {.path = "operations undo",
       .summary = "undo an unfinished operation",
       .description = "Undoes the steps done so far, last first, and restores what was found before. Refused after the "
                      "point of no return.",
       .groups = {&repository_flags()},
       .positionals = {id}},
      {.path = "operations abandon",
       .summary = "close an unfinished or damaged operation without touching its cluster",
       .description = "For an operation that can neither be resumed nor undone, once you have put its cluster right "
                      "yourself. Needs --accept=abandon:ID.",
       .flags = {accept},
       .positionals = {id}},
  };
}

}  // namespace holdfast::cli

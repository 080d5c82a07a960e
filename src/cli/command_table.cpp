#include "cli/command_table.h"

#include <algorithm>

namespace holdfast::cli {

const std::vector<Command>& commands() {
  static const std::vector<Command> table = [] {
    std::vector<Command> all = base_commands();
    for (auto part : {repository_commands(), cluster_commands(), own_cluster_commands(), lab_commands(),
                      operation_commands(), pki_commands()}) {
      all.insert(all.end(), part.begin(), part.end());
    }
    std::sort(all.begin(), all.end(), [](const Command& a, const Command& b) { return a.path < b.path; });
    return all;
  }();
  return table;
}

const std::vector<CommandGroup>& command_groups() {
  static const std::vector<CommandGroup> groups = {
      {"get", "list resources"},
      {"cluster", "clusters of your own, and how they come to be known here"},
      {"repo", "work on a repository itself"},
      {"repo key", "keys (passwords) of a repository"},
      {"operations", "list, show, resume or undo operations"},
      {"pki", "certificates of agents and of those who call them"},
      {"lab", "real database clusters as local processes, for demo, tests and drills"},
  };
  return groups;
}

const Command* find_command(std::string_view path) {
  for (const auto& command : commands()) {
    if (command.path == path) return &command;
  }
  return nullptr;
}

const CommandGroup* find_group(std::string_view path) {
  for (const auto& group : command_groups()) {
    if (group.path == path) return &group;
  }
  return nullptr;
}

std::vector<Flag> flags_of(const Command& command) {
  std::vector<Flag> flags = command.flags;
  auto add = [&](const Flag& flag) {
    for (const auto& own : flags) {
      if (own.name == flag.name) return;
    }
    Flag copy = flag;
    for (const auto& own : command.flags) {
      if (own.shorthand && own.shorthand == copy.shorthand) copy.shorthand = 0;
      for (auto alias : own.aliases) std::erase(copy.aliases, alias);
    }
    flags.push_back(copy);
  };
  for (const auto* group : command.groups) {
    for (const auto& flag : group->flags) add(flag);
  }
  for (const auto& flag : global_flags().flags) add(flag);
  return flags;
}

const std::vector<ExitCodeRow>& exit_codes() {
  static const std::vector<ExitCodeRow> rows = [] {
    auto row = [](ErrorClass error_class, std::string_view meaning) {
      return ExitCodeRow{exit_code(error_class), error_class_name(error_class), meaning};
    };
    return std::vector<ExitCodeRow>{
        {0, "ok", "done"},
        row(ErrorClass::bug, "Holdfast itself is wrong; please report it"),
        row(ErrorClass::usage, "the command line or the configuration is wrong; nothing was tried"),
        row(ErrorClass::refused, "a guard said no; nothing changed"),
        row(ErrorClass::unhealthy, "the check worked and found something unhealthy"),
        row(ErrorClass::partial, "part of the work was done; the rest is listed"),
        row(ErrorClass::unavailable, "something could not be reached; a retry is safe"),
        row(ErrorClass::conflict, "another process holds it, or was there first"),
        row(ErrorClass::failed, "tried, failed, and left things as they were"),
        row(ErrorClass::needs_operator, "tried, failed, and needs you; what was done is listed"),
        row(ErrorClass::verification_failed, "a proof did not hold: data is damaged or differs"),
        row(ErrorClass::interrupted, "stopped by SIGINT or SIGTERM"),
    };
  }();
  return rows;
}

}  // namespace holdfast::cli

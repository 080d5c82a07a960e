// The command surface as data. From this one table come the parser, the help texts, shell completion,
// docs/reference/cli.md and the man pages; nothing about a flag is said anywhere else.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"

namespace holdfast::cli {

enum class FlagType {
  boolean,  ///< present or not; `--flag=false` and its environment variable accept 1/0, true/false, yes/no, on/off
  count,    ///< how often it was given (-v -v)
  text,     ///< the last one wins
  list,     ///< repeatable, in order
  integer,  ///< a whole number >= 0
  choice,   ///< one of `choices`
};

struct Flag {
  std::string_view name;  ///< without dashes
  FlagType type = FlagType::text;
  std::string_view help;
  char shorthand = 0;
  std::string_view value_name = {};  ///< shown in help: "DIR"; empty for boolean and count
  std::string_view default_value = {};
  std::vector<std::string_view> aliases = {};
  std::vector<std::string_view> env = {};      ///< first one that is set wins; an explicit flag always wins
  std::vector<std::string_view> choices = {};  ///< for FlagType::choice
  bool hidden = false;
  std::string_view alone = {};  ///< FlagType::choice: its value when the flag is given without one of `choices`
};

struct Positional {
  std::string_view name;
  std::string_view help;
  bool required = true;
};

struct Example {
  std::string_view command;
  std::string_view says;
};

/// A set of flags that several commands share, with the title it has in help.
struct FlagGroup {
  std::string_view title;
  std::vector<Flag> flags;
};

struct Command {
  std::string_view path;     ///< "get snapshots"
  std::string_view summary;  ///< one line, no full stop
  std::string_view description;
  std::vector<Flag> flags = {};               ///< its own
  std::vector<const FlagGroup*> groups = {};  ///< shared ones
  std::vector<Positional> positionals = {};
  std::vector<Example> examples = {};
  bool takes_command = false;  ///< accepts `-- program arguments...`
  bool raw_stdout = false;     ///< stdout carries the payload itself; envelope and human text go to stderr
  bool hidden = false;
};

/// A word that only groups commands ("get", "repo", "repo key").
struct CommandGroup {
  std::string_view path;
  std::string_view summary;
};

const std::vector<Command>& commands();
const std::vector<CommandGroup>& command_groups();
const Command* find_command(std::string_view path);
const CommandGroup* find_group(std::string_view path);

/// Flags every command takes.
const FlagGroup& global_flags();
const FlagGroup& repository_flags();
const FlagGroup& source_repository_flags();
const FlagGroup& cluster_flags();
const FlagGroup& snapshot_filter_flags();
const FlagGroup& retention_flags();

/// All flags of a command, its own first; a global shorthand that the command uses itself is dropped.
std::vector<Flag> flags_of(const Command& command);

struct ExitCodeRow {
  int code;
  std::string_view name;
  std::string_view meaning;
};
const std::vector<ExitCodeRow>& exit_codes();

// The parts the table is put together from, one file each.
std::vector<Command> base_commands();
std::vector<Command> repository_commands();
std::vector<Command> cluster_commands();
std::vector<Command> own_cluster_commands();
std::vector<Command> lab_commands();
std::vector<Command> operation_commands();
std::vector<Command> pki_commands();

}  // namespace holdfast::cli

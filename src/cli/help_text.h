// Texts generated from the command table: help on the terminal, the reference page, man pages.
#pragma once

#include <string>
#include <string_view>

#include "cli/command_table.h"

namespace holdfast::cli {

/// "holdfast backup [flags] [-- program arguments...]"
std::string synopsis(const Command& command);
/// "-r, --backups-path, --repo LOCATION"
std::string flag_names(const Flag& flag);
/// Help text, default, choices and environment of a flag in one paragraph.
std::string flag_help(const Flag& flag);

std::string overview_text();
std::string group_text(const CommandGroup& group);
std::string command_text(const Command& command);
std::string exit_codes_text();

/// Flags of a command that are shown, with the title of the group they stand under ("Flags" for its own).
struct TitledFlags {
  std::string title;
  std::vector<Flag> flags;
};
std::vector<TitledFlags> titled_flags(const Command& command);

/// Commands people are shown: not hidden, and present in this build.
std::vector<const Command*> shown_commands();

std::string reference_markdown();
/// One man page: of a command, or of the program for nullptr.
std::string man_page(const Command* command);

}  // namespace holdfast::cli

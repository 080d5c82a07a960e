#include "cli/help_text.h"

#include <fmt/format.h>

#include <algorithm>

#include "cli/verbs.h"

namespace holdfast::cli {
namespace {

// Wraps `text` at 100 columns after `indent`; line breaks in the text stay.
std::string wrap(std::string_view text, size_t indent) {
  std::string out;
  size_t column = indent;
  for (size_t i = 0; i < text.size();) {
    if (text[i] == '\n') {
      out += "\n" + std::string(indent, ' ');
      column = indent;
      ++i;
      continue;
    }
    size_t end = text.find_first_of(" \n", i);
    if (end == std::string_view::npos) end = text.size();
    if (column > indent && column + 1 + (end - i) > 100) {
      out += "\n" + std::string(indent, ' ');
      column = indent;
    } else if (column > indent) {
      out += ' ';
      ++column;
    }
    out += text.substr(i, end - i);
    column += end - i;
    i = end < text.size() && text[end] == ' ' ? end + 1 : end;
  }
  return out;
}

std::string entry(std::string_view left, std::string_view text, size_t indent) {
  std::string out = "  " + std::string(left);
  if (out.size() + 2 > indent) {
    out += "\n" + std::string(indent, ' ');
  } else {
    out.resize(indent, ' ');
  }
  return out + wrap(text, indent) + "\n";
}

}  // namespace

std::vector<const Command*> shown_commands() {
  std::vector<const Command*> shown;
  for (const auto& command : commands()) {
    if (!command.hidden && has_verb(command.path)) shown.push_back(&command);
  }
  return shown;
}

std::string synopsis(const Command& command) {
  std::string text = "holdfast " + std::string(command.path) + " [flags]";
  for (const auto& positional : command.positionals) {
    text += positional.required ? fmt::format(" {}", positional.name) : fmt::format(" [{}]", positional.name);
  }
  if (command.takes_command) text += " [-- program arguments...]";
  return text;
}

std::string flag_names(const Flag& flag) {
  std::string names = flag.shorthand ? fmt::format("-{}, ", flag.shorthand) : "";
  names += "--" + std::string(flag.name);
  for (auto alias : flag.aliases) names += ", --" + std::string(alias);
  if (!flag.value_name.empty()) names += " " + std::string(flag.value_name);
  return names;
}

std::string flag_help(const Flag& flag) {
  std::string text(flag.help);
  if (!flag.choices.empty()) text += fmt::format(": {}", fmt::join(flag.choices, ", "));
  if (flag.type == FlagType::list) text += " (repeatable)";
  if (!flag.default_value.empty()) text += fmt::format(" (default {})", flag.default_value);
  if (!flag.env.empty()) text += fmt::format(" [${}]", fmt::join(flag.env, ", $"));
  return text;
}

std::vector<TitledFlags> titled_flags(const Command& command) {
  std::vector<TitledFlags> groups;
  std::vector<Flag> left = flags_of(command);
  auto take = [&](std::string title, const std::vector<Flag>& wanted) {
    TitledFlags group{std::move(title), {}};
    for (const auto& flag : wanted) {
      auto found = std::ranges::find_if(left, [&](const Flag& other) { return other.name == flag.name; });
      if (found == left.end()) continue;
      if (!found->hidden) group.flags.push_back(*found);
      left.erase(found);
    }
    if (!group.flags.empty()) groups.push_back(std::move(group));
  };
  take("Flags", command.flags);
  for (const auto* group : command.groups) take(std::string(group->title), group->flags);
  take(std::string(global_flags().title), global_flags().flags);
  return groups;
}

std::string overview_text() {
  std::string text =
      "Holdfast backs up, restores and looks after MariaDB, MySQL, Galera and PostgreSQL clusters.\n\n"
      "Usage: holdfast COMMAND [flags]\n\nCommands:\n";
  for (const auto* command : shown_commands()) text += entry(command->path, command->summary, 22);
  text += "\n`holdfast help COMMAND` explains a command and its flags, `holdfast help exit-codes` the exit codes.\n";
  return text;
}

std::string group_text(const CommandGroup& group) {
  std::string text = fmt::format("holdfast {}: {}\n\n", group.path, group.summary);
  for (const auto* command : shown_commands()) {
    if (command->path.starts_with(std::string(group.path) + " ")) text += entry(command->path, command->summary, 22);
  }
  return text;
}

std::string command_text(const Command& command) {
  std::string text = fmt::format("{}\n\nUsage: {}\n", wrap(command.description, 0), synopsis(command));
  if (!command.positionals.empty()) {
    text += "\nArguments:\n";
    for (const auto& positional : command.positionals) text += entry(positional.name, positional.help, 34);
  }
  for (const auto& group : titled_flags(command)) {
    text += fmt::format("\n{}:\n", group.title);
    for (const auto& flag : group.flags) {
      text += entry((flag.shorthand ? "" : "    ") + flag_names(flag), flag_help(flag), 34);
    }
  }
  if (!command.examples.empty()) {
    text += "\nExamples:\n";
    for (const auto& example : command.examples) text += fmt::format("  # {}\n  {}\n", example.says, example.command);
  }
  return text;
}

std::string exit_codes_text() {
  std::string text = "Exit codes:\n";
  for (const auto& row : exit_codes()) {
    text += entry(fmt::format("{:>3}  {}", row.code, row.name), row.meaning, 28);
  }
  return text;
}

}  // namespace holdfast::cli

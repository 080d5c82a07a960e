// The reference page and the man pages, from the command table.
#include <fmt/format.h>

#include <algorithm>

#include "cli/help_text.h"

namespace holdfast::cli {
namespace {

std::string replace_all(std::string text, std::string_view from, std::string_view to) {
  for (size_t at = 0; (at = text.find(from, at)) != std::string::npos; at += to.size())
    text.replace(at, from.size(), to);
  return text;
}

std::string cell(std::string_view text) {
  return replace_all(std::string(text), "|", "\\|");
}

std::string roff(std::string_view text) {
  std::string out = replace_all(std::string(text), "\\", "\\e");
  out = replace_all(std::move(out), "-", "\\-");
  out = replace_all(std::move(out), "\n.", "\n\\&.");
  out = replace_all(std::move(out), "\n'", "\n\\&'");
  if (out.starts_with('.') || out.starts_with('\'')) out.insert(0, "\\&");
  return out;
}

void append_flags(std::string& page, const std::vector<TitledFlags>& groups) {
  for (const auto& group : groups) {
    page += fmt::format("\n| {} | |\n|---|---|\n", group.title);
    for (const auto& flag : group.flags)
      page += fmt::format("| `{}` | {} |\n", cell(flag_names(flag)), cell(flag_help(flag)));
  }
}

std::string anchor(std::string_view path) {
  return "holdfast-" + replace_all(std::string(path), " ", "-");
}

}  // namespace

std::string reference_markdown() {
  std::string page =
      "# Command reference\n\n"
      "Generated from the command table by `holdfast docs`; do not edit. An explicit flag wins over its environment\n"
      "variable (in brackets), of several variables the first that is set counts.\n\n| command | does |\n|---|---|\n";
  for (const auto* command : shown_commands()) {
    page += fmt::format("| [`{0}`](#{1}) | {2} |\n", command->path, anchor(command->path), cell(command->summary));
  }
  page += "\n## Global flags\n";
  TitledFlags global{"every command", {}};
  for (const auto& flag : global_flags().flags) {
    if (!flag.hidden) global.flags.push_back(flag);
  }
  append_flags(page, {global});
  page +=
      "\n## Output\n\n"
      "Standard output carries results only; errors (`holdfast: ...` and a `HINT: ...` naming the next command),\n"
      "warnings and progress go to standard error. `--output json` and `yaml` print one envelope, also for every "
      "failure:\n"
      "`schemaVersion`, `command`, `operation`, `result`, `exitCode`, `warnings[]` {id, message},\n"
      "`errors[]` {id, class, message, hint, context}, `data`. `jsonl` prints typed events as they happen and the "
      "envelope\n"
      "as its last line, of type `result`. A command whose standard output is the payload (`dump`) prints all that to\n"
      "standard error.\n"
      "\n## Exit codes\n\n| code | result | means |\n|---|---|---|\n";
  for (const auto& row : exit_codes()) page += fmt::format("| {} | {} | {} |\n", row.code, row.name, row.meaning);
  for (const auto* command : shown_commands()) {
    page += fmt::format("\n## holdfast {}\n\n{}\n\n```\n{}\n```\n", command->path, command->description,
                        synopsis(*command));
    if (!command->positionals.empty()) {
      page += "\n| Arguments | |\n|---|---|\n";
      for (const auto& positional : command->positionals)
        page += fmt::format("| `{}` | {} |\n", positional.name, cell(positional.help));
    }
    auto groups = titled_flags(*command);
    std::erase_if(groups, [](const TitledFlags& group) { return group.title == global_flags().title; });
    append_flags(page, groups);
    if (!command->examples.empty()) {
      page += "\n```\n";
      for (const auto& example : command->examples) page += fmt::format("# {}\n{}\n", example.says, example.command);
      page += "```\n";
    }
  }
  return page;
}

std::string man_page(const Command* command) {
  std::string name = command ? anchor(command->path) : "holdfast";
  std::string title = replace_all(name, "-", "\\-");
  std::string upper = title;
  std::ranges::transform(upper, upper.begin(), [](unsigned char c) { return std::toupper(c); });
  std::string page = fmt::format(".TH {} 1\n.SH NAME\n{} \\- {}\n", upper, title,
                                 roff(command ? command->summary : "backups, restores and care of database clusters"));
  page += fmt::format(".SH SYNOPSIS\n.B {}\n", roff(command ? synopsis(*command) : "holdfast COMMAND [flags]"));
  auto flags = [&](const std::string& heading, const std::vector<Flag>& list) {
    page += fmt::format(".SH {}\n", roff(heading));
    for (const auto& flag : list)
      page += fmt::format(".TP\n.B {}\n{}\n", roff(flag_names(flag)), roff(flag_help(flag)));
  };
  auto heading = [](std::string text) {
    std::ranges::transform(text, text.begin(), [](unsigned char c) { return std::toupper(c); });
    return text;
  };
  if (command) {
    page += fmt::format(".SH DESCRIPTION\n{}\n", roff(command->description));
    if (!command->positionals.empty()) page += ".SH ARGUMENTS\n";
    for (const auto& positional : command->positionals) {
      page += fmt::format(".TP\n.I {}\n{}\n", roff(positional.name), roff(positional.help));
    }
    for (const auto& group : titled_flags(*command)) flags(heading(group.title), group.flags);
    if (!command->examples.empty()) page += ".SH EXAMPLES\n";
    for (const auto& example : command->examples) {
      page += fmt::format(".TP\n{}\n.nf\n{}\n.fi\n", roff(example.says), roff(example.command));
    }
  } else {
    page += ".SH COMMANDS\n";
    for (const auto* shown : shown_commands()) {
      page += fmt::format(".TP\n.B {}\n{}\n", roff(shown->path), roff(shown->summary));
    }
    TitledFlags global{"", {}};
    for (const auto& flag : global_flags().flags) {
      if (!flag.hidden) global.flags.push_back(flag);
    }
    flags("GLOBAL FLAGS", global.flags);
    page += ".SH EXIT STATUS\n";
    for (const auto& row : exit_codes())
      page += fmt::format(".TP\n{} ({})\n{}\n", row.code, roff(row.name), roff(row.meaning));
  }
  return page;
}

}  // namespace holdfast::cli

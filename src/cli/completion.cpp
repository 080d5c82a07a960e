// holdfast completion: scripts for bash, zsh and fish, from the command table.
#include <fmt/format.h>

#include <map>
#include <set>

#include "cli/help_text.h"
#include "cli/verbs.h"

namespace holdfast::cli {
namespace {

// "get" -> {snapshots, backups}, "" -> {backup, get, ...}
std::map<std::string, std::set<std::string>> words_by_prefix() {
  std::map<std::string, std::set<std::string>> words;
  for (const auto* command : shown_commands()) {
    std::string prefix;
    std::string rest(command->path);
    while (!rest.empty()) {
      const auto space = rest.find(' ');
      std::string word = rest.substr(0, space);
      words[prefix].insert(word);
      prefix += (prefix.empty() ? "" : " ") + word;
      rest = space == std::string::npos ? "" : rest.substr(space + 1);
    }
  }
  return words;
}

std::string bash() {
  std::string script = R"(# bash completion for holdfast
_holdfast() {
  local current="${COMP_WORDS[COMP_CWORD]}" previous="${COMP_WORDS[COMP_CWORD-1]}" path="" word next i
  for ((i = 1; i < COMP_CWORD; i++)); do
    word="${COMP_WORDS[i]}"
    [[ $word == -* ]] && continue
    next="${path:+$path }$word"
    case "$next" in
)";
  std::string known;
  for (const auto& [prefix, words] : words_by_prefix()) {
    for (const auto& word : words)
      known += fmt::format("{}\"{}\"", known.empty() ? "" : "|", prefix.empty() ? word : prefix + " " + word);
  }
  script += fmt::format(
      "      {}) path=\"$next\" ;;\n    esac\n  done\n  local words=\"\" choices=\"\"\n  case \"$path\" in\n", known);
  for (const auto& [prefix, words] : words_by_prefix())
    script += fmt::format("    \"{}\") words=\"{}\" ;;\n", prefix, fmt::join(words, " "));
  for (const auto* command : shown_commands()) {
    std::string names, choices;
    for (const auto& flag : flags_of(*command)) {
      if (flag.hidden) continue;
      names += fmt::format("--{} ", flag.name);
      if (flag.choices.empty()) continue;
      std::string pattern = fmt::format("--{}", flag.name);
      if (flag.shorthand) pattern += fmt::format("|-{}", flag.shorthand);
      choices += fmt::format("        {}) choices=\"{}\" ;;\n", pattern, fmt::join(flag.choices, " "));
    }
    script += fmt::format("    \"{}\")\n      words=\"{}\"\n      case \"$previous\" in\n{}      esac ;;\n",
                          command->path, names, choices);
  }
  script += R"(  esac
  if [[ -n $choices ]]; then
    COMPREPLY=($(compgen -W "$choices" -- "$current"))
  elif [[ $current == -* || -z $path || $words != *--* ]]; then
    COMPREPLY=($(compgen -W "$words" -- "$current"))
  else
    COMPREPLY=($(compgen -f -- "$current"))
  fi
}
complete -o filenames -F _holdfast holdfast
)";
  return script;
}

std::string zsh() {
  return "#compdef holdfast\n# zsh completion for holdfast, through its bash form\nautoload -U +X bashcompinit && "
         "bashcompinit\n" +
         bash();
}

std::string fish_quote(std::string_view text) {
  std::string out = "'";
  for (char c : text) {
    if (c == '\'' || c == '\\') out += '\\';
    out += c;
  }
  return out + "'";
}

std::string fish() {
  std::string script =
      "# fish completion for holdfast\n"
      "function __holdfast_path\n"
      "    set -l words\n"
      "    for word in (commandline -opc)[2..-1]\n"
      "        string match -q -- '-*' $word; or set -a words $word\n"
      "    end\n"
      "    string join ' ' -- $words\n"
      "end\n"
      "complete -c holdfast -f\n";
  for (const auto& [prefix, words] : words_by_prefix()) {
    for (const auto& word : words) {
      const auto* command = find_command(prefix.empty() ? word : prefix + " " + word);
      const auto* group = find_group(prefix.empty() ? word : prefix + " " + word);
      script += fmt::format("complete -c holdfast -n 'test (__holdfast_path) = \"{}\"' -a {} -d {}\n", prefix, word,
                            fish_quote(command ? command->summary
                                       : group ? group->summary
                                               : ""));
    }
  }
  for (const auto* command : shown_commands()) {
    for (const auto& flag : flags_of(*command)) {
      if (flag.hidden) continue;
      script += fmt::format("complete -c holdfast -n 'string match -q -- \"{}*\" (__holdfast_path)' -l {}",
                            command->path, flag.name);
      if (flag.shorthand) script += fmt::format(" -s {}", flag.shorthand);
      if (!flag.value_name.empty()) script += " -r";
      if (!flag.choices.empty()) {
        script += fmt::format(" -a {}", fish_quote(fmt::format("{}", fmt::join(flag.choices, " "))));
      } else if (flag.value_name == "FILE" || flag.value_name == "DIR" || flag.value_name == "LOCATION") {
        script += " -F";
      }
      script += fmt::format(" -d {}\n", fish_quote(flag.help));
    }
  }
  return script;
}

}  // namespace

Exit run_completion(Context& context) {
  const auto& shell = context.options.positionals().at(0);
  std::string script;
  if (shell == "bash") {
    script = bash();
  } else if (shell == "zsh") {
    script = zsh();
  } else if (shell == "fish") {
    script = fish();
  } else {
    return fail(ErrorClass::usage, "cli.value", fmt::format("completion: no script for '{}'", shell),
                "one of bash, zsh, fish");
  }
  context.out.set_data(codec::Value::object({{"shell", shell}, {"script", script}}));
  script.pop_back();
  context.out.line(script);
  return {};
}

}  // namespace holdfast::cli

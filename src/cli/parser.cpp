#include "cli/parser.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>

#include "cli/suggest.h"
#include "cli/verbs.h"

namespace holdfast::cli {
namespace {

std::unexpected<Error> usage(std::string id, std::string message, std::string hint = {}) {
  return fail(ErrorClass::usage, std::move(id), std::move(message), std::move(hint));
}

bool is_choice(const Flag& flag, std::string_view value) {
  return std::ranges::count(flag.choices, value) > 0;
}

// Every flag of every command: finding the command words needs to know which flags before them take a value.
bool takes_value(std::string_view token, std::string_view next) {
  bool takes = false;
  for (const auto& command : commands()) {
    for (const auto& flag : flags_of(command)) {
      bool named = false;
      if (token.starts_with("--")) {
        auto name = token.substr(2);
        named = flag.name == name || std::ranges::count(flag.aliases, name) > 0;
      } else {
        named = token.size() == 2 && flag.shorthand == token[1];
      }
      if (named && !flag.alone.empty()) return is_choice(flag, next);
      takes = takes || (named && flag.type != FlagType::boolean && flag.type != FlagType::count);
    }
  }
  return takes;
}

// Positions in `args` of the command words, and the path they spell.
struct Words {
  std::string path;
  std::vector<size_t> at;
  std::string unknown;  ///< the first word that is no command
};

Words find_words(const std::vector<std::string>& args) {
  Words words;
  for (size_t i = 0; i < args.size(); ++i) {
    const auto& token = args[i];
    if (token == "--") break;
    if (token.size() > 1 && token[0] == '-') {
      if (token.find('=') == std::string::npos && takes_value(token, i + 1 < args.size() ? args[i + 1] : "")) ++i;
      continue;
    }
    std::string longer = words.path.empty() ? token : words.path + " " + token;
    if (!find_command(longer) && !find_group(longer)) {
      words.unknown = token;
      break;
    }
    words.path = longer;
    words.at.push_back(i);
    // `agent` is a command, and `agent adopt` another one.
    const std::string next = i + 1 < args.size() ? longer + " " + args[i + 1] : "";
    if (find_command(longer) && !find_command(next)) break;
  }
  return words;
}

std::vector<std::string> words_after(std::string_view group) {
  std::vector<std::string> names;
  const std::string prefix = group.empty() ? "" : std::string(group) + " ";
  for (const auto& command : commands()) {
    if (command.hidden || !has_verb(command.path) || !command.path.starts_with(prefix)) continue;
    std::string rest(command.path.substr(prefix.size()));
    names.push_back(rest.substr(0, rest.find(' ')));
  }
  return names;
}

std::unexpected<Error> unknown_command(const Words& words) {
  const std::string what = words.path.empty() ? words.unknown : words.path + " " + words.unknown;
  auto near = nearest(words.unknown, words_after(words.path));
  std::string hint = "holdfast help lists the commands";
  if (!near.empty()) {
    hint = "did you mean: holdfast " + (words.path.empty() ? near : words.path + " " + near);
  } else if (!words.path.empty()) {
    hint = "holdfast help " + words.path;
  }
  return usage("cli.unknown_command", fmt::format("unknown command: {}", what), hint);
}

std::unexpected<Error> unknown_flag(const std::string& token, const Command& command) {
  std::string name = token.substr(0, token.find('='));
  std::vector<std::string> names;
  for (const auto& flag : flags_of(command)) {
    if (flag.hidden) continue;
    names.push_back("--" + std::string(flag.name));
    for (auto alias : flag.aliases) names.push_back("--" + std::string(alias));
  }
  auto near = name.starts_with("--") ? nearest(name, names) : "";
  std::string hint = near.empty() ? fmt::format("holdfast help {}", command.path) : "did you mean: " + near;
  return usage("cli.unknown_flag", fmt::format("{}: unknown flag {}", command.path, name), hint);
}

std::unexpected<Error> replaced_force(const std::string& path, const std::string& origin) {
  std::string hint = path == "restore" ? "say what you accept: holdfast restore --accept=replace-data"
                                       : "dangerous choices are accepted one by one by name: --accept=NAME, where the "
                                         "command's refusal gives the NAME";
  return fail(ErrorClass::refused, "cli.force_replaced", fmt::format("{} is not a thing here", origin), hint);
}

bool is_count_or_boolean(FlagType type) {
  return type == FlagType::boolean || type == FlagType::count;
}

Status check_value(const Flag& flag, const std::string& origin, const std::string& value) {
  if (flag.type == FlagType::integer) {
    if (value.empty() || value.size() > 18 ||
        !std::ranges::all_of(value, [](unsigned char c) { return std::isdigit(c); })) {
      return usage("cli.value", fmt::format("{} needs a whole number, not '{}'", origin, value));
    }
  }
  if (flag.type == FlagType::choice && !is_choice(flag, value)) {
    std::vector<std::string> choices(flag.choices.begin(), flag.choices.end());
    auto near = nearest(value, choices);
    return usage("cli.value", fmt::format("{} must be one of {}, not '{}'", origin, fmt::join(choices, ", "), value),
                 near.empty() ? "" : "did you mean: " + near);
  }
  return {};
}

}  // namespace

Result<bool> parse_boolean(const std::string& text, const std::string& origin) {
  std::string low = text;
  std::ranges::transform(low, low.begin(), [](unsigned char c) { return std::tolower(c); });
  for (const char* yes : {"1", "t", "true", "y", "yes", "on"}) {
    if (low == yes) return true;
  }
  for (const char* no : {"0", "f", "false", "n", "no", "off"}) {
    if (low == no) return false;
  }
  return usage("cli.value", fmt::format("{} needs true or false, not '{}'", origin, text));
}

class Parser {
 public:
  Parser(const Command& command, const Environment& env) : command_(command), flags_(flags_of(command)), env_(env) {}

  Result<Options> parse(std::vector<std::string> args, std::vector<std::string> program) {
    options_.command_ = &command_;
    options_.program_ = std::move(program);
    TRY_VOID(read_command_line(std::move(args)));
    for (const auto& flag : flags_) TRY_VOID(complete(flag));
    return std::move(options_);
  }

 private:
  Status read_command_line(std::vector<std::string> args) {
    CLI::App app;
    app.set_help_flag();
    app.allow_extras();
    std::vector<CLI::Option*> bound(flags_.size());
    for (size_t i = 0; i < flags_.size(); ++i) {
      const auto& flag = flags_[i];
      std::string names = "--" + std::string(flag.name);
      for (auto alias : flag.aliases) names += ",--" + std::string(alias);
      if (flag.shorthand) names += std::string(",-") + flag.shorthand;
      if (is_count_or_boolean(flag.type)) {
        bound[i] = app.add_flag(names);
        bound[i]->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
      } else {
        bound[i] = app.add_option(names);
        bound[i]->type_size(1)->expected(1)->allow_extra_args(false);
        bound[i]->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
      }
    }
    for (size_t i = 0; i < args.size(); ++i) complete_alone(args[i], i + 1 < args.size() ? args[i + 1] : "");
    std::ranges::reverse(args);  // CLI11 takes them from the back
    try {
      app.parse(args);
    } catch (const CLI::ArgumentMismatch& error) {
      // "--include: 1 required TEXT missing"
      const std::string said = error.what();
      if (said.ends_with("missing"))
        return usage("cli.flag_value",
                     fmt::format("{}: {} needs a value", command_.path, said.substr(0, said.find(':'))),
                     fmt::format("holdfast help {}", command_.path));
      return usage("cli.flag_value", fmt::format("{}: {}", command_.path, said));
    } catch (const CLI::ParseError& error) {
      return usage("cli.parse", fmt::format("{}: {}", command_.path, error.what()));
    }
    for (const auto& extra : app.remaining()) {
      if (extra.size() > 1 && extra[0] == '-') return unknown_flag(extra, command_);
      options_.positionals_.push_back(extra);
    }
    for (size_t i = 0; i < flags_.size(); ++i) {
      auto& entry = options_.entries_[std::string(flags_[i].name)];
      entry.type = flags_[i].type;
      if (bound[i]->count() == 0) continue;
      entry.source = OptionSource::command_line;
      entry.origin = "--" + std::string(flags_[i].name);
      entry.values = bound[i]->results();
      if (flags_[i].type == FlagType::count) entry.values = {std::to_string(bound[i]->count())};
      if (flags_[i].type == FlagType::boolean) {
        entry.values = {
            TRY(parse_boolean(entry.values.empty() ? "true" : entry.values.back(), entry.origin)) ? "true" : "false"};
      }
    }
    return {};
  }

  // "--verify" becomes "--verify=files" where none of its choices follows.
  void complete_alone(std::string& token, std::string_view next) const {
    for (const auto& flag : flags_)
      if (!flag.alone.empty() && token == "--" + std::string(flag.name) && !is_choice(flag, next))
        token += "=" + std::string(flag.alone);
  }

  // Environment, then default, then the checks of the value.
  Status complete(const Flag& flag) {
    auto& entry = options_.entries_[std::string(flag.name)];
    if (entry.source == OptionSource::unset) {
      for (auto name : flag.env) {
        auto value = env_.get(name);
        if (!value) continue;
        entry.source = OptionSource::environment;
        entry.origin = "$" + std::string(name);
        entry.values = {*value};
        if (flag.type == FlagType::boolean) {
          entry.values = {TRY(parse_boolean(*value, entry.origin)) ? "true" : "false"};
        }
        if (flag.type == FlagType::count &&
            !std::ranges::all_of(*value, [](unsigned char c) { return std::isdigit(c); })) {
          entry.values = {TRY(parse_boolean(*value, entry.origin)) ? "1" : "0"};
        }
        break;
      }
    }
    if (entry.source == OptionSource::unset && !flag.default_value.empty()) {
      entry.source = OptionSource::fallback;
      entry.values = {std::string(flag.default_value)};
    }
    for (const auto& value : entry.values) TRY_VOID(check_value(flag, entry.origin, value));
    return {};
  }

  const Command& command_;
  std::vector<Flag> flags_;
  const Environment& env_;
  Options options_;
};

Result<Invocation> parse(const std::vector<std::string>& all, const Environment& env) {
  const auto separator = std::ranges::find(all, "--");
  std::vector<std::string> args(all.begin(), separator);
  std::vector<std::string> program(separator == all.end() ? separator : separator + 1, all.end());

  const Words words = find_words(args);
  const bool wants_help = std::ranges::count(args, "--help") + std::ranges::count(args, "-h") > 0;
  if (words.path.empty() && std::ranges::count(args, "--version") > 0) {
    std::ranges::replace(args, "--version", "version");
    return parse(args, env);
  }
  if (!words.unknown.empty() && !find_command(words.path)) return unknown_command(words);
  const Command* command = find_command(words.path);
  if (command && !has_verb(command->path)) {
    Words missing = words;
    missing.unknown = command->path.substr(command->path.rfind(' ') + 1);
    missing.path =
        command->path.find(' ') == std::string_view::npos ? "" : command->path.substr(0, command->path.rfind(' '));
    return unknown_command(missing);
  }
  Invocation invocation;
  if (wants_help || words.path.empty()) {
    for (size_t i = 0; words.path.empty() && i < args.size(); ++i) {
      if (args[i].size() > 1 && args[i][0] == '-' && !wants_help) {
        return usage("cli.no_command", fmt::format("no command beside {}", args[i]),
                     "holdfast help lists the commands");
      }
    }
    invocation.kind = Invocation::Kind::help;
    invocation.topic = words.path;
    return invocation;
  }
  if (!command) {
    invocation.kind = Invocation::Kind::list_group;
    invocation.topic = words.path;
    return invocation;
  }
  for (size_t i = words.at.size(); i-- > 0;) args.erase(args.begin() + static_cast<ptrdiff_t>(words.at[i]));

  if (!command->takes_command) {
    // Plain "--" only ends the flags here; what follows are positionals.
    Parser parser(*command, env);
    invocation.options = TRY(parser.parse(std::move(args), {}));
  } else {
    Parser parser(*command, env);
    if (separator != all.end() && program.empty()) {
      return usage("cli.no_program", fmt::format("{}: no program after --", command->path));
    }
    invocation.options = TRY(parser.parse(std::move(args), std::move(program)));
    program.clear();
  }
  if (invocation.options.flag("force")) {
    return replaced_force(std::string(command->path), invocation.options.origin("force"));
  }
  std::vector<std::string> positionals = invocation.options.positionals();
  positionals.insert(positionals.end(), program.begin(), program.end());
  size_t required = 0;
  for (const auto& positional : command->positionals) required += positional.required;
  if (positionals.size() < required) {
    return usage("cli.missing_argument",
                 fmt::format("{}: {} is missing", command->path, command->positionals[positionals.size()].name),
                 fmt::format("holdfast help {}", command->path));
  }
  const bool open_ended =
      !command->positionals.empty() && (command->positionals.back().name.ends_with("...") || command->path == "help");
  if (!open_ended && positionals.size() > command->positionals.size()) {
    return usage("cli.extra_argument",
                 fmt::format("{}: what is '{}'?", command->path, positionals[command->positionals.size()]),
                 command->path == "backup" ? "directories are given with --tree DIR"
                                           : fmt::format("holdfast help {}", command->path));
  }
  invocation.options.set_positionals(std::move(positionals));
  return invocation;
}

std::string output_format_hint(const std::vector<std::string>& args, const Environment& env) {
  const bool export_verb = command_words(args) == "export";
  std::string format = env.get("HOLDFAST_OUTPUT").value_or("human");
  for (size_t i = 0; i < args.size() && args[i] != "--"; ++i) {
    if (args[i] == "--json") format = "json";
    if (args[i].starts_with("--output=")) format = args[i].substr(9);
    if (args[i] == "--output" && i + 1 < args.size()) format = args[i + 1];
    if (export_verb) continue;
    if (args[i] == "-o" && i + 1 < args.size()) format = args[i + 1];
    if (args[i].starts_with("-o") && args[i].size() > 2) format = args[i].substr(args[i][2] == '=' ? 3 : 2);
  }
  return format;
}

std::string command_words(const std::vector<std::string>& args) {
  return find_words(args).path;
}

}  // namespace holdfast::cli

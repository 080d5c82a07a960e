// Options: a parsed command line, typed by the command table. Asking for a flag the command does not have is a bug and
// ends the program with exit code 1.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "cli/command_table.h"

namespace holdfast::cli {

enum class OptionSource { unset, fallback, environment, command_line };

class Options {
 public:
  struct Entry {
    FlagType type = FlagType::text;
    OptionSource source = OptionSource::unset;
    std::vector<std::string> values;
    std::string origin;  ///< for messages: "--repo" or "$RESTIC_REPOSITORY"
  };

  bool flag(std::string_view name) const;
  int count(std::string_view name) const;
  /// "" when not given and without default.
  std::string text(std::string_view name) const;
  std::optional<std::string> maybe(std::string_view name) const;
  std::vector<std::string> list(std::string_view name) const;
  std::optional<int64_t> integer(std::string_view name) const;

  /// True when it came from the command line or the environment.
  bool given(std::string_view name) const;
  OptionSource source(std::string_view name) const { return entry(name).source; }
  const std::string& origin(std::string_view name) const { return entry(name).origin; }
  /// Whether this command has such a flag at all.
  bool has(std::string_view name) const { return entries_.contains(std::string(name)); }

  const std::vector<std::string>& positionals() const { return positionals_; }
  /// What followed "--", for commands that run a program.
  const std::vector<std::string>& program() const { return program_; }
  const Command& command() const { return *command_; }
  void set_positionals(std::vector<std::string> values) { positionals_ = std::move(values); }

 private:
  friend class Parser;
  const Entry& entry(std::string_view name) const;

  const Command* command_ = nullptr;
  std::map<std::string, Entry, std::less<>> entries_;
  std::vector<std::string> positionals_;
  std::vector<std::string> program_;
};

}  // namespace holdfast::cli

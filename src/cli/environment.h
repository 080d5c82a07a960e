// The process environment as a value, so that tests can hand in their own.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "base/secret.h"

namespace holdfast::cli {

class Environment {
 public:
  /// The real environment of this process. Takes the repository's passwords out of it, so that neither programs that
  /// are started nor /proc show them. Once, before any thread runs.
  static Environment process();
  explicit Environment(std::map<std::string, std::string, std::less<>> values) : values_(std::move(values)) {}

  /// Value of a variable; nullopt when unset or empty (an empty variable means "not given", as in restic).
  std::optional<std::string> get(std::string_view name) const;

 private:
  Environment() = default;
  std::optional<std::map<std::string, std::string, std::less<>>> values_;
  std::map<std::string, Secret, std::less<>> taken_;
};

}  // namespace holdfast::cli

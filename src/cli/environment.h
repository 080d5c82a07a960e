// The process environment as a value, so that tests can hand in their own.
#pragma once

#include <cstdlib>
#include <map>
#include <optional>
#include <string>
#include <string_view>

namespace holdfast::cli {

class Environment {
 public:
  /// The real environment of this process.
  static Environment process() { return Environment(); }
  explicit Environment(std::map<std::string, std::string, std::less<>> values) : values_(std::move(values)) {}

  /// Value of a variable; nullopt when unset or empty (an empty variable means "not given", as in restic).
  std::optional<std::string> get(std::string_view name) const {
    if (values_) {
      auto found = values_->find(name);
      if (found == values_->end() || found->second.empty()) return std::nullopt;
      return found->second;
    }
    const char* value = std::getenv(std::string(name).c_str());
    if (!value || !*value) return std::nullopt;
    return std::string(value);
  }

 private:
  Environment() = default;
  std::optional<std::map<std::string, std::string, std::less<>>> values_;
};

}  // namespace holdfast::cli

#include "cli/environment.h"

#include <string.h>

#include <cstdlib>

namespace holdfast::cli {
namespace {

// Passwords of repositories. Nobody below us needs them: what we start gets an environment without.
constexpr const char* kPasswords[] = {"RESTIC_PASSWORD", "HOLDFAST_RESTIC_PASSWORD", "RESTIC_FROM_PASSWORD",
                                      "RESTIC_REST_PASSWORD"};

}  // namespace

Environment Environment::process() {
  Environment environment;
  for (const char* name : kPasswords) {
    char* value = std::getenv(name);
    if (!value) continue;
    environment.taken_.emplace(name, Secret(value));
    ::explicit_bzero(value, ::strlen(value));  // what /proc/PID/environ shows
    ::unsetenv(name);
  }
  return environment;
}

std::optional<std::string> Environment::get(std::string_view name) const {
  if (values_) {
    const auto found = values_->find(name);
    if (found == values_->end() || found->second.empty()) return std::nullopt;
    return found->second;
  }
  if (const auto taken = taken_.find(name); taken != taken_.end()) {
    if (taken->second.empty()) return std::nullopt;
    return std::string(taken->second.reveal());
  }
  const char* value = std::getenv(std::string(name).c_str());
  if (!value || !*value) return std::nullopt;
  return std::string(value);
}

}  // namespace holdfast::cli

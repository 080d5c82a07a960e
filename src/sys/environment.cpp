#include "sys/environment.h"

#include <sys/prctl.h>

#include <cstdlib>
#include <map>
#include <string_view>

extern char** environ;

namespace holdfast::sys {

namespace {

using Variables = std::vector<std::pair<std::string, std::string>>;

std::map<std::string, std::string>& taken() {
  static std::map<std::string, std::string> variables;
  return variables;
}

Variables present() {
  Variables all;
  for (char** entry = environ; entry && *entry; ++entry) {
    const std::string_view text(*entry);
    if (const auto at = text.find('='); at != text.npos) all.emplace_back(text.substr(0, at), text.substr(at + 1));
  }
  return all;
}

bool is_for_clients(std::string_view name) {
  for (const std::string_view prefix : {"PG", "MYSQL", "MARIADB", "LIBMYSQL", "KRB5", "LD_", "LC_", "LANG"})
    if (name.starts_with(prefix)) return true;
  return false;
}

}  // namespace

void take_client_variables() {
  for (auto& [name, value] : present()) {
    if (!is_for_clients(name)) continue;
    ::unsetenv(name.c_str());
    taken()[name] = std::move(value);
  }
  ::setenv("LC_ALL", "C.UTF-8", 1);  // what child programs say is read
}

void keep_memory_private() {
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
  (void)::prctl(PR_SET_DUMPABLE, 0);
#endif
}

std::optional<std::string> variable(const std::string& name) {
  if (const auto found = taken().find(name); found != taken().end()) return found->second;
  const char* value = std::getenv(name.c_str());
  return value ? std::optional<std::string>(value) : std::nullopt;
}

std::map<std::string, std::string, std::less<>> callers_environment() {
  std::map<std::string, std::string, std::less<>> all;
  for (auto& [name, value] : present()) all[name] = std::move(value);
  for (const auto& [name, value] : taken()) all[name] = value;
  return all;
}

Variables taken_variables() {
  return {taken().begin(), taken().end()};
}

Variables own_environment() {
  Variables own;
  for (auto& [name, value] : present())
    if (name == "HOME" || name == "XDG_STATE_HOME" || name == "HOLDFAST_PEERS" || name == "HOLDFAST_STATE_DIR" ||
        name == "TMPDIR" || name == "TZ" || name.ends_with("SAN_OPTIONS"))
      own.emplace_back(name, std::move(value));
  return own;
}

}  // namespace holdfast::sys

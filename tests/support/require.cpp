#include "tests/support/require.h"

#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <initializer_list>
#include <sstream>

namespace holdfast::test {

namespace {

/// Whether a comma list in the environment has one of these words.
bool is_listed(const char* variable, std::initializer_list<std::string_view> any) {
  const char* list = std::getenv(variable);
  std::stringstream words{std::string(list ? list : "")};
  for (std::string word; std::getline(words, word, ',');)
    if (std::ranges::find(any, word) != any.end()) return true;
  return false;
}

}  // namespace

bool is_required(std::string_view peer) {
  return is_listed("HOLDFAST_REQUIRE", {"all", peer}) && !is_listed("HOLDFAST_LACKS", {peer});
}

std::string find_program(std::string_view name) {
  if (name.starts_with('/')) return ::access(std::string(name).c_str(), X_OK) == 0 ? std::string(name) : "";
  const char* path = std::getenv("PATH");
  std::stringstream folders{std::string(path ? path : "/usr/local/bin:/usr/bin:/bin") + ":/usr/sbin:/sbin"};
  for (std::string folder; std::getline(folders, folder, ':');) {
    std::string candidate = folder + "/" + std::string(name);
    if (::access(candidate.c_str(), X_OK) == 0) return candidate;
  }
  return "";
}

std::string peers_folder() {
  if (const char* folder = std::getenv("HOLDFAST_PEERS"); folder && *folder) return folder;
  if (::access("/opt/holdfast/peers", R_OK | X_OK) == 0) return "/opt/holdfast/peers";
  const char* home = std::getenv("HOME");
  return std::string(home ? home : "") + "/.local/share/holdfast/peers";
}

}  // namespace holdfast::test

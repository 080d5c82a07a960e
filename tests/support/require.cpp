#include "tests/support/require.h"

#include <unistd.h>

#include <cstdlib>
#include <sstream>

namespace holdfast::test {

bool is_required(std::string_view peer) {
  const char* asked = std::getenv("HOLDFAST_REQUIRE");
  if (!asked) return false;
  std::stringstream words{std::string(asked)};
  for (std::string word; std::getline(words, word, ',');) {
    if (word == "all" || word == peer) return true;
  }
  return false;
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

#include "engine/programs.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <vector>

#include "sys/process.h"

namespace holdfast::engine {

namespace fs = std::filesystem;

std::string peers_dir() {
  if (const char* set = std::getenv("HOLDFAST_PEERS"); set && *set) return set;
  std::error_code ignored;
  if (fs::exists("/opt/holdfast/peers", ignored)) return "/opt/holdfast/peers";
  const char* home = std::getenv("HOME");
  return std::string(home ? home : "") + "/.local/share/holdfast/peers";
}

namespace {

Error missing(const std::string& name, std::string hint) {
  return Error{
      ErrorClass::unavailable, "engine.no_program", fmt::format("{} is not installed here", name), std::move(hint), {}};
}

/// Debian keeps each major version of PostgreSQL in a folder of its own: the newest that has the program.
std::optional<std::string> find_postgres(const std::string& name) {
  std::error_code ignored;
  std::vector<std::pair<double, std::string>> found;
  for (const auto& entry : fs::directory_iterator("/usr/lib/postgresql", ignored)) {
    auto program = entry.path() / "bin" / name;
    if (::access(program.c_str(), X_OK) == 0)
      found.emplace_back(std::strtod(entry.path().filename().c_str(), nullptr), program.string());
  }
  if (found.empty()) return sys::find_program(name);
  return std::max_element(found.begin(), found.end())->second;
}

std::optional<std::string> find_mysql(const std::string& name) {
  std::string peer = peers_dir() + "/mysql/bin/" + name;
  if (::access(peer.c_str(), X_OK) == 0) return peer;
  auto found = sys::find_program(name);
  if (!found) return std::nullopt;
  std::error_code ignored;
  auto real = fs::canonical(*found, ignored).string();
  if (real.find("mariadb") != std::string::npos) return std::nullopt;
  return found;
}

}  // namespace

Result<std::string> find_program(cluster::Engine engine, const std::string& name) {
  switch (engine) {
    case cluster::Engine::postgres:
      if (auto found = find_postgres(name)) return *found;
      return fail(missing(name, "install postgresql and postgresql-client (make setup does)"));
    case cluster::Engine::mysql:
      if (auto found = find_mysql(name)) return *found;
      return fail(missing("MySQL's " + name, "run tools/peers/mysql (make setup does)"));
    default:
      if (auto found = sys::find_program(name)) return *found;
      return fail(missing(name, "install mariadb-server and mariadb-client (make setup does)"));
  }
}

}  // namespace holdfast::engine

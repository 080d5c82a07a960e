#include "engine/programs.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
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

std::optional<std::string> find_postgres(const std::string& name, int major) {
  static const std::vector<VersionFolders> kPackages = {{"/usr/lib/postgresql", ""},
                                                        {"/usr", "pgsql-"}};  // Debian, RHEL
  auto found = find_by_version(kPackages, name, major);
  return found ? found : sys::find_program(name);
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

std::optional<std::string> find_by_version(const std::vector<VersionFolders>& folders, const std::string& name,
                                           int major) {
  std::error_code ignored;
  std::vector<std::pair<int, std::string>> found;
  for (const auto& [in, before] : folders) {
    for (const auto& entry : fs::directory_iterator(in, ignored)) {
      const std::string last = entry.path().filename().string();
      if (!last.starts_with(before)) continue;
      const auto program = entry.path() / "bin" / name;
      if (::access(program.c_str(), X_OK) == 0)
        found.emplace_back(postgres_major(std::string_view(last).substr(before.size())), program.string());
    }
  }
  if (found.empty()) return std::nullopt;
  const auto same = std::ranges::find(found, major, &std::pair<int, std::string>::first);
  return major > 0 && same != found.end() ? same->second : std::ranges::max_element(found)->second;
}

int postgres_major(std::string_view version) {
  int major = 0;
  (void)std::from_chars(version.data(), version.data() + version.size(), major);
  return major;
}

Result<std::string> find_program(cluster::Engine engine, const std::string& name, int postgres_major) {
  switch (engine) {
    case cluster::Engine::postgres:
      if (auto found = find_postgres(name, postgres_major)) return *found;
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

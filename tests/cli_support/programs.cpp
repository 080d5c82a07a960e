#include "tests/cli_support/programs.h"

#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <stdexcept>

#include "tests/support/program.h"
#include "tests/support/require.h"

namespace holdfast::test {
namespace {

sys::TempDir make_directory(const std::string& name) {
  auto made = sys::TempDir::create(name);
  if (!made) throw std::runtime_error(made.error().to_string());
  return std::move(*made);
}

std::string variable(const char* name) {
  const char* value = std::getenv(name);
  return value ? value : "";
}

Command command(std::optional<std::string> program, const std::string& name, std::vector<std::string> args,
                const std::map<std::string, std::string>& env) {
  Command made;
  made.argv = std::move(args);
  made.argv.insert(made.argv.begin(), program.value_or(name));
  made.env = env;
  return made;
}

}  // namespace

std::string holdfast_program() {
  const auto set = variable("HOLDFAST_BIN");
  return set.empty() ? holdfast_binary() : set;
}

std::optional<std::string> peer_program(const std::string& name) {
  const auto path = peers_folder() + "/bin/" + name;
  if (::access(path.c_str(), X_OK) == 0) return path;
  return std::nullopt;
}

Sandbox::Sandbox(const std::string& name) : directory_(make_directory(name)) {
  for (const char* folder : {"home", "cache", "tmp"}) std::filesystem::create_directory(path(folder));
  env_ = {{"HOME", path("home")},
          {"XDG_CACHE_HOME", path("cache")},
          {"TMPDIR", path("tmp")},
          {"LANG", "C.UTF-8"},
          {"TZ", "UTC"},
          {"RESTIC_PASSWORD", kPassword},
          {"RUSTIC_PASSWORD", kPassword},
          {"RESTIC_PROGRESS_FPS", "0.01"},
          {"RUSTIC_NO_PROGRESS", "true"}};
  if (const auto sanitizer = variable("ASAN_OPTIONS"); !sanitizer.empty()) env_["ASAN_OPTIONS"] = sanitizer;
}

Command Sandbox::holdfast(std::vector<std::string> args) const {
  return command(holdfast_program(), "holdfast", std::move(args), env_);
}
Command Sandbox::restic(std::vector<std::string> args) const {
  return command(peer_program("restic"), "restic", std::move(args), env_);
}
Command Sandbox::rustic(std::vector<std::string> args) const {
  return command(peer_program("rustic"), "rustic", std::move(args), env_);
}

}  // namespace holdfast::test

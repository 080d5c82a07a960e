// Where the programs under test and their peers are, and a sandbox to run them in.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "sys/file.h"
#include "tests/cli_support/command.h"
#include "tests/support/require.h"

namespace holdfast::test {

/// $HOLDFAST_BIN, else build/holdfast of this build.
std::string holdfast_program();
/// A program installed by tools/peers ("restic", "rustic", "weed"); nullopt when it is not there.
std::optional<std::string> peer_program(const std::string& name);

/// A temporary directory, and an environment in which programs find their caches, homes and temporary files below it.
class Sandbox {
 public:
  explicit Sandbox(const std::string& name);

  std::string path(const std::string& relative) const { return directory_.path() + "/" + relative; }
  std::map<std::string, std::string>& env() { return env_; }
  const std::map<std::string, std::string>& env() const { return env_; }

  /// `holdfast ARGS...`; RESTIC_PASSWORD is set, RESTIC_REPOSITORY is not.
  Command holdfast(std::vector<std::string> args) const;
  Command restic(std::vector<std::string> args) const;
  Command rustic(std::vector<std::string> args) const;

 private:
  sys::TempDir directory_;
  std::map<std::string, std::string> env_;
};

inline constexpr char kPassword[] = "correct horse battery staple";

}  // namespace holdfast::test

/// In a test body: skips, or fails where HOLDFAST_REQUIRE asks for it, when a peer is not installed.
#define NEED_PEER(name) HOLDFAST_NEED(name, ::holdfast::test::peer_program(name).has_value(), "run tools/peers/" name)

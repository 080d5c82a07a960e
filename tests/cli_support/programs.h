// Where the programs under test and their peers are, and a sandbox to run them in.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "sys/file.h"
#include "tests/cli_support/command.h"

namespace holdfast::test {

/// $HOLDFAST_BIN, else build/holdfast.
std::string holdfast_program();
/// A program installed by tools/peers ("restic", "rustic", "weed"); nullopt when it is not there.
std::optional<std::string> peer_program(const std::string& name);
/// Why a test that needs `name` cannot run, for GTEST_SKIP; HOLDFAST_REQUIRE=all turns it into a failure.
std::string missing_peer(const std::string& name);
bool peers_required();

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

/// Skips the test (or fails it where peers are required) when a peer is not installed.
#define NEED_PEER(name)                                                      \
  do {                                                                       \
    if (!::holdfast::test::peer_program(name)) {                             \
      if (::holdfast::test::peers_required())                                \
        FAIL() << ::holdfast::test::missing_peer(name);                      \
      else                                                                   \
        GTEST_SKIP() << ::holdfast::test::missing_peer(name);                \
    }                                                                        \
  } while (false)

// The three programs under measurement, each by its own command line for the same work.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "tests/cli_support/programs.h"

namespace holdfast::bench {

inline constexpr char kStreamPath[] = "ns/app/dump.sql";

class Tool {
 public:
  enum class Kind { holdfast, restic, rustic };
  Tool(Kind kind, const test::Sandbox& sandbox) : kind_(kind), sandbox_(&sandbox) {}

  Kind kind() const { return kind_; }
  std::string name() const;
  std::string version() const;

  test::Command init(const std::string& repository) const;
  /// Reads standard input; the caller sets Command::stdin_file.
  test::Command backup_stream(const std::string& repository) const;
  test::Command dump(const std::string& repository) const;
  test::Command backup_tree(const std::string& repository, const std::string& directory) const;
  test::Command restore(const std::string& repository, const std::string& into) const;
  test::Command check_data(const std::string& repository) const;
  test::Command backups(const std::string& repository) const;
  test::Command snapshots(const std::string& repository) const;

 private:
  test::Command command(std::vector<std::string> args, const std::string& repository) const;
  Kind kind_;
  const test::Sandbox* sandbox_;
};

}  // namespace holdfast::bench

// What the damage tests share: a small repository whose content is known to the byte, and ways to hurt it.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "tests/interop/interop.h"

namespace holdfast::test {

class Damage : public Interop {
 protected:
  void SetUp() override;

  /// All files of the repository, relative, sorted.
  std::vector<std::string> files(const std::string& folder = "") const;
  std::string load(const std::string& relative) const;
  void store(const std::string& relative, const std::string& bytes);

  /// holdfast ARGS -r repo, without any expectation.
  Outcome attempt(Args args);
  /// `check --read-data` says that something is wrong, in the documented way.
  void expect_found(const std::string& what);
  /// dump and restore of each stream give its exact bytes, or fail without giving any wrong byte.
  void expect_no_wrong_byte(const std::string& what);
  /// Everything reads back exactly and both programs find the repository clean.
  void expect_whole();
  void expect_streams();

  std::map<std::string, std::string> streams;  ///< path in the snapshot -> content; one snapshot each
};

/// The failure has an exit code of the table (no bug, no signal), a message and a hint.
void expect_documented_failure(const Outcome& outcome, const std::string& what);

}  // namespace holdfast::test

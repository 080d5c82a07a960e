// What the interoperability tests share: a repository both programs use, and calls that expect success.
#pragma once

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "tests/cli_support/programs.h"
#include "tests/cli_support/repo_forge.h"

namespace holdfast::test {

using Args = std::vector<std::string>;

class Interop : public ::testing::Test {
 protected:
  void SetUp() override;

  /// Runs with `-r repo` added; a code other than `expected` fails the test.
  Outcome holdfast(Args args, int expected = 0);
  Outcome restic(Args args, int expected = 0);
  /// The same with a repository named.
  Outcome holdfast_at(const std::string& repository, Args args, int expected = 0);
  Outcome restic_at(const std::string& repository, Args args, int expected = 0);
  /// Backs `content` up as /NAME by holdfast or restic.
  Outcome holdfast_stream(const std::string& content, const std::string& name, Args more = {});
  Outcome restic_stream(const std::string& content, const std::string& name, Args more = {});

  /// A repository made by holdfast or by restic, with a key that opens fast.
  void init_by_holdfast(Args more = {});
  void init_by_restic(Args more = {});
  /// `check --read-data` of both programs finds nothing wrong.
  void expect_clean();

  void init_by(const std::string& tool, const Args& init);

  std::string path(const std::string& name) const { return box.path(name); }

  Sandbox box{"interop"};
  std::string repo = box.path("repo");
};

/// `size` bytes that look like a dump (compressible, not repetitive); the same for the same seed.
std::string some_dump(size_t size, unsigned seed);

}  // namespace holdfast::test

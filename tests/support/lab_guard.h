// A lab of a test's own: a state directory under /tmp, and a janitor that takes the lab down when the test ends,
// however it ends (it waits for the end of a pipe only the test holds).
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "codec/value.h"
#include "sys/file.h"
#include "sys/process.h"
#include "tests/support/program.h"

namespace holdfast::test {

class LabGuard {
 public:
  LabGuard();
  ~LabGuard();

  const std::string& state_dir() const { return dir_->path(); }
  /// holdfast ARGS... --state-dir of this lab
  RunResult holdfast(std::vector<std::string> args, std::chrono::seconds limit = std::chrono::seconds(200));
  /// data.members[] of `lab status`; a null value on failure.
  codec::Value members();
  /// One of them.
  codec::Value member(const std::string& name);
  /// Pids of all processes whose command line names this lab's state directory, zombies left out.
  std::vector<pid_t> processes() const;

 private:
  std::optional<sys::TempDir> dir_;
  sys::Process janitor_;
  sys::Fd leash_;
};

}  // namespace holdfast::test

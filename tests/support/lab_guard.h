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
  /// Members of this cluster are on hosts: from now on their directories are empty for all commands but `lab`, as they
  /// are for a caller elsewhere.
  void hide_members(const std::string& cluster) { hidden_ = state_dir() + "/lab/" + cluster + "/" + cluster; }
  /// What runs holdfast ARGS... --state-dir of this lab, so.
  std::vector<std::string> command(std::vector<std::string> args) const;
  /// data.members[] of `lab status`; a null value on failure.
  codec::Value members();
  /// One of them.
  codec::Value member(const std::string& name);
  /// Pids of all processes whose command line names this lab's state directory, zombies left out.
  std::vector<pid_t> processes() const;

 private:
  std::optional<sys::TempDir> dir_;
  std::string hidden_;  ///< how the paths of these directories begin
  sys::Process janitor_;
  sys::Fd leash_;
};

}  // namespace holdfast::test

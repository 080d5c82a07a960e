// A machine of its own for what belongs to a whole machine: packages, and services that systemd runs. It is
// systemd-nspawn over an overlay of this machine's files: all that is installed here is there, as its packages set it
// up; what is written goes with the container. It has a network of its own, with a loopback only. HOLDFAST_TEST_SYSTEM
// names other files: the root directory of another distribution.
//
// Needs root, and systemd-container. The container ends with the object, and with the test, however that ends.
#pragma once

#include <unistd.h>

#include <chrono>
#include <csignal>
#include <memory>
#include <string>
#include <vector>

#include "sys/file.h"
#include "sys/process.h"
#include "tests/support/program.h"

namespace holdfast::test {

class SystemContainer {
 public:
  /// What is missing here for one: root, a program. "" when nothing is.
  static std::string missing();
  /// Why this machine lets nobody start one (no namespaces, no control groups), whatever is installed; "" when it does.
  static std::string refused();
  /// A file that each container begins with, as it is seen from here.
  static std::string file(const std::string& path);
  /// Booted until systemd takes orders; a failed test and null when it does not within a minute. Services that the
  /// machine has enabled are not started: start those you want.
  static std::unique_ptr<SystemContainer> boot();
  ~SystemContainer();
  SystemContainer(const SystemContainer&) = delete;
  SystemContainer& operator=(const SystemContainer&) = delete;

  /// In the container, as root, with a service's environment.
  RunResult run(const std::string& script, std::chrono::seconds limit = std::chrono::seconds(60)) const;
  /// The same; a failed test when it does not exit with 0. Its standard output.
  std::string ok(const std::string& script, std::chrono::seconds limit = std::chrono::seconds(60)) const;
  /// As /usr/bin/holdfast, the way a package brings it.
  void install_holdfast() const;
  /// The build's holdfast, which is at the same path in there.
  RunResult holdfast(const std::string& arguments, std::chrono::seconds limit = std::chrono::seconds(120)) const;

  /// SIGKILL for the process that holds it, as when its test is killed.
  void kill_starter() { (void)process_.signal(SIGKILL); }
  /// A file of the container, for this process.
  std::string seen_from_here(const std::string& path) const {
    return "/proc/" + std::to_string(init_) + "/root" + path;
  }

 private:
  SystemContainer() = default;
  pid_t find_init() const;

  const std::string name_ = "holdfast-test-" + std::to_string(::getpid());  ///< of the container and its control groups
  sys::TempDir dir_ = sys::TempDir::create("container").value();
  sys::Process process_;
  pid_t init_ = 0;
};

}  // namespace holdfast::test

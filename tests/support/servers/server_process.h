// A server of a test: dies with the test whatever happens to it, and so do its files.
#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

namespace holdfast::test {

/// A folder for this test program, removed when the program ends in any way, SIGKILL included. Made on first use.
const std::string& test_root();
/// A new folder in it.
std::string make_folder(const std::string& name);
/// A loopback TCP port nobody listens on.
int unused_port();

class ServerProcess {
 public:
  ServerProcess() = default;
  ~ServerProcess() { kill(); }
  ServerProcess(const ServerProcess&) = delete;
  ServerProcess& operator=(const ServerProcess&) = delete;

  /// Output goes to `log`. Call from the main thread: the child dies with the thread that started it.
  void start(const std::vector<std::string>& argv, const std::vector<std::string>& env, const std::string& folder,
             const std::string& log);
  bool running();
  /// SIGKILL, then waits for the end.
  void kill();
  /// SIGKILL without waiting; from any thread.
  void signal_kill();

 private:
  pid_t pid_ = -1;
};

}  // namespace holdfast::test

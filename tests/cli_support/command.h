// Runs programs the way a person's shell would, and measures them: for tests and benchmarks that drive holdfast and its
// peers from outside.
//
// A child gets nothing but the environment given here, is killed when this process dies, and never outlives its
// Running.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "sys/file.h"

namespace holdfast::test {

struct Command {
  std::vector<std::string> argv;
  /// The whole environment apart from PATH, which is inherited.
  std::map<std::string, std::string> env;
  std::string directory;                                          ///< working directory; empty: the caller's
  std::string stdin_file;                                         ///< read from this file ...
  std::optional<std::string> stdin_text;                          ///< ... or fed this text; neither: /dev/null
  int stdin_fd = -1;                                              ///< ... or this descriptor, which the caller keeps
  enum class Out { capture, count, file } out = Out::capture;     ///< count: read from a pipe and forgotten
  std::string stdout_file;                                        ///< for Out::file
  std::chrono::milliseconds timeout = std::chrono::seconds(120);  ///< then SIGKILL
};

struct Outcome {
  int code = -1;           ///< exit code, or 128 + signal
  bool timed_out = false;  ///< killed at Command::timeout
  std::string out, err;
  uint64_t out_bytes = 0;  ///< what came from the pipe, also when it was only counted
  double wall_seconds = 0;
  double cpu_seconds = 0;  ///< user + system, with the children it waited for
  uint64_t peak_rss = 0;   ///< bytes

  bool ok() const { return code == 0 && !timed_out; }
  /// Exit code and the ends of both outputs, for failure messages.
  std::string describe() const;
};

class Running {
 public:
  explicit Running(Command command);
  Running(Running&& other) noexcept;
  Running& operator=(Running&&) = delete;
  ~Running();  ///< kills and reaps what still runs

  pid_t pid() const { return pid_; }
  bool ended() const;  ///< true once the child is dead (not yet reaped)
  void signal(int number);
  Outcome wait();

 private:
  void pump(int timeout_ms);
  Command command_;
  pid_t pid_ = -1;
  sys::Fd pidfd_, in_, out_, err_;
  size_t fed_ = 0;
  std::chrono::steady_clock::time_point start_;
  Outcome outcome_;
};

Outcome run(Command command);

}  // namespace holdfast::test

// Runs a program to its end and collects what it said. The child dies with the test (PR_SET_PDEATHSIG).
#pragma once

#include <chrono>
#include <map>
#include <string>
#include <vector>

namespace holdfast::test {

struct RunOptions {
  std::string input;                       ///< standard input
  std::map<std::string, std::string> env;  ///< added to, or replacing, this process's variables; "" removes one
  std::string directory;                   ///< working directory; "" = this process's
  std::chrono::seconds limit{120};         ///< then it is killed
};

struct RunResult {
  int exit_code = -1;  ///< 128 + signal when a signal ended it
  bool timed_out = false;
  std::string out;
  std::string err;
};

RunResult run_program(const std::vector<std::string>& argv, const RunOptions& options = {});

/// build/holdfast of this build ($HOLDFAST_BINARY wins).
std::string holdfast_binary();
/// run_program() on it.
RunResult run_holdfast(std::vector<std::string> args, const RunOptions& options = {});

/// A loopback TCP port nobody listens on right now.
int free_port();

}  // namespace holdfast::test

// A server that a test starts as an operator would: by a command line.
#pragma once

#include <gtest/gtest.h>

#include <string>
#include <utility>

#include "sys/process.h"

namespace holdfast::test {

/// A server started by a shell command; it ends with the test, however that ends.
class ByHand {
 public:
  explicit ByHand(const std::string& command_line) {
    sys::Command command;
    command.argv = {"/bin/sh", "-c", command_line + " & pid=$!; read ignored; kill $pid; wait $pid"};
    command.in = sys::Stdio::pipe();
    command.out = command.err = sys::Stdio::null();
    command.new_session = true;
    auto running = sys::spawn(command);
    EXPECT_TRUE(running);
    if (!running) return;
    shell_ = std::move(*running);
    leash_ = shell_.take_stdin();
  }
  ~ByHand() {
    leash_.reset();
    EXPECT_TRUE(shell_.wait(Deadline::in(std::chrono::seconds(60))));
  }

 private:
  sys::Process shell_;
  sys::Fd leash_;
};

}  // namespace holdfast::test

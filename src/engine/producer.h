// A program whose standard output is read as a stream. The end of the output is an end only if the program ended well.
#pragma once

#include <chrono>
#include <memory>
#include <stop_token>
#include <string>

#include "base/bytes.h"
#include "base/result.h"
#include "sys/process.h"

namespace holdfast::engine {

class Producer {
 public:
  /// `command.out` and `err` are replaced. The program dies with this process and with this object.
  static Result<Producer> start(sys::Command command, std::chrono::seconds stall_limit, std::stop_token stop);
  Producer(Producer&&) noexcept;
  Producer& operator=(Producer&&) = delete;
  ~Producer();

  /// At least one byte, or 0 after the program has ended with status 0. Otherwise "engine.producer_failed" (failed)
  /// with the last lines of its standard error; "engine.producer_stalled" (unavailable) when nothing came for the stall
  /// limit.
  Result<size_t> read(MutableByteSpan into);
  /// What it said on standard error, at most the last 16 KiB; complete once read() gave 0 or an error.
  std::string messages() const;

 private:
  struct State;
  explicit Producer(std::unique_ptr<State> state);
  Status finish();
  std::unique_ptr<State> state_;
};

}  // namespace holdfast::engine

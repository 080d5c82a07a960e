// A point in monotonic time by which something must be over; handed down, never recomputed per call.
#pragma once

#include <chrono>

namespace holdfast {

class Deadline {
 public:
  using Clock = std::chrono::steady_clock;

  static Deadline in(std::chrono::milliseconds span) { return Deadline(Clock::now() + span); }
  static Deadline never() { return Deadline(Clock::time_point::max()); }

  bool passed() const { return Clock::now() >= at_; }
  bool is_never() const { return at_ == Clock::time_point::max(); }

  /// Time left, at least 0; for never(), about 24 days (the longest a poll(2) timeout can say).
  std::chrono::milliseconds left() const {
    if (is_never()) return std::chrono::milliseconds(2'000'000'000);
    auto left = std::chrono::duration_cast<std::chrono::milliseconds>(at_ - Clock::now());
    return left.count() < 0 ? std::chrono::milliseconds(0) : left;
  }
  /// The earlier of this and `span` from now.
  Deadline at_most(std::chrono::milliseconds span) const {
    auto other = in(span);
    return other.at_ < at_ ? other : *this;
  }

 private:
  explicit Deadline(Clock::time_point at) : at_(at) {}
  Clock::time_point at_;
};

}  // namespace holdfast

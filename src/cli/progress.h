// Progress of a long verb: bytes and items done, rate and time left; a line on a terminal, events in jsonl.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <string>
#include <thread>

#include "base/mutex.h"
#include "cli/output.h"

namespace holdfast::cli {

/// Draws from its own thread a few times per second; the counting functions are lock-free and safe from any thread.
class Progress {
 public:
  /// `what` leads the line: "backing up shop/dump.sql".
  Progress(Output& out, std::string what);
  ~Progress();  ///< clears the line
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  /// Bytes expected in all; 0 while unknown (then there is a rate but no time left).
  void set_total(uint64_t bytes) { total_ = bytes; }
  void add_bytes(uint64_t bytes) { bytes_ += bytes; }
  void set_bytes(uint64_t bytes) { bytes_ = bytes; }
  /// For those who count by themselves.
  std::atomic<uint64_t>& byte_counter() { return bytes_; }
  void add_items(uint64_t items = 1) { items_ += items; }
  /// Takes the bytes done from a counter that the work itself keeps; it must outlive this object.
  void watch_bytes(const std::atomic<uint64_t>& counter) { watched_ = &counter; }
  void set_phase(std::string phase);

  uint64_t bytes() const {
    const auto* watched = watched_.load();
    return watched ? watched->load() : bytes_.load();
  }
  /// Since construction.
  std::chrono::duration<double> elapsed() const;

 private:
  void draw_until_done();

  Output& out_;
  const std::string what_;
  const std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
  std::atomic<uint64_t> total_{0};
  std::atomic<uint64_t> bytes_{0};
  std::atomic<uint64_t> items_{0};
  std::atomic<const std::atomic<uint64_t>*> watched_{nullptr};

  Mutex mutex_;
  std::condition_variable wake_;
  std::string phase_ GUARDED_BY(mutex_);
  bool done_ GUARDED_BY(mutex_) = false;
  std::thread drawer_;
};

/// "backing up x: writing  1.2 GiB of 2.0 GiB, 61%, 310.0 MiB/s, 3s left"; a pure function for tests.
std::string progress_text(std::string_view what, std::string_view phase, uint64_t bytes, uint64_t total, uint64_t items,
                          std::chrono::duration<double> elapsed);

}  // namespace holdfast::cli

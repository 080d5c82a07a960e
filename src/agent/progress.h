// How far a long change has come, told from any thread while another works on it.
#pragma once

#include <sys/types.h>

#include <string>

#include "base/mutex.h"
#include "codec/value.h"

namespace holdfast::agent {

class Progress {
 public:
  void begin(const std::string& op);
  void end();
  /// What is done now ("copy", "prepare", "verify", ...).
  void step(const std::string& name);
  void expect(uint64_t total_bytes);
  /// The bytes this process writes from here on (/proc/PID/io) count; 0 ends it, what it wrote stays counted.
  void watch(pid_t pid);
  /// {op, step, bytes, total, seconds}; null when nothing is under way. total 0 = not known.
  codec::Value value() const;

 private:
  uint64_t bytes_now() const REQUIRES(mutex_);

  mutable Mutex mutex_;
  std::string op_ GUARDED_BY(mutex_), step_ GUARDED_BY(mutex_);
  uint64_t total_ GUARDED_BY(mutex_) = 0, done_ GUARDED_BY(mutex_) = 0;
  mutable uint64_t seen_ GUARDED_BY(mutex_) = 0;
  uint64_t before_ GUARDED_BY(mutex_) = 0;  ///< what it had written before it was watched
  pid_t pid_ GUARDED_BY(mutex_) = 0;
  int64_t begun_ms_ GUARDED_BY(mutex_) = 0;
};

}  // namespace holdfast::agent
